package reputation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/dropstack/dropstack/internal/durable"
	"github.com/dropstack/dropstack/internal/edge/waf"
	"github.com/dropstack/dropstack/internal/fault"
)

// Lists are the reputation lists of a data directory.
type Lists struct {
	Dir    string // the data directory
	Log    *slog.Logger
	Client *http.Client // nil: one that waits a minute

	current   atomic.Pointer[table]
	published string // by what current has been made, see stamp
}

// table is who is listed, at one moment.
type table struct{ listed, allowed waf.Ranges }

// State is what is known of a list.
type State struct {
	Name      string    `json:"name"`
	From      string    `json:"from"` // URL or file
	ETag      string    `json:"etag,omitempty"`
	Modified  string    `json:"modified,omitempty"` // as the source says it
	Asked     time.Time `json:"asked,omitzero"`     // when the source was asked last
	Good      time.Time `json:"good,omitzero"`      // when the list that holds came
	Addresses int       `json:"addresses"`
	LeftOut   int       `json:"leftOut,omitempty"` // that no list may have
	Notice    string    `json:"notice,omitempty"`
	Err       string    `json:"err,omitempty"` // why the last answer was refused
}

// look is how often the configuration and files are looked at.
const look = time.Minute

// Contains says whether a list has the address. Nobody whom the operator allows is
// listed.
func (l *Lists) Contains(client netip.Addr) bool {
	t := l.current.Load()
	return t != nil && t.listed.Contains(client) && !t.allowed.Contains(client)
}

// Load takes up what is stored.
func (l *Lists) Load() error {
	c, err := Read(l.Dir)
	if err != nil {
		return err
	}
	return l.publish(c)
}

// Run keeps the lists fresh until ctx ends. A list that cannot be had is said in the
// log, and asked for again when it is due.
func (l *Lists) Run(ctx context.Context) error {
	for {
		if err := l.Refresh(ctx, time.Now()); err != nil && ctx.Err() == nil {
			l.Log.Error("the reputation lists stay as they are", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(look):
		}
	}
}

// Refresh asks for the lists that are due.
func (l *Lists) Refresh(ctx context.Context, now time.Time) error {
	c, err := Read(l.Dir)
	if err != nil {
		return err
	}
	for i := range c.Lists {
		if err := l.refresh(ctx, &c.Lists[i], now); err != nil {
			return err
		}
	}
	return l.publish(c)
}

// publish makes what is stored of the lists what clients are looked for in.
func (l *Lists) publish(c Config) error {
	stamp := l.stamp(c)
	if stamp == l.published {
		return nil
	}
	var all []netip.Prefix
	for i := range c.Lists {
		doc, err := os.ReadFile(l.path(c.Lists[i].Name, ".list"))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		list, err := Parse(doc)
		if err != nil {
			return err
		}
		all = append(all, list.Prefixes...)
	}
	allowed, err := c.allowed()
	if err != nil {
		return err
	}
	l.current.Store(&table{waf.MakeRanges(all), waf.MakeRanges(allowed)})
	l.published = stamp
	return nil
}

// stamp changes when the configuration does, or a stored list.
func (l *Lists) stamp(c Config) string {
	out := fmt.Sprint(c.Lists, c.Allow)
	for i := range c.Lists {
		if info, err := os.Stat(l.path(c.Lists[i].Name, ".list")); err == nil {
			out += fmt.Sprint(info.ModTime(), info.Size())
		}
	}
	return out
}

func (l *Lists) path(name, ending string) string {
	return filepath.Join(l.Dir, "reputation", name+ending)
}

// States are what is known of the lists that the configuration names.
func (l *Lists) States() ([]State, error) {
	c, err := Read(l.Dir)
	if err != nil {
		return nil, err
	}
	out := make([]State, len(c.Lists))
	for i := range c.Lists {
		if out[i], err = l.state(&c.Lists[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// state is what is stored of a list; of another source than now, nothing counts.
func (l *Lists) state(s *Source) (State, error) {
	fresh := State{Name: s.Name, From: s.URL + s.File}
	doc, err := os.ReadFile(l.path(s.Name, ".json"))
	if errors.Is(err, os.ErrNotExist) {
		return fresh, nil
	}
	var known State
	if err == nil {
		err = json.Unmarshal(doc, &known)
	}
	if err != nil || known.From != fresh.From {
		return fresh, err
	}
	return known, nil
}

// refresh asks for one list if it is due. What is wrong with the list is its state;
// an error is ours.
func (l *Lists) refresh(ctx context.Context, s *Source, now time.Time) error {
	known, err := l.state(s)
	if err != nil {
		return err
	}
	var doc []byte
	next := known
	if s.File != "" {
		doc, err = l.reread(s, &next)
	} else {
		every := s.every
		if known.Err != "" { // a source that was away for a moment is not waited for all day
			every = Soonest
		}
		if since := now.Sub(known.Asked); since >= 0 && since < every {
			return nil
		}
		doc, err = l.fetch(ctx, s, &next)
	}
	if ctx.Err() != nil {
		return nil
	}
	if err == nil && doc == nil && s.File != "" {
		return nil
	}
	next.Asked, next.Err = now.UTC(), ""
	if err == nil && doc == nil { // as it was
		return l.remember(next)
	}
	var list List
	if err == nil {
		list, err = Parse(doc)
	}
	if err == nil {
		err = shrunken(len(list.Prefixes), known.Addresses)
	}
	if err != nil {
		if known.Err == err.Error() && s.File != "" { // said already
			return nil
		}
		l.Log.Warn("a reputation list is refused; the last good one stays", "list", s.Name, "from", s.URL+s.File, "err", err)
		known.Asked, known.Err = next.Asked, err.Error()
		return l.remember(known)
	}
	next.Good, next.Addresses, next.LeftOut, next.Notice = next.Asked, len(list.Prefixes), list.LeftOut, list.Notice
	if err := os.MkdirAll(filepath.Join(l.Dir, "reputation"), 0o700); err != nil {
		return err
	}
	if err := durable.WriteFile(l.path(s.Name, ".list"), doc, 0o600); err != nil {
		return err
	}
	l.Log.Info("a reputation list is taken up", "list", s.Name, "addresses", next.Addresses, "left_out", next.LeftOut)
	return l.remember(next)
}

// shrunken refuses a list of less than half of what it had.
func shrunken(now, before int) error {
	if now*2 < before {
		return fault.Errorf(fault.Invalid, "it has %d addresses and had %d; if that is right, remove the list and add it again", now, before)
	}
	return nil
}

func (l *Lists) remember(s State) error {
	doc, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(l.Dir, "reputation"), 0o700); err != nil {
		return err
	}
	return durable.WriteFile(l.path(s.Name, ".json"), doc, 0o600)
}

// reread reads a file that has changed; nil if it has not.
func (l *Lists) reread(s *Source, next *State) ([]byte, error) {
	info, err := os.Stat(s.File)
	if err != nil {
		return nil, err
	}
	changed := info.ModTime().UTC().Format(time.RFC3339Nano)
	if changed == next.Modified && next.Addresses > 0 {
		return nil, nil
	}
	f, err := os.Open(s.File)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	next.Modified = changed
	return limited(f)
}

// fetch asks a URL; nil if nothing has changed since.
func (l *Lists) fetch(ctx context.Context, s *Source, next *State) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "dropstack")
	if next.ETag != "" {
		req.Header.Set("If-None-Match", next.ETag)
	}
	if next.Modified != "" {
		req.Header.Set("If-Modified-Since", next.Modified)
	}
	client := l.Client
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusNotModified && next.Addresses > 0 {
		return nil, nil
	}
	if res.StatusCode != http.StatusOK {
		return nil, fault.Errorf(fault.Unavailable, "the source answers %s", res.Status)
	}
	next.ETag, next.Modified = res.Header.Get("ETag"), res.Header.Get("Last-Modified")
	return limited(res.Body)
}

func limited(r io.Reader) ([]byte, error) {
	doc, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err == nil && len(doc) > maxSize {
		err = fault.Errorf(fault.TooLarge, "it is larger than %d bytes", maxSize)
	}
	return doc, err
}

// write stores the configuration.
func write(dir string, c Config) error {
	doc, err := yaml.Marshal(c)
	if err != nil {
		return err
	}
	return durable.WriteFile(Path(dir), doc, 0o600)
}

// Forget removes what is stored of a list.
func Forget(dir, name string) error {
	var errs []error
	for _, ending := range []string{".list", ".json"} {
		if err := os.Remove(filepath.Join(dir, "reputation", name+ending)); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
