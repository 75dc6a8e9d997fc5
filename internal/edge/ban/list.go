package ban

import (
	"context"
	"net/netip"
	"time"
)

// ListInput says which bans.
type ListInput struct {
	Client string `json:"client,omitempty"` // those of this address, or of part of this prefix; "": all
	Over   bool   `json:"over,omitempty"`   // those too that are over and remembered
}

// ListOutput is bans, by client.
type ListOutput struct {
	Bans []Ban `json:"bans"`
}

// List lists who is banned.
func (b *Bans) List(_ context.Context, in ListInput) (ListOutput, error) {
	s, now := b.now.Load(), time.Now()
	if s == nil {
		return ListOutput{}, errNotLoaded
	}
	wanted := netip.Prefix{}
	if in.Client != "" {
		var err error
		if wanted, err = ParseClient(in.Client); err != nil {
			return ListOutput{}, err
		}
	}
	out := ListOutput{Bans: []Ban{}}
	for client, r := range s.bans.AllSorted() {
		if wanted.IsValid() && !client.Overlaps(wanted) || !in.Over && !r.Until.After(now) {
			continue
		}
		out.Bans = append(out.Bans, r.Ban)
	}
	return out, nil
}
