package sandbox

import (
	"os"

	"github.com/dropstack/dropstack/internal/fault"
)

// Choose sets the level: the one that is asked for, or with "auto" or "" the
// strongest one of which a sandbox can be made. It is an error when the one that
// is asked for cannot be had.
func (m *Maker) Choose(want string) (Report, error) {
	if want == "" {
		want = "auto"
	}
	if want != "auto" && Rank(want) < 0 {
		return Report{}, fault.Errorf(fault.Invalid, "isolation %q: the levels are auto, full, userns, process and none", want)
	}
	r := Report{Missing: map[string]string{}}
	for i := len(levels) - 1; i >= 0; i-- {
		level := levels[i]
		if want != "auto" && level != want {
			continue
		}
		err := m.try(level)
		if err == nil {
			r.Level = level
			return r, nil
		}
		r.Missing[level] = err.Error()
		if want != "auto" {
			return r, fault.Errorf(fault.Invalid, "isolation level %s cannot be had on this machine: %w", want, err)
		}
	}
	return r, nil
}

// try makes a sandbox of a level, which is then the first that is ready.
func (m *Maker) try(level string) error {
	m.Level = level
	switch level {
	case None, Confine:
		return nil
	case Full:
		if os.Geteuid() != 0 {
			return fault.Errorf(fault.Invalid, "it takes root")
		}
	case Userns:
		return fault.Errorf(fault.Invalid, "not yet")
	}
	b, err := m.Open()
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ready = append(m.ready, b)
	return nil
}
