//go:build !amd64 && !arm64

package confine

import "errors"

// LoadFilter fails: there is no table for this architecture.
func LoadFilter() error { return errors.ErrUnsupported }
