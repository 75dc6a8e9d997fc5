package sandbox

import (
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/dropstack/dropstack/internal/fault"
)

// Maker makes sandboxes, all of one level.
type Maker struct {
	Level   string
	TempDir string // where they get their directories; the system's when empty
	Ready   int    // how many are kept ready; 0: none, each is made when it is wanted
	AWS     string // address of their own loopback device where the AWS endpoint is listened for; "": nowhere
	Names   string // where AWS's own host names are listened for; "": nowhere
	// Authority is a certificate, as PEM, that sandboxes trust besides those that
	// this machine trusts; nil: none.
	Authority []byte
	Log       *slog.Logger

	workshop
}

// Choose sets the level: the one that is asked for, or with "auto" the strongest
// one of which a sandbox can be made here. It is an error when the one that is
// asked for cannot be had. Missing tells why stronger ones cannot.
func (m *Maker) Choose(want string) (missing map[string]string, err error) {
	if want != "auto" && Rank(want) < 0 {
		return nil, fault.Errorf(fault.Invalid, "isolation %q: the levels are auto, full, userns, process and none", want)
	}
	missing = map[string]string{}
	for i := len(levels) - 1; i >= 0; i-- {
		if want != "auto" && levels[i] != want {
			continue
		}
		m.restart()
		m.Level = levels[i]
		if err = m.try(); err == nil {
			return missing, nil
		}
		missing[levels[i]] = err.Error()
	}
	return missing, fault.Errorf(fault.Invalid, "isolation level %s cannot be had on this machine: %w", want, err)
}

// Open returns a sandbox, one of those that are ready if there is one.
func (m *Maker) Open() (*Box, error) {
	if Rank(m.Level) >= Rank(Userns) {
		return m.open()
	}
	return m.plain()
}

// Close ends the sandboxes that are ready and returns when nothing is left of all
// that were closed before. Left is how much could not be removed.
func (m *Maker) Close() (left int) { return m.end() }

// plain is a box without a sandbox.
func (m *Maker) plain() (*Box, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the Runtime API: %w", err)
	}
	tmp, err := os.MkdirTemp(m.TempDir, "dropstack-")
	if err != nil {
		listener.Close()
		return nil, fmt.Errorf("make a temporary directory: %w", err)
	}
	return &Box{API: listener, Tmp: tmp}, nil
}
