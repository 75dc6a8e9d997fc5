package ban_test

import (
	"context"
	"slices"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
)

// memory is a KV bucket without a server, for inside a bubble. The tests of what is
// stored run on it and on the engine.
type memory struct {
	jetstream.KeyValue

	mu       sync.Mutex
	last     uint64
	docs     map[string]stored
	watchers []*watcher
}

type stored struct {
	jetstream.KeyValueEntry
	key      string
	value    []byte
	revision uint64
}

func (e stored) Key() string      { return e.key }
func (e stored) Value() []byte    { return e.value }
func (e stored) Revision() uint64 { return e.revision }
func (e stored) Operation() jetstream.KeyValueOp {
	if e.value == nil {
		return jetstream.KeyValuePurge
	}
	return jetstream.KeyValuePut
}

type watcher struct{ updates chan jetstream.KeyValueEntry }

func (w *watcher) Updates() <-chan jetstream.KeyValueEntry { return w.updates }
func (w *watcher) Stop() error                             { return nil }

func (m *memory) CreateOrUpdateKeyValue(context.Context, jetstream.KeyValueConfig) (jetstream.KeyValue, error) {
	return m, nil
}

func (m *memory) Get(_ context.Context, key string) (jetstream.KeyValueEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.docs[key]; ok && e.value != nil {
		return e, nil
	}
	return nil, jetstream.ErrKeyNotFound
}

func (m *memory) Create(_ context.Context, key string, value []byte, _ ...jetstream.KVCreateOpt) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.docs[key].value != nil {
		return 0, jetstream.ErrKeyExists
	}
	return m.set(key, value), nil
}

func (m *memory) Update(_ context.Context, key string, value []byte, revision uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.docs[key].revision != revision {
		return 0, jetstream.ErrKeyExists
	}
	return m.set(key, value), nil
}

func (m *memory) Purge(_ context.Context, key string, _ ...jetstream.KVDeleteOpt) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(key, nil)
	return nil
}

func (m *memory) set(key string, value []byte) uint64 {
	m.last++
	e := stored{key: key, value: slices.Clone(value), revision: m.last}
	if m.docs == nil {
		m.docs = map[string]stored{}
	}
	m.docs[key] = e
	for _, w := range m.watchers {
		w.updates <- e
	}
	return m.last
}

func (m *memory) WatchAll(context.Context, ...jetstream.WatchOpt) (jetstream.KeyWatcher, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := &watcher{make(chan jetstream.KeyValueEntry, len(m.docs)+4096)}
	m.watchers = append(m.watchers, w)
	for _, e := range m.docs {
		w.updates <- e
	}
	w.updates <- nil
	return w, nil
}
