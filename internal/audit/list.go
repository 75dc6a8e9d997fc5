package audit

import (
	"context"
	"encoding/json"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

// ListInput selects records; what is empty does not matter.
type ListInput struct {
	Parameter string    `json:"parameter,omitempty"` // named, or below a path that was read
	Principal string    `json:"principal,omitempty"` // name, ARN, id or access key
	Action    string    `json:"action,omitempty"`    // GetParameter or ssm:GetParameter
	Resource  string    `json:"resource,omitempty"`  // ARN, or the name that ends one, or that was called with
	Errors    bool      `json:"errors,omitempty"`    // only what failed or was denied
	Since     time.Time `json:"since,omitzero"`
	Until     time.Time `json:"until,omitzero"`
	Limit     int       `json:"limit,omitempty"` // 1-1,000; 0: 100
	Token     string    `json:"token,omitempty"` // of an earlier answer
}

// ListOutput is a page, the newest record first. A page may be short, or empty,
// and have a token all the same: so much of the log was read for it.
type ListOutput struct {
	Events []json.RawMessage `json:"events"` // as they stand in the log
	Token  string            `json:"token,omitempty"`
}

// List returns a page of the log.
func (l *Log) List(ctx context.Context, in ListInput) (ListOutput, error) {
	if in.Limit < 0 || in.Limit > 1000 {
		return ListOutput{}, fault.Errorf(fault.Invalid, "limit %d: from 1 to 1000, or 0 for 100", in.Limit)
	}
	if in.Limit == 0 {
		in.Limit = 100
	}
	if !in.Until.IsZero() && in.Until.Before(in.Since) {
		return ListOutput{}, fault.Errorf(fault.Invalid, "until %s is before since %s", in.Until.Format(time.RFC3339), in.Since.Format(time.RFC3339))
	}
	f := filter{start: in.Since, end: in.Until, errors: in.Errors}
	for _, c := range []struct {
		value string
		by    func(string)
	}{{in.Parameter, f.byParameter}, {in.Principal, f.byPrincipal}, {in.Action, f.byAction}, {in.Resource, f.byResource}} {
		if c.value != "" {
			c.by(c.value)
		}
	}
	p, err := l.read(ctx, f, in.Limit, in.Token)
	if p.raw == nil {
		p.raw = []json.RawMessage{}
	}
	return ListOutput{p.raw, p.next}, err
}
