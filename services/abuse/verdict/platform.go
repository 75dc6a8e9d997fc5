package verdict

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"
)

// Platform bans at the edge of dropstack, which knows when bans are over, makes those
// after the first longer, and marks the requests that it refuses.
type Platform struct {
	Client *Client
}

// Ban is the platform's operation PutBan.
func (p *Platform) Ban(ctx context.Context, b Ban) (Made, error) {
	in := struct {
		Client   string `json:"client"`
		Seconds  int64  `json:"seconds"`
		Reason   string `json:"reason"`
		Escalate bool   `json:"escalate"`
		Shadow   bool   `json:"shadow,omitempty"`
		Request  string `json:"request,omitempty"`
	}{b.Client.String(), int64((b.For + time.Second - 1) / time.Second), b.Reason, true, b.Shadow, b.Request}
	var out struct {
		Until time.Time
		Times int
	}
	err := p.Client.Call(ctx, "dropstack", "Dropstack.PutBan", in, &out)
	// what is wrong with this one stays wrong; being denied, or asked to wait, does not
	if f, ok := errors.AsType[*Failure](err); ok && (f.Code == "ClientAllowed" || f.Status == http.StatusBadRequest && f.Code != "ThrottlingException") {
		return Made{}, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return Made{out.Until, out.Times}, err
}

// Held is no question: the edge marks what it refuses.
func (p *Platform) Held(netip.Prefix, time.Time) bool { return false }

// Expire has nothing to do.
func (p *Platform) Expire(context.Context) error { return nil }
