package notify_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/alert/notify"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/testkit/inbox"
)

// evidence gives a notifier something to show.
func evidence(n *notify.Notifier) {
	n.Rule = func(name string, _ map[string]string) (alert.Rule, bool) {
		return alert.Rule{Name: name, Expr: "sum by (function) (rate(errors[5m])) / calls > 0.5 and calls >= 10"}, true
	}
	n.Logs, n.Metrics = loglines{}, &ramp{}
}

type loglines struct{ long bool }

func (l loglines) Newest(_ context.Context, q notify.Question) (list []logs.Record, err error) {
	for i := 4; i >= 0; i-- {
		text := fmt.Sprintf("boom %d of %s\n", i, q.Function)
		if l.long {
			text = strings.Repeat("`<&> ", 5000)
		}
		list = append(list, logs.Record{Time: q.End, Message: text})
	}
	return list, nil
}

// ramp rises from 0 to 1, for the function charge.
type ramp struct{ asked string }

func (r *ramp) Range(_ context.Context, expression string, start, end time.Time, step time.Duration) ([]metric.Series, error) {
	r.asked = expression
	s := metric.Series{Labels: metric.Labels{"function": "charge"}}
	other := metric.Series{Labels: metric.Labels{"function": "refund"}, Points: []metric.Point{{Time: start, Value: 7}}}
	for at := start; !at.After(end); at = at.Add(step) {
		if gap := len(s.Points) == 0; gap {
			s.Points = append(s.Points, metric.Point{Time: at.Add(step), Value: 0})
			at = at.Add(step)
			continue
		}
		s.Points = append(s.Points, metric.Point{Time: at, Value: at.Sub(start).Hours()})
	}
	return []metric.Series{other, s}, nil
}

func TestEachAlertComesWithItsEvidence(t *testing.T) {
	s := inbox.NewSlack(t)
	measured := &ramp{}
	n := open(t, t.TempDir(), func(n *notify.Notifier) {
		file(t, bot(s))(n)
		evidence(n)
		n.Metrics = measured
	})
	defer closed(t, n)
	a := failing("charge")
	a.Annotations["owner"], a.Annotations["runbook"] = "payments team", "https://wiki.example.com/charge"
	n.Send(t.Context(), a)
	got := s.Await(t, 1)[0].Text()
	for _, want := range []string{
		"boom 0 of charge", "boom 4 of charge", "·▁▁▁▂▂▂▂▃▃▃", "payments team", "https://wiki.example.com/charge",
		"http://127.0.0.1:8090/#/functions/charge", "/logs?group=", "/explore?a=", "/alerts?silence=", "0.6",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %s", want, got)
		}
	}
	if strings.Index(got, "boom 0") > strings.Index(got, "boom 4") {
		t.Error("the lines are not in the order of their times")
	}
	if want := "sum by (function) (rate(errors[5m])) / calls"; measured.asked != want {
		t.Errorf("the trend is of %q, want %q, which has a value while nothing is wrong", measured.asked, want)
	}
}

func TestAMessageKeepsTheLimitsOfSlackWhateverIsInIt(t *testing.T) {
	s := inbox.NewSlack(t)
	n := open(t, t.TempDir(), func(n *notify.Notifier) {
		file(t, strings.Replace(bot(s), "group_by: [alertname, stack, function]", "group_by: [alertname]", 1))(n)
		evidence(n)
		n.Logs = loglines{long: true}
	})
	defer closed(t, n)
	var storm []alert.Alert
	for i := range 60 {
		a := failing(strings.Repeat("ä<", 100) + fmt.Sprint(i))
		a.Annotations["description"] = strings.Repeat("& so on ", 2000)
		a.Annotations["runbook"] = "https://wiki.example.com/" + strings.Repeat("x", 4000)
		a.Labels["alertname"] = strings.Repeat("Überlang", 100)
		storm = append(storm, a)
	}
	n.Send(t.Context(), storm...)
	calls := 1 // the group may be told of before all of them are in it; the world checks each message
	for !strings.Contains(s.Await(t, calls)[calls-1].Text(), " more: ") {
		calls++
	}
	n.Send(t.Context(), over(storm[0]))
	s.Await(t, calls+1)
}
