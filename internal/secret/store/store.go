// Package store keeps the room's records by key in a bucket of the durable
// JetStream, with compare-and-set by revision.
//
// A write is one synced message, so after a crash a record is the old one or the
// new one. What is erased is overwritten on the disk. What an update replaces is
// only dropped, and its bytes may linger until the engine packs its files:
// records are sealed by those who write them.
package store

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
)

// ErrChanged says that a record is not at the expected revision: somebody else
// made, changed or erased it.
var ErrChanged = fault.Errorf(fault.Conflict, "the record has changed meanwhile; try again")

// ErrMissing says that there is no record of the key.
var ErrMissing = fault.Errorf(fault.NotFound, "no such record")

// Record is what a bucket keeps under a key.
type Record struct {
	Key      string
	Value    []byte
	Revision uint64
}

// Bucket is a set of records. It is safe for concurrent use; what was written is
// on the disk when a method returns.
type Bucket interface {
	// Load returns all records, in no order.
	Load(ctx context.Context) ([]Record, error)
	// Get returns one record, or ErrMissing.
	Get(ctx context.Context, key string) (Record, error)
	// Create writes a record that is not there yet, else ErrChanged.
	Create(ctx context.Context, key string, value []byte) (revision uint64, err error)
	// Update replaces the record of that revision, else ErrChanged.
	Update(ctx context.Context, key string, value []byte, revision uint64) (next uint64, err error)
	// Erase overwrites the record of that revision and removes it, else
	// ErrChanged.
	Erase(ctx context.Context, key string, revision uint64) error
}

// Key joins parts, which may hold any bytes, to the key of a record.
func Key(kind string, parts ...string) string {
	for _, part := range parts {
		kind += "." + base64.RawURLEncoding.EncodeToString([]byte(part))
	}
	return kind
}

// Parts returns the parts that Key joined.
func Parts(key string) (kind string, parts []string, err error) {
	kind, rest, more := cut(key)
	for more {
		var part string
		part, rest, more = cut(rest)
		text, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			return "", nil, fmt.Errorf("key %q of the store: %w", key, err)
		}
		parts = append(parts, string(text))
	}
	return kind, parts, nil
}

func cut(key string) (first, rest string, more bool) {
	for i := range len(key) {
		if key[i] == '.' {
			return key[:i], key[i+1:], true
		}
	}
	return key, "", false
}

// Open opens a bucket, and makes it at the first start. It is a key-value bucket
// to all who read it, except that its records may be deleted, as key-value
// buckets only allow markers over them.
func Open(ctx context.Context, streams jetstream.JetStream, name string) (Bucket, error) {
	stream, err := streams.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: "KV_" + name, Subjects: []string{"$KV." + name + ".>"},
		MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew,
		AllowRollup: true, AllowDirect: true, Storage: jetstream.FileStorage,
	})
	if err != nil {
		return nil, fmt.Errorf("open the bucket %s: %w", name, err)
	}
	kv, err := streams.KeyValue(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("open the bucket %s: %w", name, err)
	}
	return &bucket{kv: kv, stream: stream}, nil
}

type bucket struct {
	kv     jetstream.KeyValue
	stream jetstream.Stream
}

func (b *bucket) Load(ctx context.Context) (_ []Record, err error) {
	watch, err := b.kv.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, fmt.Errorf("read the bucket %s: %w", b.kv.Bucket(), err)
	}
	defer func() { err = errors.Join(err, watch.Stop()) }()
	var all []Record
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case entry, open := <-watch.Updates():
			if !open {
				return nil, fmt.Errorf("read the bucket %s: the connection was lost", b.kv.Bucket())
			}
			if entry == nil { // that was all
				return all, nil
			}
			all = append(all, Record{entry.Key(), entry.Value(), entry.Revision()})
		}
	}
}

func (b *bucket) Get(ctx context.Context, key string) (Record, error) {
	entry, err := b.kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return Record{}, ErrMissing
	}
	if err != nil {
		return Record{}, fmt.Errorf("read a record of %s: %w", b.kv.Bucket(), err)
	}
	return Record{key, entry.Value(), entry.Revision()}, nil
}

func (b *bucket) Create(ctx context.Context, key string, value []byte) (uint64, error) {
	return b.Update(ctx, key, value, 0)
}

func (b *bucket) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	next, err := b.kv.Update(ctx, key, value, revision)
	if errors.Is(err, jetstream.ErrKeyExists) { // how the client calls a wrong revision
		return 0, ErrChanged
	}
	if err != nil {
		return 0, fmt.Errorf("write a record of %s: %w", b.kv.Bucket(), err)
	}
	return next, nil
}

func (b *bucket) Erase(ctx context.Context, key string, revision uint64) error {
	at, err := b.Get(ctx, key)
	if err != nil && !errors.Is(err, ErrMissing) {
		return err
	}
	if err != nil || at.Revision != revision {
		return ErrChanged
	}
	if err := b.stream.SecureDeleteMsg(ctx, revision); err != nil {
		if now, again := b.Get(ctx, key); errors.Is(again, ErrMissing) || again == nil && now.Revision != revision {
			return ErrChanged // between the two calls
		}
		return fmt.Errorf("erase a record of %s: %w", b.kv.Bucket(), err)
	}
	return nil
}
