package notify

import (
	"context"
	"maps"
	"strings"
	"time"
	"unicode/utf8"

	am "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"

	"github.com/dropstack/dropstack/internal/alert"
)

// Annotations that hold the evidence, for templates and webhooks of users too.
const (
	sampleAnnotation  = "log_sample" // log lines, the oldest first
	trendAnnotation   = "trend"      // what the rule measured within the last hour, as bars
	consoleAnnotation = "console_url"
	exploreAnnotation = "explore_url"
	logsURLAnnotation = "logs_url"
	silenceAnnotation = "silence_url"
)

// Bounds of the evidence.
const (
	maxWitnessed = 10  // alerts of a message that get any; the others are named
	maxLines     = 5   // log lines of an alert
	maxLine      = 300 // bytes of one
	evidenceTime = 5 * time.Second
	trendWindow  = time.Hour
	trendBars    = 30
)

// witness adds to alerts what bears witness to them. What cannot be had in time is
// left out: the news is worth more.
func (n *Notifier) witness(ctx context.Context, list []*am.Alert) []*am.Alert {
	ctx, cancel := context.WithTimeout(ctx, evidenceTime)
	defer cancel()
	out := make([]*am.Alert, len(list))
	for i, a := range list {
		one := *a
		one.Annotations = maps.Clone(a.Annotations)
		if one.Annotations == nil {
			one.Annotations = model.LabelSet{}
		}
		out[i] = &one
		if i < maxWitnessed {
			n.testify(ctx, &one)
		}
	}
	return out
}

// testify collects the evidence of one alert.
func (n *Notifier) testify(ctx context.Context, a *am.Alert) {
	say := func(name, value string) {
		if value != "" && a.Annotations[model.LabelName(name)] == "" {
			a.Annotations[model.LabelName(name)] = model.LabelValue(value)
		}
	}
	labels := plain(a.Labels)
	rule, known := alert.Rule{}, false
	if n.Rule != nil {
		name := string(a.Annotations[ruleAnnotation])
		if name == "" {
			name = labels[alert.NameLabel]
		}
		rule, known = n.Rule(name, labels)
	}
	now := time.Now()
	if known && rule.Expr != "" && n.Metrics != nil {
		if bars := n.trend(ctx, rule.Expr, labels, now); bars != "" {
			a.Annotations[trendAnnotation] = model.LabelValue(bars)
		}
	}
	q := Question{
		Function: labels[alert.FunctionLabel], Query: string(a.Annotations[alert.LogsAnnotation]),
		Start: a.StartsAt.Add(-trendWindow), End: now, Limit: maxLines,
	}
	if q.Query == "" {
		q.Query = rule.Query
	}
	if n.Logs != nil && !a.Resolved() && (q.Function != "" || q.Query != "") {
		say(sampleAnnotation, n.sample(ctx, q))
	}
	n.link(say, labels, rule.Expr, q)
}

// sample is the newest lines, the oldest of them first.
func (n *Notifier) sample(ctx context.Context, q Question) string {
	records, err := n.Logs.Newest(ctx, q)
	if err != nil {
		n.Log.Debug("no log lines for an alert", "function", q.Function, "err", err)
		return ""
	}
	var lines []string
	for _, r := range records[:min(len(records), maxLines)] {
		line := r.Time.UTC().Format("15:04:05 ") + strings.Join(strings.Fields(r.Message), " ")
		lines = append([]string{cut(line, maxLine)}, lines...)
	}
	return strings.Join(lines, "\n")
}

// cut shortens a text to so many bytes, between two characters.
func cut(s string, size int) string {
	s = strings.ToValidUTF8(s, "�")
	if len(s) <= size {
		return s
	}
	const dots = "…"
	end := size - len(dots)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + dots
}

func plain(l model.LabelSet) map[string]string {
	out := make(map[string]string, len(l))
	for name, value := range l {
		out[string(name)] = string(value)
	}
	return out
}
