// Package verdict has clients turned away: by the platform's bans, or by an IP set of
// AWS WAF.
package verdict

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// Ban is what is asked for.
type Ban struct {
	Client  netip.Prefix  `json:"client"`
	Reason  string        `json:"reason"`
	For     time.Duration `json:"for"` // the first; the next ones are longer
	Shadow  bool          `json:"shadow,omitempty"`
	Request string        `json:"request,omitempty"`
}

// Made is the ban as it holds.
type Made struct {
	Until time.Time
	Times int
}

// Writer has clients turned away.
type Writer interface {
	// Ban answers once the ban holds. ErrRefused is for good; after another error it
	// may be tried again.
	Ban(ctx context.Context, b Ban) (Made, error)
	// Held tells whether requests of a client at a time are known to have been turned
	// away, and do not count.
	Held(client netip.Prefix, at time.Time) bool
	// Expire lets clients in whose bans are over, where nobody else does.
	Expire(ctx context.Context) error
}

// ErrRefused is a ban that will not be made, such as of a client that an operator has
// allowed.
var ErrRefused = errors.New("the ban is refused")
