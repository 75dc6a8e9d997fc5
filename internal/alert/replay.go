package alert

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/metric"
)

const (
	// maxReplay is how far back rules are tried out: as long as metrics are kept.
	maxReplay = 30 * 24 * time.Hour
	// maxSteps bounds the moments that a rule is asked about.
	maxSteps = 20_000
)

// ReplayInput is rules to be tried out on what was measured since.
type ReplayInput struct {
	Rules []Rule        `json:"rules"`
	Since time.Duration `json:"since"` // 0: an hour
}

// Fire is when an alert would have fired.
type Fire struct {
	Rule   string            `json:"rule"`
	Labels map[string]string `json:"labels"`
	Starts time.Time         `json:"starts"`
	Ends   time.Time         `json:"ends,omitzero"` // zero: it would still
	Most   float64           `json:"most"`          // the highest value meanwhile
	Least  float64           `json:"least"`
}

// Replayed is what would have become of rules.
type Replayed struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Fires   []Fire    `json:"fires"`
	Without []string  `json:"without"` // rules that could not be tried out, and why
}

// Replay says when rules would have fired, had they been there.
func (w *Watcher) Replay(ctx context.Context, in ReplayInput) (Replayed, error) {
	since := cmp.Or(in.Since, time.Hour)
	if since < time.Minute || since > maxReplay {
		return Replayed{}, fault.Errorf(fault.Invalid, "since %v: from a minute to 30 days", since)
	}
	now := time.Now().Truncate(time.Second)
	out := Replayed{From: now.Add(-since), To: now, Fires: []Fire{}, Without: []string{}}
	for _, r := range in.Rules {
		if err := r.Check(); err != nil {
			return out, err
		}
		switch {
		case r.Record:
			out.Without = append(out.Without, r.Name+": it records, and makes no alert")
			continue
		case r.Query != "":
			out.Without = append(out.Without, r.Name+": it asks the logs, which are not asked about every moment of the past")
			continue
		}
		step := max(cmp.Or(r.Every, every), since/maxSteps)
		series, err := w.Metrics.Range(ctx, r.Expr, out.From, now, step)
		if err != nil {
			return out, err
		}
		for _, s := range series {
			out.Fires = append(out.Fires, fires(r, s, step, now)...)
		}
	}
	slices.SortStableFunc(out.Fires, func(a, b Fire) int { return a.Starts.Compare(b.Starts) })
	return out, nil
}

// fires are the times at which the series of a rule's answers would have fired. The
// condition held at the points that there are, a step apart.
func fires(r Rule, s metric.Series, step time.Duration, now time.Time) (list []Fire) {
	labels := map[string]string{}
	for name, value := range s.Labels {
		if name != "__name__" {
			labels[name] = value
		}
	}
	maps.Copy(labels, r.Labels)
	var since, last time.Time // of the condition
	var open *Fire
	end := func(at time.Time) {
		if open != nil {
			open.Ends = at
			list, open = append(list, *open), nil
		}
	}
	for _, p := range s.Points {
		if gap := p.Time.Sub(last); !last.IsZero() && gap > step {
			if open == nil || gap > step+r.KeepFiring {
				end(last.Add(step + r.KeepFiring))
				since = p.Time
			}
		}
		if since.IsZero() {
			since = p.Time
		}
		if open == nil && p.Time.Sub(since) >= r.For {
			open = &Fire{Rule: r.Name, Labels: labels, Starts: p.Time, Most: p.Value, Least: p.Value}
		}
		if open != nil {
			open.Most, open.Least = max(open.Most, p.Value), min(open.Least, p.Value)
		}
		last = p.Time
	}
	if open != nil {
		if over := last.Add(step + r.KeepFiring); over.Before(now) {
			end(over)
		} else {
			list = append(list, *open)
		}
	}
	return list
}

// Text is labels as people read them, without what each alert of the rule has.
func Text(labels map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		switch name {
		case NameLabel, SeverityLabel, StackLabel, ReceiverLabel:
		default:
			parts = append(parts, fmt.Sprintf("%s=%s", name, labels[name]))
		}
	}
	return strings.Join(parts, " ")
}
