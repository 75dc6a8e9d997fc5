package notify

import (
	"context"
	"maps"
	"strconv"
	"time"

	am "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"

	"github.com/dropstack/dropstack/internal/alert"
)

// Annotations that alerts get on their way to receivers, beside their own.
const (
	valueAnnotation = "value" // what the rule measured
	ruleAnnotation  = "rule"  // its name
)

// Send takes alerts that fire, go on, or have ended. One that is not sent again within
// Renewed is over. An alert without labels, or one that ends before it starts, is
// nothing that anybody could be told of and goes to the log.
func (n *Notifier) Send(ctx context.Context, list ...alert.Alert) {
	now := time.Now()
	var taken []*am.Alert
	for _, a := range list {
		if one := engineAlert(a, now); one.Validate() == nil {
			taken = append(taken, one)
		} else {
			n.Log.Error("an alert cannot be told", "alert", a.Labels[alert.NameLabel], "rule", a.Rule, "err", one.Validate())
		}
	}
	// who sends may be on his way out; what he has seen still counts
	if err := n.alerts.Put(context.WithoutCancel(ctx), taken...); err != nil {
		n.Log.Error("alerts cannot be written; a crash would forget them", "err", err)
	}
}

func engineAlert(a alert.Alert, now time.Time) *am.Alert {
	out := &am.Alert{UpdatedAt: now}
	out.Labels, out.Annotations = set(a.Labels), set(a.Annotations)
	out.Annotations[valueAnnotation] = model.LabelValue(strconv.FormatFloat(a.Value, 'g', 6, 64))
	if a.Rule != "" {
		out.Annotations[ruleAnnotation] = model.LabelValue(a.Rule)
	}
	out.StartsAt, out.EndsAt = a.Starts, a.Ends
	if out.StartsAt.IsZero() {
		out.StartsAt = now
	}
	if a.Ends.IsZero() {
		out.EndsAt, out.Timeout = now.Add(Renewed), true
	}
	return out
}

// set leaves out labels without a value: they are as good as none.
func set(m map[string]string) model.LabelSet {
	out := make(model.LabelSet, len(m))
	for name, value := range maps.All(m) {
		if value != "" {
			out[model.LabelName(name)] = model.LabelValue(value)
		}
	}
	return out
}
