package ban

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/gaissmai/bart"
)

// snapshot is everything that is known at one moment. It never changes; the next
// shares with it what is the same.
type snapshot struct {
	bans     *bart.Table[*banned]
	allowed  *bart.Table[*allowed]
	replaced chan struct{} // closed when there is a next
}

// banned is a stored ban; it may be over.
type banned struct {
	Ban
	revision uint64
}

type allowed struct {
	Allowed
	revision uint64
}

func newSnapshot() *snapshot {
	return &snapshot{bans: &bart.Table[*banned]{}, allowed: &bart.Table[*allowed]{}, replaced: make(chan struct{})}
}

// strictest finds a ban that holds and of which client is a part: the narrowest that
// turns it away, or the narrowest in the shadow. nil: there is none.
func (s *snapshot) strictest(client netip.Addr, now time.Time) (found *banned) {
	for _, r := range s.bans.Supernets(netip.PrefixFrom(client, client.BitLen())) {
		switch {
		case !r.Until.After(now):
		case !r.Shadow:
			return r
		case found == nil:
			found = r
		}
	}
	return found
}

// covers tells whether all of a prefix is allowed.
func (s *snapshot) covers(p netip.Prefix) bool {
	_, ok := s.allowed.LookupPrefix(p)
	return ok
}

const (
	banKey   = "ban."
	allowKey = "allow."
)

// keyOf is where what is known of a client is stored. A key has no colons.
func keyOf(kind string, client netip.Prefix) string {
	return kind + strings.ReplaceAll(client.String(), ":", "-")
}

func parseKey(key string) (kind string, client netip.Prefix, err error) {
	kind, text, _ := strings.Cut(key, ".")
	client, err = netip.ParsePrefix(strings.ReplaceAll(text, "-", ":"))
	if kind += "."; err != nil || kind != banKey && kind != allowKey {
		return "", client, fmt.Errorf("bans: the bucket has a key %q, which is none of ours", key)
	}
	return kind, client, nil
}

// apply returns the snapshot with a record as it was stored at a revision; nil is a
// deleted one. It returns s when it knows better.
func (s *snapshot) apply(key string, revision uint64, doc []byte) (*snapshot, error) {
	kind, client, err := parseKey(key)
	if err != nil {
		return nil, err
	}
	next := *s
	next.replaced = make(chan struct{})
	if kind == banKey {
		r := &banned{revision: revision}
		old, there := s.bans.Get(client)
		if there && old.revision >= revision || !there && doc == nil {
			return s, nil
		}
		next.bans, err = put(s.bans, client, r, &r.Ban, doc)
	} else {
		r := &allowed{revision: revision}
		old, there := s.allowed.Get(client)
		if there && old.revision >= revision || !there && doc == nil {
			return s, nil
		}
		next.allowed, err = put(s.allowed, client, r, &r.Allowed, doc)
	}
	if err != nil {
		return nil, fmt.Errorf("bans: stored %s: %w", key, err)
	}
	return &next, nil
}

func put[R any](table *bart.Table[R], client netip.Prefix, record R, into any, doc []byte) (*bart.Table[R], error) {
	if doc == nil {
		return table.DeletePersist(client), nil
	}
	if err := json.Unmarshal(doc, into); err != nil {
		return nil, err
	}
	return table.InsertPersist(client, record), nil
}
