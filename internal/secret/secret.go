// Package secret is the parameter store: values by name, with versions, labels
// and tags, the secret ones encrypted under keys of kms.
//
// A parameter with all its versions is one record, so a change of it is one
// synced write, made only over the revision that it was read at. Records are
// sealed as a whole; the value of a SecureString is encrypted under its key on
// top of that, bound to the name of its parameter. What lists need is kept in
// memory, without values.
//
// Stored in the bucket "parameters":
//
//	parameter.NAME   a parameter, sealed; NAME in base64
//
// Permission to call is asked for at the endpoint. Here it is asked for the keys
// of SecureStrings, on the caller's behalf, and for what Resolve and Environment
// read.
//
// Where we differ from AWS: GetParametersByPath leaves out parameters that a
// policy explicitly denies the caller; AWS shows them to whoever may read the
// path. Policies that only notify are refused, because nobody would be notified.
package secret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/secret/kms"
	"github.com/dropstack/dropstack/internal/secret/root"
	"github.com/dropstack/dropstack/internal/secret/store"
)

// Limits, as AWS has them.
const (
	maxStandard       = 4 << 10 // bytes of a value
	maxAdvanced       = 8 << 10
	maxStandardCount  = 10_000
	maxAdvancedCount  = 100_000
	maxLevels         = 15
	maxName           = 1011 // with the ARN before it
	maxVersions       = 100
	maxLabels         = 10 // of a version
	maxLabelLength    = 100
	maxDescription    = 1024
	maxPattern        = 1024
	maxPolicies       = 10
	maxTags           = 50
	maxNames          = 10 // in a request
	maxPathResults    = 10
	maxListResults    = 50
	usualListResults  = 10
	maxFilterValues   = 50
	maxHistoryResults = 50
)

// Parameters is the parameter store. Its fields are set before Load and not
// changed after; all methods are safe for concurrent use.
type Parameters struct {
	Kept      *root.Kept   // seals the records
	Bucket    store.Bucket // "parameters"
	Keys      Keys
	Authority Authority
	Region    string
	Log       *slog.Logger
	// Record is told what Resolve and Environment are about to hand out, or failed
	// to; an error keeps them from it. Other reads are recorded by the endpoint.
	// Optional.
	Record func(ctx context.Context, action string, names []string, failed error) error

	records *root.Sealer
	tokens  []byte // the key of paging tokens
	index   index
	writers [64]sync.Mutex // by the hash of a name: one writer of a parameter at a time
	wake    chan struct{}  // Run looks again
}

// Keys is what SecureStrings need of the keys.
type Keys interface {
	Encrypt(ctx context.Context, in kms.EncryptInput) (kms.EncryptOutput, error)
	Decrypt(ctx context.Context, in kms.DecryptInput) (kms.DecryptOutput, error)
	GenerateDataKey(ctx context.Context, in kms.GenerateDataKeyInput) (kms.GenerateDataKeyOutput, error)
}

// Authority decides who may read what.
type Authority interface {
	// Callers returns the ARNs that the caller in the context answers to, the most
	// precise first. It is empty when nobody calls.
	Callers(ctx context.Context) []string
	// Authorize returns nil if the caller may do action with resource.
	Authorize(ctx context.Context, action, resource string, conditions map[string][]string) error
	// Forbids reports whether a policy explicitly denies the caller the action:
	// whether one allows it does not matter.
	Forbids(ctx context.Context, action, resource string, conditions map[string][]string) bool
}

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
	for _, at := range all {
		r, err := p.unseal(at)
		if err != nil {
			_, parts, _ := store.Parts(at.Key)
			p.Log.Error("parameter not read", "parameter", parts, "err", err)
			continue
		}
		p.index.set(r)
	}
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

func (p *Parameters) look() {
	select {
	case p.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Errors whose codes clients match on.
func invalid(format string, args ...any) error {
	return fault.Coded(fault.Invalid, "ValidationException", format, args...)
}

func notFound(name string) error {
	return fault.Coded(fault.NotFound, "ParameterNotFound", "parameter %q is not found", name)
}

func noVersion(name, selector string) error {
	return fault.Coded(fault.NotFound, "ParameterVersionNotFound", "parameter %q has no version or label %q", name, selector)
}

// caller is who calls, for LastModifiedUser.
func (p *Parameters) caller(ctx context.Context) string {
	if arns := p.Authority.Callers(ctx); len(arns) > 0 {
		return arns[0]
	}
	return ""
}

// retry is how long Run waits after a failure.
const retry = time.Minute

// Run removes parameters when they expire. It returns when ctx ends. Until it
// does, an expired parameter is there for nobody.
func (p *Parameters) Run(ctx context.Context) error {
	for {
		next, err := p.expire(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			p.Log.Error("expired parameters not removed", "err", err)
			next = time.Now().Add(retry)
		}
		var due <-chan time.Time
		if !next.IsZero() {
			due = time.After(time.Until(next))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-due:
		case <-p.wake:
		}
	}
}

// expire removes what has expired and returns when the next one will: zero, if
// none will.
func (p *Parameters) expire(ctx context.Context) (next time.Time, err error) {
	names, next := p.index.expiring()
	for _, name := range names {
		removed, failed := p.remove(ctx, name, func(r record) bool { return !r.expired() })
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("remove %s: %w", name, failed))
		}
		if removed {
			p.Log.Info("parameter expired", "parameter", name)
		}
	}
	return next, err
}
