package kms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/secret/store"
)

// record is what is stored about a key, sealed, as JSON.
type record struct {
	ID          string            `json:"id"`
	ARN         string            `json:"arn"`               // as it was made: versions are bound to it
	Managed     string            `json:"managed,omitempty"` // the service that it was made for, of a key that AWS would manage
	Spec        string            `json:"spec,omitempty"`    // of a key that is not symmetric
	Description string            `json:"description,omitempty"`
	Policy      string            `json:"policy"`
	Created     time.Time         `json:"created"`
	Disabled    bool              `json:"disabled,omitempty"`
	Deletion    time.Time         `json:"deletion,omitzero"` // when it is to be destroyed
	Versions    []version         `json:"versions"`          // oldest first; the last one encrypts
	Rotation    rotation          `json:"rotation,omitzero"`
	Tags        map[string]string `json:"tags,omitempty"`
	Grants      []grant           `json:"grants,omitempty"` // by time
}

// version is one version of a key; its material is stored on its own.
type version struct {
	Number     uint32    `json:"number"`
	MaterialID string    `json:"materialId"`
	Created    time.Time `json:"created"`
	Kind       string    `json:"kind,omitempty"` // AUTOMATIC or ON_DEMAND; empty for the first
}

// rotation is how a key rotates by itself.
type rotation struct {
	Period int       `json:"period,omitempty"` // days; 0: not
	Next   time.Time `json:"next,omitzero"`
}

// alias is another name of a key.
type alias struct {
	Name    string    `json:"name"` // alias/...
	Key     string    `json:"key"`  // id
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`

	revision uint64
}

// key is a key in memory. It never changes.
type key struct {
	record
	revision  uint64
	materials map[uint32][]byte
}

// snapshot is all keys. It never changes.
type snapshot struct {
	keys    map[string]*key  // by id
	damaged map[string]error // ids of keys that could not be read
	aliases map[string]alias // by name
}

func (s *snapshot) clone() *snapshot {
	return &snapshot{maps.Clone(s.keys), maps.Clone(s.damaged), maps.Clone(s.aliases)}
}

// aliasesOf returns the names of a key's aliases, sorted.
func (s *snapshot) aliasesOf(id string) []string {
	var names []string
	for name, a := range s.aliases {
		if a.Key == id {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (r record) clone() record {
	r.Versions, r.Grants, r.Tags = slices.Clone(r.Versions), slices.Clone(r.Grants), maps.Clone(r.Tags)
	return r
}

func (k *key) last() version { return k.Versions[len(k.Versions)-1] }

const (
	keyKind      = "key"
	materialKind = "material"
	aliasKind    = "alias"
)

func materialKey(id string, number uint32) string {
	return store.Key(materialKind, id, strconv.FormatUint(uint64(number), 10))
}

// bound is what the material of a version is bound to.
func bound(arn string, number uint32) []byte {
	return fmt.Appendf(nil, "%s\x00%d", arn, number)
}

// Load reads every key. A key that cannot be read is logged and refused to those
// who name it; the others work.
func (k *Keys) Load(ctx context.Context) error {
	k.versions, k.records = k.Root.Sealer("kms key version"), k.Kept.Sealer("kms record")
	k.Root.Hold("kms key version", k)
	k.wake = make(chan struct{}, 1)
	all, err := k.Bucket.Load(ctx)
	if err != nil {
		return err
	}
	snap := &snapshot{keys: map[string]*key{}, damaged: map[string]error{}, aliases: map[string]alias{}}
	materials := map[string][]store.Record{} // by key id
	for _, at := range all {
		kind, parts, err := store.Parts(at.Key)
		switch {
		case err != nil:
			return err
		case kind == keyKind && len(parts) == 1:
			read := &key{revision: at.Revision, materials: map[uint32][]byte{}}
			if err := k.unseal(at, &read.record); err != nil {
				snap.damaged[parts[0]] = err
				k.Log.Error("key not read", "key", k.keyARN(parts[0]), "err", err)
				continue
			}
			snap.keys[parts[0]] = read
		case kind == materialKind && len(parts) == 2:
			materials[parts[0]] = append(materials[parts[0]], at)
		case kind == aliasKind && len(parts) == 1:
			a := alias{revision: at.Revision}
			if err := k.unseal(at, &a); err != nil {
				k.Log.Error("alias not read", "alias", parts[0], "err", err)
				continue
			}
			snap.aliases[parts[0]] = a
		}
	}
	for id, found := range materials {
		if err := k.join(ctx, snap, id, found); err != nil {
			return err
		}
	}
	for id, read := range snap.keys {
		if err := read.complete(); err != nil {
			k.Log.Error("key not read", "key", read.ARN, "err", err)
			delete(snap.keys, id)
			snap.damaged[id] = err
		}
	}
	k.current.Store(snap)
	return nil
}

// join gives a key its materials. Those that no key refers to are left over from
// a start or a rotation that was cut short, and erased.
func (k *Keys) join(ctx context.Context, snap *snapshot, id string, found []store.Record) error {
	owner, ok := snap.keys[id]
	if !ok && snap.damaged[id] != nil {
		return nil
	}
	for _, at := range found {
		number, err := materialNumber(at.Key)
		if err != nil {
			return err
		}
		if !ok || number > owner.last().Number {
			if err := k.Bucket.Erase(ctx, at.Key, at.Revision); err != nil {
				return fmt.Errorf("erase what a failed rotation left of key %s: %w", id, err)
			}
			continue
		}
		material, err := k.versions.Open(at.Value, bound(owner.ARN, number))
		if err != nil {
			k.Log.Error("key version not read", "key", owner.ARN, "version", number, "err", err)
			continue // which complete will miss
		}
		owner.materials[number] = material
	}
	return nil
}

// complete says which version of a key is missing. One whose destruction was cut
// short has none, and is not used any more.
func (k *key) complete() error {
	if len(k.materials) == 0 && !k.Deletion.IsZero() {
		return nil
	}
	for _, v := range k.Versions {
		if k.materials[v.Number] == nil {
			return fmt.Errorf("version %d of the key is missing or damaged", v.Number)
		}
	}
	return nil
}

func materialNumber(at string) (uint32, error) {
	_, parts, err := store.Parts(at)
	if err != nil {
		return 0, err
	}
	number, err := strconv.ParseUint(parts[1], 10, 32)
	return uint32(number), err
}

// unseal reads a stored record, which is bound to its place.
func (k *Keys) unseal(at store.Record, into any) error {
	doc, err := k.records.Open(at.Value, []byte(at.Key))
	if err != nil {
		return err
	}
	return json.Unmarshal(doc, into)
}

// write stores v at a place: made there if revision is 0.
func (k *Keys) write(ctx context.Context, at string, v any, revision uint64) (uint64, error) {
	doc, err := json.Marshal(v)
	if err != nil {
		return 0, err
	}
	sealed, err := k.records.Seal(doc, []byte(at))
	if err != nil {
		return 0, err
	}
	next, err := k.Bucket.Update(ctx, at, sealed, revision)
	if errors.Is(err, store.ErrChanged) {
		return 0, errConflict
	}
	return next, err
}

var errConflict = fault.Coded(fault.Conflict, "ConflictException", "it has changed meanwhile; try again")

// writeMaterial stores the material of a version over whatever a failed rotation
// left there.
func (k *Keys) writeMaterial(ctx context.Context, arn, id string, number uint32, material []byte) error {
	at := materialKey(id, number)
	old, err := k.Bucket.Get(ctx, at)
	if err != nil && !errors.Is(err, store.ErrMissing) {
		return err
	}
	sealed, err := k.versions.Seal(material, bound(arn, number))
	if err != nil {
		return err
	}
	_, err = k.Bucket.Update(ctx, at, sealed, old.Revision)
	return err
}

// edit changes what is known about a key: it stores a changed copy and makes it
// current. change must be held.
func (k *Keys) edit(ctx context.Context, id string, edit func(*record) error) error {
	snap := k.current.Load()
	old, ok := snap.keys[id]
	if !ok {
		return notFound("key %s does not exist", k.keyARN(id))
	}
	next := *old
	next.record = old.record.clone()
	if err := edit(&next.record); err != nil {
		return err
	}
	return k.put(ctx, next)
}

// put stores what is known about a key over the revision that next came from, and
// makes it current. change must be held.
func (k *Keys) put(ctx context.Context, next key) error {
	revision, err := k.write(ctx, store.Key(keyKind, next.ID), next.record, next.revision)
	if errors.Is(err, errConflict) {
		return errors.Join(err, k.reload(ctx, next.ID))
	}
	if err != nil {
		return err
	}
	next.revision = revision
	k.swap(func(s *snapshot) { s.keys[next.ID] = &next })
	return nil
}

// reload reads a key that is not at the revision that we know: a write of ours
// seemed to fail and did not. change must be held.
func (k *Keys) reload(ctx context.Context, id string) error {
	at, err := k.Bucket.Get(ctx, store.Key(keyKind, id))
	if errors.Is(err, store.ErrMissing) {
		k.swap(func(s *snapshot) { delete(s.keys, id) })
		return nil
	}
	if err != nil {
		return err
	}
	now := &key{revision: at.Revision, materials: map[uint32][]byte{}}
	if err := k.unseal(at, &now.record); err != nil {
		return err
	}
	for _, v := range now.Versions {
		at, err := k.Bucket.Get(ctx, materialKey(id, v.Number))
		if err != nil {
			return err
		}
		if now.materials[v.Number], err = k.versions.Open(at.Value, bound(now.ARN, v.Number)); err != nil {
			return err
		}
	}
	k.swap(func(s *snapshot) { s.keys[id] = now })
	return nil
}

// update is edit for those who hold no lock.
func (k *Keys) update(ctx context.Context, id string, edit func(*record) error) error {
	k.change.Lock()
	defer k.change.Unlock()
	return k.edit(ctx, id, edit)
}

// swap makes a changed copy of the snapshot current and has Run look at it.
func (k *Keys) swap(change func(*snapshot)) {
	next := k.current.Load().clone()
	change(next)
	k.current.Store(next)
	select {
	case k.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Rewrap implements root.Rewrapper: it seals every version under the current root
// key.
func (k *Keys) Rewrap(ctx context.Context) (int, error) {
	k.change.Lock()
	defer k.change.Unlock()
	all, err := k.Bucket.Load(ctx)
	if err != nil {
		return 0, err
	}
	done := 0
	for _, at := range all {
		kind, parts, err := store.Parts(at.Key)
		if err != nil {
			return done, err
		}
		if kind != materialKind || k.versions.Current(at.Value) {
			continue
		}
		number, err := materialNumber(at.Key)
		if err != nil {
			return done, err
		}
		owner, ok := k.current.Load().keys[parts[0]]
		if !ok {
			return done, fmt.Errorf("version %d of key %s cannot be read, so the root key it needs cannot be left behind; restore the key or remove it", number, parts[0])
		}
		material, err := k.versions.Open(at.Value, bound(owner.ARN, number))
		if err != nil {
			return done, fmt.Errorf("version %d of %s: %w", number, owner.ARN, err)
		}
		sealed, err := k.versions.Seal(material, bound(owner.ARN, number))
		if err != nil {
			return done, err
		}
		if _, err := k.Bucket.Update(ctx, at.Key, sealed, at.Revision); err != nil {
			return done, err
		}
		done++
	}
	return done, nil
}
