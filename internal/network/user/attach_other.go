//go:build !linux

package user

import (
	"context"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/network"
)

type attachment struct{}

func (*attachment) detach() error { return nil }

// Attach is refused: network namespaces and TUN devices are Linux's.
func (e *Engine) Attach(context.Context, *network.Port, network.Namespace) (func() error, error) {
	return nil, fault.Errorf(fault.Unavailable, "private networks need Linux: network namespaces and TUN devices")
}
