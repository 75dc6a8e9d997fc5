//go:build !linux

package kernel

import (
	"context"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/network"
)

type state struct{}

var errLinux = fault.Errorf(fault.Unavailable, "the kernel engine of networks needs Linux; use the engine in user space")

// Attach needs Linux.
func (e *Engine) Attach(context.Context, *network.Port, network.Namespace) (func() error, error) {
	return nil, errLinux
}

// Apply needs Linux.
func (e *Engine) Apply(*network.Model) error { return errLinux }

// Sweep has nothing to do here.
func Sweep() error { return nil }

// Leftovers is always 0 here.
func (e *Engine) Leftovers() int { return 0 }

// Close does nothing here.
func (e *Engine) Close() error { return nil }
