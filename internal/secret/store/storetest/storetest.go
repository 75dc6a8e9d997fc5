// Package storetest gives tests a store in memory, for those that run in a bubble
// of synctest or must fail a certain write.
package storetest

import (
	"context"
	"slices"
	"sync"

	"github.com/dropstack/dropstack/internal/secret/store"
)

// Memory is a store.Bucket in memory. The zero value is empty.
type Memory struct {
	mu       sync.Mutex // guards what follows
	fail     func() error
	records  map[string]store.Record
	revision uint64
}

// Fail has check asked before each write: an error is what the write returns,
// undone. Nil ends that.
func (m *Memory) Fail(check func() error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = check
}

// Load implements store.Bucket.
func (m *Memory) Load(context.Context) ([]store.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []store.Record
	for _, r := range m.records {
		all = append(all, copied(r))
	}
	return all, nil
}

// Get implements store.Bucket.
func (m *Memory) Get(_ context.Context, key string) (store.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.records[key]
	if !ok {
		return store.Record{}, store.ErrMissing
	}
	return copied(r), nil
}

// Create implements store.Bucket.
func (m *Memory) Create(ctx context.Context, key string, value []byte) (uint64, error) {
	return m.Update(ctx, key, value, 0)
}

// Update implements store.Bucket.
func (m *Memory) Update(_ context.Context, key string, value []byte, revision uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.write(key, revision); err != nil {
		return 0, err
	}
	if m.records == nil {
		m.records = map[string]store.Record{}
	}
	m.revision++
	m.records[key] = store.Record{Key: key, Value: slices.Clone(value), Revision: m.revision}
	return m.revision, nil
}

// Erase implements store.Bucket.
func (m *Memory) Erase(_ context.Context, key string, revision uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if revision == 0 {
		return store.ErrChanged
	}
	if err := m.write(key, revision); err != nil {
		return err
	}
	delete(m.records, key)
	return nil
}

func (m *Memory) write(key string, revision uint64) error {
	if m.fail != nil {
		if err := m.fail(); err != nil {
			return err
		}
	}
	if m.records[key].Revision != revision {
		return store.ErrChanged
	}
	return nil
}

func copied(r store.Record) store.Record {
	r.Value = slices.Clone(r.Value)
	return r
}
