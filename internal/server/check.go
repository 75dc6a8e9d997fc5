package server

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/sandbox/escape"
)

// Isolation is what is known of how functions are kept apart: the level, and what
// became of the attacks that were made from a sandbox of it.
type Isolation struct {
	Level    string            `json:"level"`
	Time     time.Time         `json:"time"`
	TookMS   int64             `json:"took_ms"`           // of the attacks
	Missing  map[string]string `json:"missing,omitempty"` // why stronger levels cannot be had, by level
	Error    string            `json:"error,omitempty"`   // why the attacks could not be made
	Controls []escape.Control  `json:"controls"`
	Rows     []escape.Row      `json:"rows"`
}

// Examine attacks from sandboxes of a maker. Data is what no function may see;
// missing is why the maker's level is not a stronger one.
func Examine(ctx context.Context, m *sandbox.Maker, missing map[string]string, data ...string) Isolation {
	is := Isolation{Level: m.Level, Time: time.Now().UTC(), Missing: missing}
	report, err := escape.Check(ctx, m, escape.Options{Data: data})
	if err != nil {
		is.Error = err.Error()
	}
	is.TookMS = time.Since(is.Time).Milliseconds()
	is.Rows, is.Controls = report.Rows, report.Controls()
	return is
}

// enough is an error unless functions are isolated as somebody asks for, by a
// setting, with every control of the level.
func (is *Isolation) enough(setting, least string) error {
	if least == "" {
		return nil
	}
	if sandbox.Rank(is.Level) < sandbox.Rank(least) {
		why := is.Missing[least]
		if why == "" {
			why = "--isolation says so"
		}
		return fault.Errorf(fault.Invalid, "functions would run at isolation level %s, and %s asks for %s: %s", is.Level, setting, least, why)
	}
	if is.Error != "" {
		return fault.Errorf(fault.Invalid, "%s %s: whether sandboxes hold could not be found out: %s", setting, least, is.Error)
	}
	for _, c := range is.Controls {
		if c.State == escape.Off {
			return fault.Errorf(fault.Invalid, "%s %s: control %s is off: %s", setting, least, c.Name, c.Reason)
		}
	}
	return nil
}

// tell logs what an operator should know; before is the last start's, nil if there
// was none.
func (is *Isolation) tell(log *slog.Logger, before *Isolation) {
	for _, level := range slices.Sorted(maps.Keys(is.Missing)) {
		log.Warn("a stronger isolation level cannot be had", "level", is.Level, "stronger", level, "reason", is.Missing[level])
	}
	if before != nil && sandbox.Rank(is.Level) < sandbox.Rank(before.Level) {
		log.Warn("isolation downgrade: functions run at a lower level than after the last start", "level", is.Level, "before", before.Level)
	}
	if is.Error != "" {
		log.Warn("whether sandboxes hold could not be found out", "level", is.Level, "err", is.Error)
	}
	for _, c := range is.Controls {
		if c.State != escape.Off {
			continue
		}
		log.Warn("isolation control is off", "level", is.Level, "control", c.Name, "held", c.Held, "tried", c.Tried, "reason", c.Reason)
		if before != nil && before.on(c.Name) {
			log.Warn("isolation downgrade: the control held after the last start", "control", c.Name)
		}
	}
}

func (is *Isolation) on(control string) bool {
	return slices.ContainsFunc(is.Controls, func(c escape.Control) bool { return c.Name == control && c.State == escape.On })
}

// isolationFile keeps the report of this start, earlierFile the one before.
func isolationFile(dir string) string { return filepath.Join(dir, "run", "isolation.json") }
func earlierFile(dir string) string   { return filepath.Join(dir, "run", "isolation-before.json") }

// LastIsolation is the report of the platform that runs on dir, or ran last. The
// error wraps fs.ErrNotExist when there is none, as in the first second of a start.
func LastIsolation(dir string) (*Isolation, error) { return readIsolation(isolationFile(dir)) }

func readIsolation(path string) (*Isolation, error) {
	doc, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	is := &Isolation{}
	if err := json.Unmarshal(doc, is); err != nil {
		return nil, fault.Errorf(fault.Invalid, "%s: %w", path, err)
	}
	return is, nil
}

// retire makes the report of the last start the one before, so that nobody takes
// it for this one's. A start that ended before its own came leaves the older one.
func retire(dir string) error {
	err := os.Rename(isolationFile(dir), earlierFile(dir))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// save keeps the report of this start. A reader sees one or the other.
func (is *Isolation) save(dir string) error {
	doc, err := json.MarshalIndent(is, "", "  ")
	if err != nil {
		return err
	}
	path := isolationFile(dir)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".isolation-*") // 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(append(doc, '\n'))
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name()) // the first error is the one to tell
	}
	return err
}

// examine attacks, logs and keeps what came out.
func examine(ctx context.Context, cfg Config, m *sandbox.Maker, missing map[string]string) *Isolation {
	is := Examine(ctx, m, missing, cfg.Dir)
	if ctx.Err() != nil {
		return &is // the platform ends; that says nothing about sandboxes
	}
	before, err := readIsolation(earlierFile(cfg.Dir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		cfg.Log.Warn("the isolation report of the last start cannot be read", "err", err)
	}
	is.tell(cfg.Log, before)
	if err := is.save(cfg.Dir); err != nil {
		cfg.Log.Warn("the isolation report cannot be kept", "err", err)
	}
	return &is
}

// examine waits until every stack has answered: the attacks take a good part of a
// second of processor time, which a start does not have.
func (r *rooms) examine(ctx context.Context) {
	select {
	case <-r.answered:
		r.examined()
	case <-ctx.Done():
	}
}

// isolated is an error unless functions are isolated as one of them asks for. Who
// asks for nothing that can be had is answered at once; the first who does waits
// for the attacks, at a start too.
func (r *rooms) isolated(least string) error {
	const setting = "its minIsolation"
	if known := (&Isolation{Level: r.boxes.Level, Missing: r.missing}).enough(setting, least); known != nil || least == sandbox.None {
		return known
	}
	return r.examined().enough(setting, least)
}
