package accesslog

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/edge"
)

const (
	defaultEvery = time.Minute
	defaultBytes = 8 << 20
	defaultLimit = 512 << 20
	syncEvery    = time.Second
)

// spool gathers lines in files, one for each object that is to be. A file begins with
// a line of JSON that says which object that is.
type spool struct {
	log    *Log
	open   map[place]*file // of run alone
	synced time.Time
	made   bool // since then there are files of which the directory on disk may not know

	mu      sync.Mutex
	sealed  []target // what is to be put, the oldest first
	bytes   int64    // of all files
	putting string   // path of the one that is being put
	wake    chan struct{}
	ended   bool // there will be no more
}

// place is what lines of one file have in common.
type place struct {
	to           edge.LogTo
	distribution string
	hour         string
}

// target is an object that is to be put.
type target struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`

	path    string
	bytes   int64
	written time.Time // last, of what an earlier process has left
}

// file is one that lines are appended to.
type file struct {
	target
	*os.File
	born  time.Time
	dirty bool
	fresh []byte // lines that are to be written
	count int    // of fresh
}

// suffix of the files' names.
const suffix = ".lines"

func (l *Log) openSpool() (*spool, error) {
	s := &spool{log: l, open: map[place]*file{}, wake: make(chan struct{}, 1)}
	if err := os.MkdirAll(l.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("access log: %w", err)
	}
	names, err := filepath.Glob(filepath.Join(l.Dir, "*"+suffix))
	if err != nil {
		return nil, fmt.Errorf("access log: %w", err)
	}
	var left []target
	for _, path := range names {
		t, err := targetOf(path)
		if err != nil {
			// The first line was cut off, and with it all that were to follow.
			l.Log.Warn("a file of the access log holds nothing, and is removed", "file", path, "err", err)
			if err := os.Remove(path); err != nil {
				return nil, fmt.Errorf("access log: %w", err)
			}
			continue
		}
		left = append(left, t)
	}
	slices.SortFunc(left, func(a, b target) int { return a.written.Compare(b.written) })
	for _, t := range left {
		s.seal(t)
	}
	return s, nil
}

func targetOf(path string) (t target, err error) {
	f, err := os.Open(path)
	if err != nil {
		return t, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return t, err
	}
	line, err := bufio.NewReader(f).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &t)
	}
	if err == nil && (t.Bucket == "" || t.Key == "") {
		err = errors.New("it does not say where it belongs")
	}
	t.path, t.bytes, t.written = path, info.Size(), info.ModTime()
	return t, err
}

// run writes lines until ctx ends and all are written, then leaves every file to be put.
func (s *spool) run(ctx context.Context) {
	for {
		timer := time.NewTimer(s.next())
		last := s.log.objects.wait(ctx, timer.C)
		timer.Stop()
		records, lost := s.log.objects.take(last)
		s.log.lose(toObjects, lost)
		s.write(records)
		now := time.Now()
		if now.Sub(s.synced) >= syncEvery {
			s.sync(now)
		}
		done := last && len(records) == 0
		for p, f := range s.open {
			if done || now.Sub(f.born) >= cmp.Or(s.log.Every, defaultEvery) || f.bytes >= cmp.Or(s.log.Bytes, defaultBytes) {
				s.close(p, f)
			}
		}
		if done {
			s.mu.Lock()
			s.ended = true
			s.mu.Unlock()
			s.signal()
			return
		}
	}
}

// next is how long until something is to be done with the open files.
func (s *spool) next() time.Duration {
	next := time.Hour
	for _, f := range s.open {
		next = min(next, time.Until(f.born.Add(cmp.Or(s.log.Every, defaultEvery))))
		if f.dirty {
			next = min(next, time.Until(s.synced.Add(syncEvery)))
		}
	}
	return max(next, 0)
}

// write appends records to their files.
func (s *spool) write(records []*edge.AccessRecord) {
	places := map[string]*edge.LogTo{}
	var missed int // for which there is no file
	var why error
	for _, r := range records {
		to, known := places[r.Distribution]
		if !known {
			if r.Distribution != "" {
				to = s.log.Destination(r.Distribution)
			}
			places[r.Distribution] = to
		}
		if to == nil {
			continue
		}
		p := place{*to, r.Distribution, ended(r).Format("2006-01-02-15")}
		f := s.open[p]
		if f == nil && why == nil {
			if f, why = s.create(p); why == nil {
				s.open[p] = f
			}
		}
		if f == nil {
			missed++
			continue
		}
		f.fresh = AppendLine(f.fresh, r)
		f.count++
	}
	s.log.lose(toObjects, missed, "err", why)
	for p, f := range s.open {
		if f.count == 0 {
			continue
		}
		n, err := f.Write(f.fresh)
		f.bytes += int64(n)
		f.dirty = true
		s.grow(int64(n))
		if err != nil { // what was written of them has no end of line, or goes into the object
			s.log.lose(toObjects, f.count-bytes.Count(f.fresh[:n], []byte("\n")), "err", err)
			s.close(p, f)
		}
		f.fresh, f.count = f.fresh[:0], 0
	}
}

// create makes a file. Its last eight digits make the object's name one of its kind.
func (s *spool) create(p place) (*file, error) {
	var unique [4]byte
	rand.Read(unique[:])
	name := p.distribution + "." + p.hour + "." + hex.EncodeToString(unique[:])
	t := target{Bucket: p.to.Bucket, Key: name + ".gz", path: filepath.Join(s.log.Dir, url.PathEscape(name)+suffix)}
	if prefix := strings.TrimSuffix(p.to.Prefix, "/"); prefix != "" {
		t.Key = prefix + "/" + t.Key
	}
	head, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(t.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(append(head, '\n')); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(t.path))
	}
	s.made = true
	t.bytes = int64(len(head) + 1)
	s.grow(t.bytes)
	return &file{target: t, File: f, born: time.Now()}, nil
}

// sync has the disk hold what was written.
func (s *spool) sync(now time.Time) {
	s.synced = now
	for _, f := range s.open {
		s.hold(f)
	}
	if !s.made {
		return
	}
	s.made = false
	dir, err := os.Open(s.log.Dir)
	if err == nil {
		err = errors.Join(dir.Sync(), dir.Close())
	}
	if err != nil {
		s.log.Log.Error("access log not synced", "dir", s.log.Dir, "err", err)
	}
}

func (s *spool) hold(f *file) {
	if !f.dirty {
		return
	}
	f.dirty = false
	if err := f.Sync(); err != nil {
		s.log.Log.Error("access log not synced", "file", f.path, "err", err)
	}
}

// close ends a file, which is to be put then.
func (s *spool) close(p place, f *file) {
	delete(s.open, p)
	s.hold(f)
	if err := f.Close(); err != nil {
		s.log.Log.Error("access log not closed", "file", f.path, "err", err)
	}
	s.mu.Lock()
	s.bytes -= f.bytes // as seal adds it
	s.mu.Unlock()
	s.seal(f.target)
}
