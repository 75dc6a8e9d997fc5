package alert_test

import (
	"context"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/query"
	"github.com/dropstack/dropstack/internal/metric"
)

// TestAReplayedWeek plays a week of a company's traffic to the shipped rules, by a
// clock that is not ours, after eight days that they have recorded. Somebody guesses
// links, a deployment makes a function slow, and uploads break off: each is found
// within a quarter of an hour, and nothing else is, though a campaign, lunch, nights,
// a weekend, growth, jobs at night and the usual failures go on. The week takes two
// minutes: DROPSTACK_REPLAY=week plays all of it, without it the same comes in two days.
func TestAReplayedWeek(t *testing.T) {
	length, plants := 2*24*time.Hour, []plant{
		{"ClientRefusedOften 203.0.113.9", 10 * time.Hour, 40 * time.Minute},
		{"FunctionSlow web", 14*time.Hour + 30*time.Minute, 90 * time.Minute},
		{"TrafficFell upload", 1*24*time.Hour + 16*time.Hour, 90 * time.Minute},
	}
	if os.Getenv("DROPSTACK_REPLAY") == "week" {
		length = 7 * 24 * time.Hour
		for i, day := range []int{1, 3, 4} {
			plants[i].after = plants[i].after%(24*time.Hour) + time.Duration(day)*24*time.Hour
		}
	}
	if testing.Short() { // the first of them alone
		length, plants = 2*time.Hour, plants[:1]
		plants[0].after = time.Hour
	}
	synctest.Test(t, func(t *testing.T) {
		monday := time.Now().Truncate(24 * time.Hour).Add(learning)
		for monday.Weekday() != time.Monday {
			monday = monday.Add(24 * time.Hour)
		}
		time.Sleep(time.Until(monday))
		visits := &visitors{}
		w, done := openWorld(t, t.TempDir(), &alert.Watcher{Every: 5 * time.Minute, Logs: visits})
		defer done()
		p := &play{world: w, visits: visits, rand: rand.New(rand.NewPCG(7, 11)), start: monday, plants: plants}
		p.remember(t)
		for time.Since(monday) < length {
			p.minute(time.Now())
			time.Sleep(time.Minute)
		}
		synctest.Wait()

		var found []string
		for _, b := range w.begun() {
			found = append(found, b.key)
			i := slices.IndexFunc(p.plants, func(q plant) bool { return q.key == b.key })
			if i < 0 {
				t.Errorf("%s, %s: nothing of that was planted", b.at.Format("Monday 15:04"), b.key)
				continue
			}
			took := b.at.Sub(monday.Add(p.plants[i].after))
			t.Logf("%s: found after %v", b.key, took)
			if took < 0 || took > 15*time.Minute {
				t.Errorf("%s was found %v after it began, want within a quarter of an hour", b.key, took)
			}
		}
		var want []string
		for _, q := range p.plants {
			want = append(want, q.key)
		}
		if diff := cmp.Diff(want, found); diff != "" {
			t.Errorf("found (-want +got):\n%s", diff)
		}
	})
}

// plant is something that is to be found.
type plant struct {
	key   string        // rule and what of
	after time.Duration // since the beginning
	long  time.Duration
}

// play is the traffic.
type play struct {
	*world
	visits *visitors
	rand   *rand.Rand
	start  time.Time
	plants []plant
}

// on says whether a plant is being played.
func (p *play) on(rule string, at time.Time) bool {
	return slices.ContainsFunc(p.plants, func(q plant) bool {
		return strings.HasPrefix(q.key, rule) && !at.Before(p.start.Add(q.after)) && at.Before(p.start.Add(q.after+q.long))
	})
}

// crowd is how much goes on at a moment, 1 at noon of the first Monday.
func (p *play) crowd(at time.Time) float64 {
	hour := at.Sub(at.Truncate(24 * time.Hour)).Hours()
	v := 0.55 - 0.45*math.Cos(2*math.Pi*(hour-2)/24)
	if hour > 12 && hour < 13 {
		v *= 0.8
	}
	if d := at.Weekday(); d == time.Saturday || d == time.Sunday {
		v *= 0.45
	}
	age := at.Sub(p.start)
	v *= 1 + 0.02*age.Hours()/24
	if age > 0 && int(age.Hours())/24 == 2 && hour >= 15 && hour < 16 { // a campaign
		v *= 2.5
	}
	return v
}

// learning is how long the rules have recorded before the week.
const learning = 8 * 24 * time.Hour

// services are the functions that people's visits call: how often a minute at noon,
// how long they take, how many fail.
var services = []struct {
	name    string
	calls   float64
	usual   time.Duration
	failing float64
}{
	{"web", 60, 40 * time.Millisecond, 0.005},
	{"upload", 12, 120 * time.Millisecond, 0.01},
	{"thumbnail", 12, 300 * time.Millisecond, 0.02},
}

// remember writes what the rules that record would have written of the days before.
func (p *play) remember(t *testing.T) {
	for at := p.start.Add(-learning); at.Before(p.start); at = at.Add(2 * time.Minute) {
		for _, s := range services {
			expected := s.calls * p.crowd(at)
			record := func(name string, v float64) {
				if err := p.Metrics.Record(t.Context(), name, metric.Labels{"function": s.name}, at, v); err != nil {
					t.Fatal(err)
				}
			}
			record("dropstack_function_invocations:rate5m", float64(p.about(5*expected))/300)
			durations := make([]time.Duration, p.about(10*expected))
			for i := range durations {
				durations[i] = p.took(s.usual)
			}
			if slices.Sort(durations); len(durations) >= 60 {
				record("dropstack_function_duration_seconds:p95_10m", durations[len(durations)*95/100].Seconds())
			}
		}
	}
}

// took is about as long as usual.
func (p *play) took(usual time.Duration) time.Duration {
	return time.Duration(float64(usual) * math.Exp(0.4*p.rand.NormFloat64()))
}

// about is a number of events of which so many are expected.
func (p *play) about(expected float64) int {
	if expected > 30 {
		return max(0, int(math.Round(expected+math.Sqrt(expected)*p.rand.NormFloat64())))
	}
	n, limit, product := 0, math.Exp(-expected), p.rand.Float64()
	for product > limit {
		n++
		product *= p.rand.Float64()
	}
	return n
}

func (p *play) minute(at time.Time) {
	crowd := p.crowd(at)
	for _, s := range services {
		calls, usual := s.calls*crowd, s.usual
		if s.name == "upload" && p.on("TrafficFell", at) {
			calls /= 20
		}
		if s.name == "web" && p.on("FunctionSlow", at) {
			usual = usual * 5 / 2
		}
		p.calls(s.name, calls, usual, s.failing)
	}
	if p.rand.IntN(400) == 0 {
		p.calls("rare", 1, time.Second, 0.1)
	}
	if at.Hour() == 3 && at.Minute() < 5 {
		p.calls("nightly", 20, 5*time.Second, 0)
	}
	p.visits.forget(at.Add(-20 * time.Minute))
	for range p.about(30 * crowd) {
		status := 200
		if p.rand.IntN(30) == 0 {
			status = 404
		}
		p.visits.visit(at, fmt.Sprintf("198.51.100.%d", p.rand.IntN(250)), status)
	}
	if p.on("ClientRefusedOften", at) {
		for range 40 {
			p.visits.visit(at, "203.0.113.9", 404)
		}
	}
}

// calls of a function, each about as long as usual.
func (p *play) calls(name string, expected float64, usual time.Duration, failing float64) {
	for range p.about(expected) {
		r := metric.Run{Function: name, Version: "1", Duration: p.took(usual)}
		failed := p.rand.Float64() < failing
		if failed {
			r.ErrorType = "Unhandled"
		}
		p.functions.Ran(r)
		p.streaks.Ran(name, failed)
	}
}

// begun are the alerts that began to fire, and when we were told.
func (n *told) begun() (list []beginning) {
	n.mu.Lock()
	defer n.mu.Unlock()
	firing := map[string]bool{}
	for _, a := range n.list {
		key := a.Rule
		for _, label := range []string{"function", "c_ip", "topic", "rule"} {
			if v := a.Labels[label]; v != "" {
				key += " " + v
			}
		}
		if a.Ends.IsZero() && !firing[key] {
			list = append(list, beginning{key, a.Starts})
		}
		firing[key] = a.Ends.IsZero()
	}
	return list
}

type beginning struct {
	key string
	at  time.Time
}

// visitors is the edge's log of the last minutes, which is asked as the platform's is.
type visitors struct {
	mu      sync.Mutex
	records []logs.Record
}

const visitsGroup = logs.DistributionGroup + "E2EXAMPLE"

func (v *visitors) visit(at time.Time, client string, status int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.records = append(v.records, logs.Record{Time: at, Group: visitsGroup, Message: "GET /", Fields: []logs.Field{
		{Name: "c-ip", Value: client}, {Name: "sc-status", Value: strconv.Itoa(status)},
	}})
}

func (v *visitors) forget(before time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.records = slices.DeleteFunc(v.records, func(r logs.Record) bool { return r.Time.Before(before) })
}

// Batches is the log as one batch.
func (v *visitors) Batches(context.Context, logs.Selection) iter.Seq2[logs.Batch, error] {
	return func(yield func(logs.Batch, error) bool) {
		v.mu.Lock()
		defer v.mu.Unlock()
		if len(v.records) > 0 {
			yield(logs.NewBatch(visitsGroup, v.records), nil)
		}
	}
}

func (v *visitors) Rows(ctx context.Context, text string, _ []string, start, end time.Time) ([]alert.Row, error) {
	q, err := query.Parse(text)
	if err != nil {
		return nil, err
	}
	result, err := query.Run(ctx, v, q, query.Range{Start: start, End: end}, nil)
	if err != nil {
		return nil, err
	}
	var rows []alert.Row
	for _, values := range result.Rows {
		row := alert.Row{Labels: map[string]string{}, Value: 1}
		for i, value := range values {
			if n, ok := value.Float(); ok {
				row.Value = n
			} else {
				row.Labels[result.Columns[i]] = value.String()
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}
