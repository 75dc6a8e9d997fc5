package alarm

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/wire"
)

type world struct {
	*Alarms
	store     *metric.Store
	published []string // subjects
	messages  []string
	invoked   []string
	alerts    []alert.Alert
	broken    error // of publishing
}

const (
	news  = "arn:aws:sns:us-east-1:000000000000:news"
	page1 = "arn:aws:lambda:us-east-1:000000000000:function:page"
)

func open(t *testing.T, streams jetstream.JetStream, store *metric.Store) *world {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	if store == nil {
		store = &metric.Store{Dir: t.TempDir(), Log: log}
		if err := store.Open(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
	}
	w := &world{store: store}
	w.Alarms = &Alarms{
		Metrics: store, Streams: streams, Region: "us-east-1", Log: log,
		Publish: func(_ context.Context, at, subject, message string) error {
			if w.broken != nil {
				return w.broken
			}
			w.published, w.messages = append(w.published, subject), append(w.messages, message)
			return nil
		},
		Invoke: func(_ context.Context, at, _ string, event []byte) error {
			w.invoked = append(w.invoked, string(event))
			return nil
		},
		Notify: func(_ context.Context, list ...alert.Alert) { w.alerts = append(w.alerts, list...) },
	}
	if err := w.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) put(t *testing.T, at time.Time, values ...float64) {
	t.Helper()
	_, err := w.store.PutMetricData(t.Context(), metric.PutMetricDataInput{Namespace: "shop", MetricData: []metric.MetricDatum{{MetricName: "Orders", Timestamp: wire.At(at), Values: values}}})
	if err != nil {
		t.Fatal(err)
	}
}

func orders(threshold float64) Alarm {
	return Alarm{
		AlarmName: "many orders", AlarmDescription: "Too many", Namespace: "shop", MetricName: "Orders", Statistic: "Sum", Period: 60,
		EvaluationPeriods: 3, DatapointsToAlarm: 2, Threshold: &threshold, ComparisonOperator: above,
		AlarmActions: []string{news, page1}, OKActions: []string{news},
	}
}

func TestAnAlarmRingsAndRecovers(t *testing.T) {
	streams := enginetest.Streams(t)
	w := open(t, streams, nil)
	if err := w.Replace(t.Context(), "shop-dev", []Alarm{orders(10)}); err != nil {
		t.Fatal(err)
	}
	start := time.Now().Truncate(time.Minute).Add(-20 * time.Minute)
	minute := func(i int) time.Time { return start.Add(time.Duration(i) * time.Minute) }
	for i, v := range []float64{1, 20, 2, 30, 1, 1, 1} {
		w.put(t, minute(i), v)
		w.evaluate(t.Context(), minute(i+1).Add(settled))
	}
	if diff := cmp.Diff([]string{`OK: "many orders" in us-east-1`, `ALARM: "many orders" in us-east-1`, `OK: "many orders" in us-east-1`}, w.published); diff != "" {
		t.Fatalf("published (-want +got):\n%s", diff)
	}
	var told message
	if err := json.Unmarshal([]byte(w.messages[1]), &told); err != nil {
		t.Fatal(err)
	}
	if told.AlarmName != "many orders" || told.OldStateValue != OK || told.NewStateValue != Ringing || told.Trigger["Statistic"] != "SUM" || told.Trigger["Threshold"] != 10.0 ||
		!strings.HasPrefix(told.NewStateReason, "Threshold Crossed: 2 out of the last 3 datapoints [30.0 (") {
		t.Errorf("the topic was told %+v", told)
	}
	if len(w.invoked) != 1 || !strings.Contains(w.invoked[0], `"source":"aws.cloudwatch"`) || !strings.Contains(w.invoked[0], `"value":"ALARM"`) {
		t.Errorf("the function got %v, want one event", w.invoked)
	}
	first, last := w.alerts[0], w.alerts[len(w.alerts)-1]
	if first.Labels["stack"] != "shop-dev" || !first.Ends.IsZero() || last.Ends.IsZero() {
		t.Errorf("receivers were told %+v, and last %+v", first, last)
	}
	history, err := w.DescribeAlarmHistory(t.Context(), DescribeAlarmHistoryInput{AlarmName: "many orders", HistoryItemType: stateChanged})
	if err != nil || len(history.AlarmHistoryItems) != 3 || history.AlarmHistoryItems[1].HistorySummary != "Alarm updated from OK to ALARM" {
		t.Errorf("history: got %+v, %v", history, err)
	}
}

// What is owed when the platform stops is done after it has started again.
func TestWhoWasNotToldIsToldAfterARestart(t *testing.T) {
	streams := enginetest.Streams(t)
	w := open(t, streams, nil)
	w.broken = errors.New("the topic is away")
	if err := w.Replace(t.Context(), "shop-dev", []Alarm{orders(10)}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.SetAlarmState(t.Context(), SetAlarmStateInput{AlarmName: "many orders", StateValue: Ringing, StateReason: "a drill"}); err != nil {
		t.Fatal(err)
	}
	if len(w.published) != 0 || len(w.invoked) != 1 {
		t.Fatalf("told %v and %d functions, want no topic and one", w.published, len(w.invoked))
	}
	again := open(t, streams, w.store)
	if err := again.Replace(t.Context(), "shop-dev", []Alarm{orders(10)}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"many orders"}, again.Ringing([]string{"arn:aws:cloudwatch:us-east-1:000000000000:alarm:many orders", "other"})); diff != "" {
		t.Errorf("rings (-want +got):\n%s", diff)
	}
	again.mu.Lock()
	again.alarms["many orders"].evaluated = time.Now().Add(time.Hour) // only what is owed
	again.mu.Unlock()
	again.evaluate(t.Context(), time.Now())
	if len(again.published) != 1 || len(again.invoked) != 0 {
		t.Errorf("told %v and %d functions, want the topic alone", again.published, len(again.invoked))
	}
}

func TestAnUnusualValueRings(t *testing.T) {
	w := open(t, enginetest.Streams(t), nil)
	end := time.Now().Truncate(time.Hour)
	at := end.Add(-5 * 24 * time.Hour)
	for ; at.Before(end); at = at.Add(time.Hour) {
		w.put(t, at, 100+float64(at.Hour()%3))
	}
	unusual := Alarm{
		AlarmName: "unusual", EvaluationPeriods: 1, ComparisonOperator: outside, ThresholdMetricID: "ad1",
		Metrics: []metric.MetricDataQuery{
			{ID: "m1", MetricStat: &metric.MetricStat{Metric: &metric.Metric{Namespace: "shop", MetricName: "Orders"}, Period: 3600, Stat: "Sum"}},
			{ID: "ad1", Expression: "ANOMALY_DETECTION_BAND(m1, 3)"},
		},
	}
	if err := unusual.Check(); err != nil {
		t.Fatal(err)
	}
	if err := w.Replace(t.Context(), "shop-dev", []Alarm{unusual}); err != nil {
		t.Fatal(err)
	}
	state := func(at time.Time) string {
		w.evaluate(t.Context(), at)
		out, err := w.DescribeAlarms(t.Context(), DescribeAlarmsInput{AlarmNames: []string{"unusual"}})
		if err != nil || len(out.MetricAlarms) != 1 {
			t.Fatal(out, err)
		}
		return out.MetricAlarms[0].StateValue
	}
	if got := state(end); got != OK {
		t.Errorf("as usual: got %s, want OK", got)
	}
	w.put(t, end, 10)
	if got := state(end.Add(time.Hour)); got != Ringing {
		t.Errorf("a tenth of it: got %s, want ALARM", got)
	}
}

func TestWrongAlarmsAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Alarm)
		want   string
	}{
		"no name":           {func(a *Alarm) { a.AlarmName = "" }, "AlarmName must"},
		"no threshold":      {func(a *Alarm) { a.Threshold = nil }, "needs a Threshold"},
		"more than N":       {func(a *Alarm) { a.DatapointsToAlarm = 4 }, "DatapointsToAlarm must"},
		"comparison":        {func(a *Alarm) { a.ComparisonOperator = outside }, "is none of"},
		"two statistics":    {func(a *Alarm) { a.ExtendedStatistic = "p99" }, "one of them"},
		"no such statistic": {func(a *Alarm) { a.Statistic = "Median" }, "Median"},
		"an EC2 action":     {func(a *Alarm) { a.AlarmActions = []string{"arn:aws:automate:us-east-1:ec2:stop"} }, "not the ARN of a topic"},
		"a week of minutes": {func(a *Alarm) { a.EvaluationPeriods, a.DatapointsToAlarm = 2000, 1 }, "more than a day"},
		"no band":           {func(a *Alarm) { a.ThresholdMetricID = "x" }, "the Id of none"},
	} {
		t.Run(name, func(t *testing.T) {
			a := orders(1)
			test.change(&a)
			if err := a.Check(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
