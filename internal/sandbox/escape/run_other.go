//go:build !linux

package escape

import (
	"context"
	"errors"

	"github.com/dropstack/dropstack/internal/sandbox"
)

// Run needs Linux.
func Run(context.Context, *sandbox.Box, Options) (Report, error) {
	return Report{}, errors.New("sandboxes that can be tried exist on Linux alone")
}
