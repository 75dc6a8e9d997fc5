//go:build !amd64 && !arm64

package filter

import "errors"

// Program fails: there is no table for this architecture.
func Program() ([]byte, error) { return nil, errors.ErrUnsupported }
