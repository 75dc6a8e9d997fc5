package secret

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/secret/store"
)

// record is what is stored about a parameter, sealed, as JSON.
type record struct {
	Name     string            `json:"name"`
	Tags     map[string]string `json:"tags,omitempty"`
	Policies string            `json:"policies,omitempty"` // JSON, as given
	Expires  time.Time         `json:"expires,omitzero"`
	Versions []version         `json:"versions"` // oldest first, never empty
}

// version is one value of a parameter.
type version struct {
	Number         int64     `json:"number"`
	Type           string    `json:"type"`
	Tier           string    `json:"tier"`
	DataType       string    `json:"dataType"`
	KeyID          string    `json:"keyId,omitempty"` // as given
	Description    string    `json:"description,omitempty"`
	AllowedPattern string    `json:"allowedPattern,omitempty"`
	Policies       string    `json:"policies,omitempty"`
	Modified       time.Time `json:"modified"`
	User           string    `json:"user,omitempty"` // ARN
	Labels         []string  `json:"labels,omitempty"`
	// Value is text, or the ciphertext of a SecureString bound to ARN.
	Value []byte `json:"value"`
	ARN   string `json:"arn,omitempty"` // of the parameter when the value was encrypted
}

// last is the newest version.
func (r *record) last() *version { return &r.Versions[len(r.Versions)-1] }

// expired reports whether the parameter is gone, though it may not have been
// removed yet.
func (r *record) expired() bool { return !r.Expires.IsZero() && !time.Now().Before(r.Expires) }

const parameterKind = "parameter"

// Load reads every parameter. One that cannot be read is logged and is not there;
// a new value cannot be put in its place.
func (p *Parameters) Load(ctx context.Context) error {
	p.records = p.Kept.Sealer("parameter")
	p.tokens = p.Kept.Derive("parameter paging tokens", 32)
	p.wake = make(chan struct{}, 1)
	all, err := p.Bucket.Load(ctx)
	if err != nil {
		return err
	}
	var read []record
	for _, at := range all {
		r, err := p.unseal(at)
		if err != nil {
			_, parts, _ := store.Parts(at.Key)
			p.Log.Error("parameter not read", "parameter", parts, "err", err)
			continue
		}
		read = append(read, r)
	}
	p.index.fill(read)
	return nil
}

func (p *Parameters) unseal(at store.Record) (record, error) {
	doc, err := p.records.Open(at.Value, []byte(at.Key))
	if err != nil {
		return record{}, err
	}
	var r record
	if err := json.Unmarshal(doc, &r); err != nil {
		return record{}, err
	}
	if len(r.Versions) == 0 || store.Key(parameterKind, r.Name) != at.Key {
		return record{}, errors.New("the record of a parameter is not complete")
	}
	return r, nil
}

// read returns a parameter with its values, and the revision to change it at. A
// parameter that is not there, or not any more, has no versions.
func (p *Parameters) read(ctx context.Context, name string) (record, uint64, error) {
	at, err := p.Bucket.Get(ctx, store.Key(parameterKind, name))
	if errors.Is(err, store.ErrMissing) {
		return record{Name: name}, 0, nil
	}
	if err != nil {
		return record{}, 0, err
	}
	r, err := p.unseal(at)
	if err != nil {
		return record{}, 0, fault.Errorf(fault.Internal, "parameter %s: %w", name, err)
	}
	if r.expired() {
		return record{Name: name}, at.Revision, nil
	}
	return r, at.Revision, nil
}

// attempts is how often a change is tried that others overtake.
const attempts = 5

// change reads a parameter, has edit change it, and writes it over the revision
// that it was read at.
func (p *Parameters) change(ctx context.Context, name string, edit func(*record) error) (record, error) {
	writer := p.writer(name)
	writer.Lock()
	defer writer.Unlock()
	for range attempts {
		r, revision, err := p.read(ctx, name)
		if err != nil {
			return record{}, err
		}
		if err := edit(&r); err != nil {
			return record{}, err
		}
		err = p.write(ctx, r, revision)
		if err == nil || !errors.Is(err, store.ErrChanged) {
			return r, err
		}
	}
	return record{}, fault.Coded(fault.Conflict, "TooManyUpdates", "parameter %s is being changed by others; try again", name)
}

func (p *Parameters) write(ctx context.Context, r record, revision uint64) error {
	doc, err := json.Marshal(r)
	if err != nil {
		return err
	}
	at := store.Key(parameterKind, r.Name)
	sealed, err := p.records.Seal(doc, []byte(at))
	if err != nil {
		return err
	}
	if _, err := p.Bucket.Update(ctx, at, sealed, revision); err != nil {
		return err
	}
	p.index.set(r)
	if !r.Expires.IsZero() {
		p.look()
	}
	return nil
}

// remove erases a parameter, if keep does not say otherwise, and reports whether
// there was one.
func (p *Parameters) remove(ctx context.Context, name string, keep func(record) bool) (bool, error) {
	writer := p.writer(name)
	writer.Lock()
	defer writer.Unlock()
	for range attempts {
		at, err := p.Bucket.Get(ctx, store.Key(parameterKind, name))
		if errors.Is(err, store.ErrMissing) {
			p.index.remove(name)
			return false, nil
		}
		if err != nil {
			return false, err
		}
		r, err := p.unseal(at)
		if err != nil {
			return false, fault.Errorf(fault.Internal, "parameter %s: %w", name, err)
		}
		if keep != nil && keep(r) {
			return false, nil
		}
		err = p.Bucket.Erase(ctx, at.Key, at.Revision)
		if errors.Is(err, store.ErrChanged) {
			continue
		}
		if err != nil {
			return false, err
		}
		p.index.remove(name)
		return keep != nil || !r.expired(), nil
	}
	return false, fault.Coded(fault.Conflict, "TooManyUpdates", "parameter %s is being changed by others; try again", name)
}

func (p *Parameters) writer(name string) *sync.Mutex {
	hash := uint32(2166136261) // FNV-1a
	for i := range len(name) {
		hash = (hash ^ uint32(name[i])) * 16777619
	}
	return &p.writers[hash%uint32(len(p.writers))]
}
