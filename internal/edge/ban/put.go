package ban

import (
	"cmp"
	"context"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
)

// PutInput bans a client.
type PutInput struct {
	Client   string `json:"client"`             // an address or a prefix
	Seconds  int64  `json:"seconds"`            // how long
	Reason   string `json:"reason"`             // for operators
	Escalate bool   `json:"escalate,omitempty"` // longer than asked for if the client has been banned lately
	Shadow   bool   `json:"shadow,omitempty"`   // write it down only
	Request  string `json:"request,omitempty"`  // id of a request that shows why
}

// Put bans a client and returns the ban as it holds now. One that holds already is
// made longer, never shorter, and is still the same ban: what a function reports
// twice counts once. A client that is allowed is fault.Conflict, ClientAllowed.
func (b *Bans) Put(ctx context.Context, in PutInput) (Ban, error) {
	by := ""
	if who, known := iam.Caller(ctx); known {
		by = who.ARN
	}
	return b.put(ctx, in, by)
}

func (b *Bans) put(ctx context.Context, in PutInput, by string) (Ban, error) {
	client, err := ParseClient(in.Client)
	if err == nil {
		err = b.bannable(client)
	}
	if err == nil {
		err = checkText("reason", in.Reason)
	}
	if err == nil && len(in.Request) > 128 {
		err = fault.Errorf(fault.Invalid, "request has %d bytes; an id has at most 128", len(in.Request))
	}
	if err != nil {
		return Ban{}, err
	}
	// compared as seconds: as a duration, an absurd one would be another
	if in.Seconds < int64(Shortest/time.Second) || in.Seconds > int64(Longest/time.Second) {
		return Ban{}, fault.Errorf(fault.Invalid, "a ban of %d seconds: from %v to %v (a year)", in.Seconds, Shortest, Longest)
	}
	if s := b.now.Load(); s != nil && s.covers(client) {
		return Ban{}, fault.Coded(fault.Conflict, "ClientAllowed", "%s is on the list of those who are allowed; take it from there first", client)
	}
	now := time.Now().UTC()
	asked := Ban{
		Client: client, Reason: in.Reason, By: by, Since: now, Until: now.Add(time.Duration(in.Seconds) * time.Second),
		Times: 1, Shadow: in.Shadow || b.Shadow, Request: in.Request,
	}
	made, err := change(ctx, b, banKey, client, func(old Ban, there bool) (Ban, error) {
		if !there {
			return asked, nil
		}
		return b.Escalation.next(old, asked, in.Escalate), nil
	})
	if err != nil {
		return Ban{}, err
	}
	return made, b.evict(ctx, client)
}

// next is what becomes of a ban when the client is to be banned again.
func (e Escalation) next(old, asked Ban, escalate bool) Ban {
	holds := old.Until.After(asked.Since)
	switch {
	case holds && old.Shadow && !asked.Shadow: // no longer in the shadow, where it never had a price
		return asked
	case holds && !old.Shadow && asked.Shadow:
		return old
	case holds:
		asked.Since, asked.Times = old.Since, old.Times
		if !asked.Until.After(old.Until) {
			return old
		}
		return asked
	case old.Shadow != asked.Shadow || asked.Since.Sub(old.Until) > cmp.Or(e.Memory, 24*time.Hour):
		return asked
	}
	asked.Times = old.Times + 1
	if escalate {
		asked.Until = asked.Since.Add(e.lengthen(asked.Until.Sub(asked.Since), asked.Times))
	}
	return asked
}

// lengthen doubles how long a ban takes for each one before it, up to a bound that
// does not make it shorter than asked for.
func (e Escalation) lengthen(d time.Duration, times int) time.Duration {
	longest := max(d, cmp.Or(e.Longest, 7*24*time.Hour))
	for ; times > 1 && d < longest; times-- {
		d *= 2
	}
	return min(d, longest)
}

// RemoveInput names a client.
type RemoveInput struct {
	Client string `json:"client"`
}

// Remove ends a ban at once and forgets it, so that the next one is the first.
func (b *Bans) Remove(ctx context.Context, in RemoveInput) (struct{}, error) {
	client, err := ParseClient(in.Client)
	if err != nil {
		return struct{}{}, err
	}
	found, err := b.remove(ctx, banKey, client, func(uint64) bool { return true })
	if err == nil && !found {
		err = fault.Errorf(fault.NotFound, "%s is not banned; `dropstack waf bans` lists who is", client)
	}
	return struct{}{}, err
}

// evict makes room for a ban when there are too many: the one that ends first, or has
// ended longest, goes.
func (b *Bans) evict(ctx context.Context, but netip.Prefix) error {
	for {
		s := b.now.Load()
		if s.bans.Size() <= cmp.Or(b.Max, DefaultMax) {
			return nil
		}
		var first *banned
		for _, r := range s.bans.All() {
			if r.Client != but && (first == nil || r.Until.Before(first.Until)) {
				first = r
			}
		}
		if first == nil {
			return nil
		}
		gone, err := b.remove(ctx, banKey, first.Client, func(revision uint64) bool { return revision == first.revision })
		if err != nil {
			return err
		}
		if gone && first.Until.After(time.Now()) {
			b.Log.Warn("a ban gave way to another: there are too many", "client", first.Client, "until", first.Until)
			b.record(ctx, "EvictBan", first.Ban)
		}
	}
}

func checkText(what, text string) error {
	if len(text) > MaxReason || strings.ContainsFunc(text, unicode.IsControl) {
		return fault.Errorf(fault.Invalid, "%s %.40q: at most %d bytes, on one line", what, text, MaxReason)
	}
	return nil
}
