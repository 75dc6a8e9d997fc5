package iam

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"
)

// useEvery is how exactly it is known when a key was last used.
const useEvery = 15 * time.Minute

// use is a stored last use of an access key.
type use struct {
	At              time.Time
	Service, Region string
}

// usage remembers when a use was stored, in nanoseconds since 1970.
type usage struct{ stored atomic.Int64 }

// touch stores that a key was used, at most every useEvery. A request is not
// refused because that failed.
func (a *Authority) touch(ctx context.Context, keyID, service, region string) {
	if a.kv == nil {
		return
	}
	v, ok := a.uses.Load(keyID)
	if !ok {
		fresh := &usage{}
		if last := a.now.Load().used[keyID].At; !last.IsZero() {
			fresh.stored.Store(last.UnixNano())
		}
		v, _ = a.uses.LoadOrStore(keyID, fresh)
	}
	u, now := v.(*usage), time.Now()
	last := u.stored.Load()
	if now.Sub(time.Unix(0, last)) < useEvery || !u.stored.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	if err := a.storeUse(ctx, keyID, use{now.UTC(), service, region}); err != nil {
		a.Log.Warn("the use of an access key was not recorded", "key", keyID, "err", err)
	}
}

func (a *Authority) storeUse(ctx context.Context, keyID string, u use) error {
	doc, err := json.Marshal(u)
	if err != nil {
		return err
	}
	k := key("used", keyID)
	revision, err := a.kv.Put(ctx, k, doc)
	if err != nil {
		return err
	}
	return a.swap(func(s *snapshot) error { return a.apply(s, k, revision, doc) })
}

// forgetUse drops what is known of a deleted key. What stays of it does no harm.
func (a *Authority) forgetUse(ctx context.Context, keyID string) {
	a.uses.Delete(keyID)
	if _, used := a.now.Load().used[keyID]; !used {
		return
	}
	if err := a.kv.Purge(ctx, key("used", keyID)); err != nil {
		a.Log.Warn("the last use of a deleted access key is still stored", "key", keyID, "err", err)
	}
}

func applyUse(s *snapshot, keyID string, doc []byte) error {
	if doc == nil {
		delete(s.used, keyID)
		return nil
	}
	var u use
	if err := json.Unmarshal(doc, &u); err != nil {
		return err
	}
	s.used[keyID] = u
	return nil
}
