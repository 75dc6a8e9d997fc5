package cache

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dropstack/dropstack/internal/durable"
	"github.com/dropstack/dropstack/internal/fault"
)

// Invalidate makes what is stored of the paths in the zone unusable. A path counts
// with its case and, where the query is part of the key, with the query; a final "*"
// stands for any rest. Every variant goes, also of responses that are on their way. When
// it returns this is on the disk.
func (c *Cache) Invalidate(ctx context.Context, zone string, paths []string) error {
	if len(paths) == 0 {
		return fault.Errorf(fault.Invalid, "no paths to invalidate; give one, or /* for everything")
	}
	for _, p := range paths {
		if len(p) > 4000 || p == "" {
			return fault.Errorf(fault.Invalid, "a path to invalidate must have 1 to 4000 characters, not %d", len(p))
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.invalidations.add(zone, paths)
}

// Purge makes everything that is stored of the zone unusable.
func (c *Cache) Purge(zone string) error { return c.invalidations.add(zone, []string{"/*"}) }

// invalidations are those that stored responses have to be compared with. Each has a
// number, the next; a response has the number of the last one when it was asked for,
// and is unusable when a later one names it. So an invalidation costs one record
// however much is stored, and misses nothing that is in a file or still in flight.
type invalidations struct {
	mu      sync.Mutex
	path    string // of the log; "": none
	log     *os.File
	lines   int
	lost    bool // the log could not be read
	current atomic.Pointer[invalidated]
}

// invalidated never changes.
type invalidated struct {
	last  uint64
	zones map[string]*patterns
}

type patterns struct {
	all      uint64 // everything up to this number
	exact    map[string]uint64
	prefixes map[string]uint64
}

// record is a line of the log.
type record struct {
	Number uint64   `json:"number"`
	Zone   string   `json:"zone"`
	Paths  []string `json:"paths"`
}

const (
	maxPatterns = 3000 // of a zone; CloudFront's limit of those in progress
	maxLines    = 2000 // of the log before it is written anew
)

func openInvalidations(dir string) (*invalidations, error) {
	v := &invalidations{}
	now := &invalidated{zones: map[string]*patterns{}}
	v.current.Store(now)
	if dir == "" {
		return v, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	v.path = filepath.Join(dir, "invalidations")
	content, err := os.ReadFile(v.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	// A last line without its end was never acknowledged.
	content = content[:bytes.LastIndexByte(content, '\n')+1]
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, len(content)+1)
	for lines.Scan() {
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil || r.Number < now.last {
			v.lost = true
			break
		}
		now = now.with(r)
	}
	v.current.Store(now)
	return v, v.rewrite()
}

func (v *invalidations) now() uint64 { return v.current.Load().last }

// add writes the record and makes it count, in this order.
func (v *invalidations) add(zone string, paths []string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.current.Load()
	r := record{now.last + 1, zone, paths}
	if v.path != "" && v.log == nil { // an earlier write failed
		if err := v.rewrite(); err != nil {
			return err
		}
	}
	if v.log != nil {
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if _, err := v.log.Write(append(line, '\n')); err != nil {
			return errors.Join(err, v.rewrite()) // half a line must not precede others
		}
		if err := v.log.Sync(); err != nil {
			return err
		}
		v.lines++
	}
	v.current.Store(now.with(r))
	if v.lines > maxLines {
		return v.rewrite()
	}
	return nil
}

// rewrite replaces the log by one that says the same in as few lines as it takes.
func (v *invalidations) rewrite() error {
	if v.path == "" {
		return nil
	}
	now := v.current.Load()
	byNumber := map[uint64]map[string][]string{}
	put := func(n uint64, zone, pattern string) {
		if byNumber[n] == nil {
			byNumber[n] = map[string][]string{}
		}
		byNumber[n][zone] = append(byNumber[n][zone], pattern)
	}
	for name, z := range now.zones {
		if z.all > 0 {
			put(z.all, name, "/*")
		}
		for p, n := range z.exact {
			put(n, name, url.PathEscape(p))
		}
		for p, n := range z.prefixes {
			put(n, name, url.PathEscape(p)+"*")
		}
	}
	var b bytes.Buffer
	for _, n := range slices.Sorted(maps.Keys(byNumber)) {
		for zone, paths := range byNumber[n] {
			line, err := json.Marshal(record{n, zone, paths})
			if err != nil {
				return err
			}
			b.Write(append(line, '\n'))
		}
	}
	if err := errors.Join(v.close(), durable.WriteFile(v.path, b.Bytes(), 0o600)); err != nil {
		return err
	}
	log, err := os.OpenFile(v.path, os.O_WRONLY|os.O_APPEND, 0o600)
	v.log, v.lines = log, len(byNumber)
	return err
}

func (v *invalidations) close() error {
	if v.log == nil {
		return nil
	}
	log := v.log
	v.log = nil
	return log.Close()
}

// with is what counts when one more does.
func (i *invalidated) with(r record) *invalidated {
	next := &invalidated{last: r.Number, zones: maps.Clone(i.zones)}
	z := &patterns{exact: map[string]uint64{}, prefixes: map[string]uint64{}}
	if old := i.zones[r.Zone]; old != nil {
		z.all, z.exact, z.prefixes = old.all, maps.Clone(old.exact), maps.Clone(old.prefixes)
	}
	for _, p := range r.Paths {
		prefix, wild := strings.CutSuffix(p, "*")
		p = plain(prefix)
		switch {
		case wild && p == "/":
			z.all = r.Number
			clear(z.exact)
			clear(z.prefixes)
		case wild:
			z.prefixes[p] = r.Number
		default:
			z.exact[p] = r.Number
		}
	}
	if len(z.exact)+len(z.prefixes) > maxPatterns {
		z.coarsen()
	}
	next.zones[r.Zone] = z
	return next
}

// coarsen bounds what has to be compared: the older half of the patterns becomes
// "everything that old", which costs fetches and serves nothing wrong.
func (z *patterns) coarsen() {
	numbers := slices.Concat(slices.Collect(maps.Values(z.exact)), slices.Collect(maps.Values(z.prefixes)))
	slices.Sort(numbers)
	z.all = max(z.all, numbers[len(numbers)/2])
	old := func(_ string, n uint64) bool { return n <= z.all }
	maps.DeleteFunc(z.exact, old)
	maps.DeleteFunc(z.prefixes, old)
}

// plain is a path in the form in which paths are compared: with a slash in front, and
// "%41" as "A".
func plain(p string) string {
	if !strings.HasPrefix(p, "/") && !strings.HasPrefix(p, "%2F") {
		p = "/" + p
	}
	path, query, has := strings.Cut(p, "?")
	if strings.Contains(path, "%") {
		if s, err := url.PathUnescape(path); err == nil {
			path = s
		}
	}
	if has {
		return path + "?" + query
	}
	return path
}

// concern says whether the object must not be used any more.
func (v *invalidations) concern(o *object) bool {
	now := v.current.Load()
	if o.checked.Load() >= now.last {
		return false
	}
	if now.name(o.seq, o.zone, o.path, o.query) {
		return true
	}
	o.checked.Store(now.last)
	return false
}

// since says whether an invalidation after the one with the number names the path.
func (v *invalidations) since(number uint64, zone, path, query string) bool {
	now := v.current.Load()
	return now.last > number && now.name(number, zone, path, query)
}

func (i *invalidated) name(after uint64, zone, path, query string) bool {
	z := i.zones[zone]
	if z == nil {
		return false
	}
	if z.all > after {
		return true
	}
	if query != "" {
		path += "?" + query
	}
	path = plain(path)
	if z.exact[path] > after {
		return true
	}
	for prefix, n := range z.prefixes {
		if n > after && strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}
