// Package monitortest is a disk for tests of monitors and comparisons.
package monitortest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
)

// Memory is KV buckets without a server, for inside a bubble. It outlives a room, as a
// disk does.
type Memory struct {
	mu      sync.Mutex
	buckets map[string]*bucket
	full    bool // nothing can be written
}

type bucket struct {
	jetstream.KeyValue
	m    *Memory
	docs map[string][]byte
}

type entry struct {
	jetstream.KeyValueEntry
	key   string
	value []byte
}

func (e entry) Key() string   { return e.key }
func (e entry) Value() []byte { return e.value }

type watcher struct{ updates chan jetstream.KeyValueEntry }

func (w *watcher) Updates() <-chan jetstream.KeyValueEntry { return w.updates }
func (w *watcher) Stop() error                             { return nil }

// Stored is what is in a bucket, by its keys.
func (m *Memory) Stored(name string) map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.buckets[name].docs)
}

// Fill has nothing be written any more, or again.
func (m *Memory) Fill(full bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.full = full
}

// CreateOrUpdateKeyValue is the bucket of that name.
func (m *Memory) CreateOrUpdateKeyValue(_ context.Context, cfg jetstream.KeyValueConfig) (jetstream.KeyValue, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.buckets == nil {
		m.buckets = map[string]*bucket{}
	}
	if m.buckets[cfg.Bucket] == nil {
		m.buckets[cfg.Bucket] = &bucket{m: m, docs: map[string][]byte{}}
	}
	return m.buckets[cfg.Bucket], nil
}

func (b *bucket) Get(_ context.Context, key string) (jetstream.KeyValueEntry, error) {
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	if doc, there := b.docs[key]; there {
		return entry{key: key, value: doc}, nil
	}
	return nil, jetstream.ErrKeyNotFound
}

func (b *bucket) Put(_ context.Context, key string, value []byte) (uint64, error) {
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	if b.m.full {
		return 0, jetstream.ErrJetStreamNotEnabled
	}
	b.docs[key] = slices.Clone(value)
	return 1, nil
}

func (b *bucket) Purge(_ context.Context, key string, _ ...jetstream.KVDeleteOpt) error {
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	delete(b.docs, key)
	return nil
}

func (b *bucket) Watch(_ context.Context, keys string, _ ...jetstream.WatchOpt) (jetstream.KeyWatcher, error) {
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	w := &watcher{make(chan jetstream.KeyValueEntry, len(b.docs)+1)}
	for key, doc := range b.docs {
		if strings.HasPrefix(key, strings.TrimSuffix(keys, ">")) {
			w.updates <- entry{key: key, value: doc}
		}
	}
	w.updates <- nil
	return w, nil
}
