package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/silence/silencepb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
)

// Silence keeps alerts from being told for a while.
type Silence struct {
	ID       string    `json:"id"`
	Matchers []string  `json:"matchers"` // which alerts, as function="charge"; all have to match
	State    string    `json:"state"`    // active, pending or expired
	Starts   time.Time `json:"starts"`
	Ends     time.Time `json:"ends"`
	By       string    `json:"by"`
	Comment  string    `json:"comment"`
}

// PutSilenceInput silences alerts from now on.
type PutSilenceInput struct {
	Matchers []string `json:"matchers"` // function=charge, alertname=~"Error.*", severity!=critical
	Seconds  int64    `json:"seconds"`
	Comment  string   `json:"comment"`
}

// SilenceID names a silence.
type SilenceID struct {
	ID string `json:"id"`
}

// ListSilencesInput chooses silences.
type ListSilencesInput struct {
	Expired bool `json:"expired,omitempty"` // those too that are over
}

// ListSilencesOutput is silences, those that end first first.
type ListSilencesOutput struct {
	Silences []Silence `json:"silences"`
}

// Silence silences alerts. It is on the disk when Silence returns.
func (n *Notifier) Silence(ctx context.Context, in PutSilenceInput) (Silence, error) {
	if len(in.Matchers) == 0 {
		return Silence{}, fault.Errorf(fault.Invalid, "no matchers: say which alerts, such as function=charge")
	}
	if in.Seconds <= 0 {
		return Silence{}, fault.Errorf(fault.Invalid, "%d seconds: a silence lasts at least one", in.Seconds)
	}
	if strings.TrimSpace(in.Comment) == "" {
		return Silence{}, fault.Errorf(fault.Invalid, "no comment: say why, for whoever wonders")
	}
	who, _ := iam.Caller(ctx)
	now := time.Now()
	s := &silencepb.Silence{
		StartsAt: timestamppb.New(now), EndsAt: timestamppb.New(now.Add(time.Duration(in.Seconds) * time.Second)),
		CreatedBy: cmp.Or(who.Name, who.String(), "dropstack"), Comment: in.Comment, MatcherSets: []*silencepb.MatcherSet{{}},
	}
	for _, text := range in.Matchers {
		m, err := labels.ParseMatcher(text)
		if err != nil {
			return Silence{}, fault.Errorf(fault.Invalid, "%q is not NAME=VALUE, NAME!=VALUE, NAME=~REGEXP or NAME!~REGEXP: %w", text, err)
		}
		s.MatcherSets[0].Matchers = append(s.MatcherSets[0].Matchers, &silencepb.Matcher{Type: matcherTypes[m.Type], Name: m.Name, Pattern: m.Value})
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.silences.Set(ctx, s); err != nil {
		return Silence{}, fault.Errorf(fault.Invalid, "%w", err)
	}
	if err := n.keepSilences(); err != nil {
		return Silence{}, fmt.Errorf("keep the silence: %w", err)
	}
	return silenceOf(s, time.Now()), nil
}

var matcherTypes = map[labels.MatchType]silencepb.Matcher_Type{
	labels.MatchEqual: silencepb.Matcher_EQUAL, labels.MatchNotEqual: silencepb.Matcher_NOT_EQUAL,
	labels.MatchRegexp: silencepb.Matcher_REGEXP, labels.MatchNotRegexp: silencepb.Matcher_NOT_REGEXP,
}

// Expire ends a silence now.
func (n *Notifier) Expire(ctx context.Context, in SilenceID) (struct{}, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	err := n.silences.Expire(ctx, in.ID)
	if errors.Is(err, silence.ErrNotFound) {
		return struct{}{}, fault.Errorf(fault.NotFound, "silence %q; `dropstack alert silence list` shows those that there are", in.ID)
	}
	if err != nil {
		return struct{}{}, err
	}
	return struct{}{}, n.keepSilences()
}

// Silences lists silences.
func (n *Notifier) Silences(ctx context.Context, in ListSilencesInput) (ListSilencesOutput, error) {
	states := []silence.SilenceState{silence.SilenceStateActive, silence.SilenceStatePending}
	if in.Expired {
		states = append(states, silence.SilenceStateExpired)
	}
	found, _, err := n.silences.Query(ctx, silence.QState(states...))
	if err != nil {
		return ListSilencesOutput{}, err
	}
	out, now := ListSilencesOutput{Silences: []Silence{}}, time.Now()
	for _, s := range found {
		out.Silences = append(out.Silences, silenceOf(s, now))
	}
	slices.SortFunc(out.Silences, func(a, b Silence) int { return cmp.Or(a.Ends.Compare(b.Ends), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

func silenceOf(s *silencepb.Silence, now time.Time) Silence {
	out := Silence{
		ID: s.Id, Matchers: []string{}, State: "active", Starts: s.StartsAt.AsTime(), Ends: s.EndsAt.AsTime(), By: s.CreatedBy, Comment: s.Comment,
	}
	switch {
	case now.Before(out.Starts):
		out.State = "pending"
	case !now.Before(out.Ends):
		out.State = "expired"
	}
	signs := map[silencepb.Matcher_Type]string{
		silencepb.Matcher_EQUAL: "=", silencepb.Matcher_NOT_EQUAL: "!=", silencepb.Matcher_REGEXP: "=~", silencepb.Matcher_NOT_REGEXP: "!~",
	}
	for _, set := range s.MatcherSets {
		for _, m := range set.Matchers {
			out.Matchers = append(out.Matchers, fmt.Sprintf("%s%s%q", m.Name, signs[m.Type], m.Pattern))
		}
	}
	return out
}
