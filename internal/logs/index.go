package logs

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// maxStreams is how many streams of a group are known; of more, those that were
	// quiet for longest are forgotten, though their records are found as before.
	maxStreams = 10_000
	// stale is how old what is stored of a stream may become.
	stale = 30 * time.Second
)

// index is what is known of groups and streams. Its memory is right; the buckets
// follow.
type index struct {
	log             *slog.Logger
	groups, streams jetstream.KeyValue

	mu    sync.Mutex
	known map[string]*group
	kept  time.Time // when streams were stored last
}

// group is a log group. The fields up to Hidden are stored.
type group struct {
	Name      string            `json:"name"`
	Created   int64             `json:"created"` // milliseconds since 1970, as all times here
	Retention int               `json:"retention,omitempty"`
	Class     string            `json:"class,omitempty"`
	Protected bool              `json:"protected,omitempty"`
	Tags      map[string]string `json:"tags,omitempty"`
	// Hidden are the places up to which the records of streams are deleted.
	Hidden map[string]uint64 `json:"hiddenUpTo,omitempty"`
	// Earlier are likewise what an earlier version has kept.
	Earlier map[string]uint64 `json:"hidden,omitempty"`

	streams map[string]*stream
}

// stream is what is known of a log stream.
type stream struct {
	Created int64 `json:"created"`
	First   int64 `json:"first,omitempty"` // time of its first record
	Last    int64 `json:"last,omitempty"`
	Came    int64 `json:"came,omitempty"` // when the last was stored
	Bytes   int64 `json:"bytes,omitempty"`

	changed bool // since it was stored
}

// view is what a reader of a group has to know.
type view struct {
	hidden map[string]uint64
	oldest time.Time
}

func key(names ...string) string {
	for i, name := range names {
		names[i] = base64.RawURLEncoding.EncodeToString([]byte(name))
	}
	return strings.Join(names, ".")
}

func (x *index) open(ctx context.Context, s *Store, age time.Duration) (err error) {
	x.log, x.known, x.kept = s.Log, map[string]*group{}, time.Now()
	x.groups, err = s.State.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "log-groups", Storage: jetstream.FileStorage})
	if err != nil {
		return fmt.Errorf("open the log groups: %w", err)
	}
	x.streams, err = s.Streams.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "log-streams", Storage: jetstream.FileStorage, TTL: age})
	if err != nil {
		return fmt.Errorf("open the log streams: %w", err)
	}
	err = entries(ctx, x.groups, func(_ string, value []byte) error {
		g := &group{streams: map[string]*stream{}}
		if err := json.Unmarshal(value, g); err != nil {
			return err
		}
		x.known[g.Name] = g
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the log groups: %w", err)
	}
	err = entries(ctx, x.streams, func(key string, value []byte) error {
		of, name, _ := strings.Cut(key, ".")
		groupName, err1 := base64.RawURLEncoding.DecodeString(of)
		streamName, err2 := base64.RawURLEncoding.DecodeString(name)
		st := &stream{}
		if err := errors.Join(err1, err2, json.Unmarshal(value, st)); err != nil {
			return err
		}
		if g := x.known[string(groupName)]; g != nil {
			g.streams[string(streamName)] = st
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the log streams: %w", err)
	}
	return nil
}

// entries visits those of a bucket.
func entries(ctx context.Context, kv jetstream.KeyValue, visit func(key string, value []byte) error) error {
	w, err := kv.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return err
	}
	defer func() { _ = w.Stop() }()
	for {
		select {
		case e := <-w.Updates():
			if e == nil { // that was all
				return nil
			}
			if err := visit(e.Key(), e.Value()); err != nil {
				return fmt.Errorf("%s: %w", e.Key(), err)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// save stores a group, even if the caller leaves meanwhile; the lock is held.
func (x *index) save(ctx context.Context, g *group) error {
	doc, err := json.Marshal(g)
	if err != nil {
		return err
	}
	if _, err := x.groups.Put(context.WithoutCancel(ctx), key(g.Name), doc); err != nil {
		return fmt.Errorf("store log group %s: %w", g.Name, err)
	}
	return nil
}

// saveStream stores a stream, in the same way.
func (x *index) saveStream(ctx context.Context, g *group, name string) error {
	st := g.streams[name]
	doc, err := json.Marshal(st)
	if err != nil {
		return err
	}
	if _, err := x.streams.Put(context.WithoutCancel(ctx), key(g.Name, name), doc); err != nil {
		return fmt.Errorf("store log stream %s of %s: %w", name, g.Name, err)
	}
	st.changed = false
	return nil
}

// note takes in what has been stored. Groups and streams begin to be with their
// first record. After a crash it may have been told of them before.
func (x *index) note(ctx context.Context, seen tallies, again bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := time.Now().UnixMilli()
	for _, t := range seen.list {
		g := x.known[t.group]
		if g == nil {
			g = &group{Name: t.group, Created: now, streams: map[string]*stream{}}
			x.known[t.group] = g
			if err := x.save(ctx, g); err != nil {
				x.log.Error("a log group is not stored", "group", t.group, "err", err)
			}
		}
		st := g.streams[t.stream]
		fresh := st == nil
		switch {
		case t.records == 0 || again && !fresh:
			continue
		case fresh:
			g.crowd()
			st = &stream{Created: now}
			g.streams[t.stream] = st
		}
		if st.First == 0 || t.first < st.First {
			st.First = t.first
		}
		st.Last, st.Came = max(st.Last, t.last), now
		st.Bytes += t.bytes + overhead*int64(t.records)
		st.changed = true
		if fresh {
			if err := x.saveStream(ctx, g, t.stream); err != nil {
				x.log.Error("a log stream is not stored", "group", t.group, "stream", t.stream, "err", err)
			}
		}
	}
	if time.Since(x.kept) > stale {
		x.keepLocked(ctx)
	}
}

// crowd makes room for one more stream.
func (g *group) crowd() {
	if len(g.streams) < maxStreams {
		return
	}
	names := slices.SortedFunc(maps.Keys(g.streams), func(a, b string) int {
		return int(min(1, max(-1, g.streams[a].Last-g.streams[b].Last)))
	})
	for _, name := range names[:maxStreams/10] { // the bucket forgets them by age
		delete(g.streams, name)
	}
}

// keep stores what has changed of streams, if that was not done within a time.
func (x *index) keep(ctx context.Context, within time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if time.Since(x.kept) >= within {
		x.keepLocked(ctx)
	}
}

func (x *index) keepLocked(ctx context.Context) {
	x.kept = time.Now()
	for _, g := range x.known {
		for name, st := range g.streams {
			if !st.changed {
				continue
			}
			if err := x.saveStream(ctx, g, name); err != nil {
				x.log.Error("log streams are not stored", "err", err)
				return
			}
		}
	}
}

func (x *index) view(name string) view {
	x.mu.Lock()
	defer x.mu.Unlock()
	g := x.known[name]
	if g == nil {
		return view{}
	}
	v := view{hidden: maps.Clone(g.Hidden)}
	if g.Retention > 0 {
		v.oldest = time.Now().AddDate(0, 0, -g.Retention)
	}
	return v
}
