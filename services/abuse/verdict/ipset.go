package verdict

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/services/abuse/state"
)

// Set names an IP set of AWS WAF.
type Set struct{ Name, ID, Scope string }

// ParseSet reads NAME/ID/SCOPE.
func ParseSet(text string) (Set, error) {
	parts := strings.Split(text, "/")
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] != "REGIONAL" && parts[2] != "CLOUDFRONT" {
		return Set{}, fmt.Errorf("%q is not NAME/ID/SCOPE of an IP set; the scopes are REGIONAL and CLOUDFRONT", text)
	}
	return Set{parts[0], parts[1], parts[2]}, nil
}

// Entry is a ban that an IP set enforces. The set knows addresses only; the rest is
// kept here.
type Entry struct {
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
	Times  int       `json:"times"`
	Shadow bool      `json:"shadow,omitempty"`
}

const (
	maxAddresses = 10_000 // of an IP set
	memory       = 24 * time.Hour
	longest      = 7 * 24 * time.Hour
	tries        = 6 // at an update that another has made meanwhile
	optimistic   = "WAFOptimisticLockException"
)

// IPSets bans by IP sets of AWS WAF, one of IPv4 and one of IPv6. What others have put
// into the sets stays there. It is for one process at a time, under state.Lock.
type IPSets struct {
	Client *Client
	V4, V6 *Set // nil: bans of this kind are refused
	Bans   *state.Journal[Entry]
}

// Ban puts the client into its set. While a ban holds it is not made longer by what the
// client does meanwhile; the next one takes twice as long.
func (s *IPSets) Ban(ctx context.Context, b Ban) (Made, error) {
	set := s.of(b.Client)
	if set == nil {
		return Made{}, fmt.Errorf("%w: no IP set is configured for %s", ErrRefused, b.Client)
	}
	all, _, err := s.Bans.Load()
	if err != nil {
		return Made{}, err
	}
	now, key := time.Now().UTC(), b.Client.String()
	e := Entry{Reason: b.Reason, Since: now, Until: now.Add(b.For), Times: 1, Shadow: b.Shadow}
	switch old, known := all[key]; {
	case known && old.Until.After(now) && (!old.Shadow || b.Shadow):
		return Made{old.Until, old.Times}, nil
	case known && old.Shadow == b.Shadow && now.Sub(old.Until) <= memory:
		e.Times = old.Times + 1
		e.Until = now.Add(lengthen(b.For, e.Times))
	}
	next := maps.Clone(all)
	next[key] = e
	drop := surplus(next, b.Client)
	for _, k := range drop {
		delete(next, k)
	}
	before := maps.Clone(all)
	// first what says when it is over: an address that nobody knows would stay for ever
	if err := s.Bans.Save(map[string]Entry{key: e}, drop); err != nil {
		return Made{}, err
	}
	if b.Shadow {
		return Made{e.Until, e.Times}, nil
	}
	if err := s.update(ctx, *set, before, next, now); err != nil {
		return Made{}, errors.Join(err, s.restore(before, append(drop, key)))
	}
	return Made{e.Until, e.Times}, nil
}

// restore undoes what was saved of these clients.
func (s *IPSets) restore(before map[string]Entry, keys []string) error {
	put, drop := map[string]Entry{}, []string(nil)
	for _, key := range keys {
		if e, there := before[key]; there {
			put[key] = e
		} else {
			drop = append(drop, key)
		}
	}
	return s.Bans.Save(put, drop)
}

// lengthen doubles how long a ban takes for each one before it, up to a bound.
func lengthen(d time.Duration, times int) time.Duration {
	most := max(d, longest)
	for ; times > 1 && d < most; times-- {
		d *= 2
	}
	return min(d, most)
}

// surplus are the bans of the family of a client that are too many: those that end first.
func surplus(all map[string]Entry, client netip.Prefix) []string {
	var keys []string
	for key := range all {
		if p, err := netip.ParsePrefix(key); err == nil && p.Addr().Is4() == client.Addr().Is4() && p != client {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(all[a].Until.Compare(all[b].Until), cmp.Compare(a, b)) })
	return keys[:max(0, len(keys)+1-maxAddresses)]
}

func (s *IPSets) of(client netip.Prefix) *Set {
	if client.Addr().Is4() {
		return s.V4
	}
	return s.V6
}

// Held tells whether a ban held at a time: the log does not mark what it refused.
func (s *IPSets) Held(client netip.Prefix, at time.Time) bool {
	all, _, err := s.Bans.Load()
	e, known := all[client.String()]
	return err == nil && known && !e.Shadow && !at.Before(e.Since.Truncate(time.Second)) && at.Before(e.Until)
}

// Expire takes bans that are over out of the sets, and forgets those that no longer
// make the next one longer.
func (s *IPSets) Expire(ctx context.Context) error {
	all, _, err := s.Bans.Load()
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	var failed []error
	for _, set := range []*Set{s.V4, s.V6} {
		if set != nil {
			failed = append(failed, s.update(ctx, *set, all, all, now))
		}
	}
	if err := errors.Join(failed...); err != nil {
		return err
	}
	var drop []string
	for key, e := range all {
		if now.Sub(e.Until) > memory {
			drop = append(drop, key)
		}
	}
	return s.Bans.Save(nil, drop)
}

// update makes a set hold the bans of next that hold, in place of what it has of
// before.
func (s *IPSets) update(ctx context.Context, set Set, before, next map[string]Entry, now time.Time) error {
	type ipSet struct {
		Description string
		Addresses   []string
		Version     string `json:"IPAddressVersion"`
	}
	for range tries {
		var got struct {
			IPSet     ipSet
			LockToken string
		}
		err := s.Client.Call(ctx, "wafv2", "AWSWAF_20190729.GetIPSet", map[string]string{"Name": set.Name, "Id": set.ID, "Scope": set.Scope}, &got)
		if err != nil {
			return fmt.Errorf("read IP set %s: %w", set.Name, err)
		}
		want, err := merge(got.IPSet.Addresses, before, next, got.IPSet.Version == "IPV6", now)
		if err != nil {
			return fmt.Errorf("IP set %s: %w", set.Name, err)
		}
		if slices.Equal(plain(want), plain(got.IPSet.Addresses)) {
			return nil
		}
		in := map[string]any{"Name": set.Name, "Id": set.ID, "Scope": set.Scope, "Addresses": want, "LockToken": got.LockToken}
		if got.IPSet.Description != "" {
			in["Description"] = got.IPSet.Description // what is not said again is lost
		}
		err = s.Client.Call(ctx, "wafv2", "AWSWAF_20190729.UpdateIPSet", in, new(struct{ NextLockToken string }))
		if f, ok := errors.AsType[*Failure](err); ok && f.Code == optimistic {
			continue
		}
		if err != nil {
			return fmt.Errorf("update IP set %s: %w", set.Name, err)
		}
		return nil
	}
	return fmt.Errorf("IP set %s is being changed by others", set.Name)
}

// plain are addresses in one spelling, in order. WAF writes those of IPv6 out.
func plain(addresses []string) []string {
	list := make([]string, len(addresses))
	for i, a := range addresses {
		list[i] = a
		if p, err := netip.ParsePrefix(a); err == nil {
			list[i] = p.Masked().String()
		}
	}
	slices.Sort(list)
	return list
}

// merge is what a set should hold: what is not ours, and the bans that hold, the
// longest ones if there is no room for all.
func merge(there []string, before, next map[string]Entry, v6 bool, now time.Time) ([]string, error) {
	want := []string{} // an empty set is a list too
	for _, a := range there {
		p, err := netip.ParsePrefix(a)
		if err != nil {
			return nil, fmt.Errorf("address %q: %w", a, err)
		}
		if _, ours := before[p.Masked().String()]; !ours {
			want = append(want, a)
		}
	}
	var held []string
	for key, e := range next {
		p, err := netip.ParsePrefix(key)
		if err == nil && p.Addr().Is6() == v6 && !e.Shadow && e.Until.After(now) {
			held = append(held, key)
		}
	}
	slices.SortFunc(held, func(a, b string) int { return cmp.Or(next[b].Until.Compare(next[a].Until), cmp.Compare(a, b)) })
	want = append(want, held[:min(len(held), max(0, maxAddresses-len(want)))]...)
	slices.Sort(want)
	return slices.Compact(want), nil
}
