package alert_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/metric"
)

// TestAReplayedWeek plays a fortnight of a company's traffic to the shipped rules, by
// a clock that is not ours. In the first week there is nothing to find. In the second
// somebody guesses links, a deployment makes a function slow, and uploads break off:
// each is found within a quarter of an hour, and nothing else is, though campaigns,
// lunch, nights, weekends, growth, jobs at night and the usual failures go on.
func TestAReplayedWeek(t *testing.T) {
	if testing.Short() && os.Getenv("DROPSTACK_REPLAY") == "" {
		t.Skip("the detector of races takes minutes for it")
	}
	synctest.Test(t, func(t *testing.T) {
		visits := &visitors{}
		w, done := openWorld(t, t.TempDir(), &alert.Watcher{Every: time.Minute, Logs: visits})
		defer done()
		p := &play{world: w, visits: visits, rand: rand.New(rand.NewPCG(7, 11))}
		monday := time.Now().Truncate(24 * time.Hour)
		for monday.Weekday() != time.Monday {
			monday = monday.Add(24 * time.Hour)
		}
		time.Sleep(time.Until(monday))
		p.start = monday
		second := monday.Add(7 * 24 * time.Hour)
		p.plants = []plant{
			{"ClientRefusedOften 203.0.113.9", second.Add(1*24*time.Hour + 10*time.Hour), 40 * time.Minute},
			{"FunctionSlow web", second.Add(3*24*time.Hour + 14*time.Hour + 30*time.Minute), 90 * time.Minute},
			{"TrafficFell upload", second.Add(4*24*time.Hour + 16*time.Hour), 90 * time.Minute},
		}
		for time.Since(monday) < 14*24*time.Hour {
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
			took := b.at.Sub(p.plants[i].at)
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
	key string // rule and what of
	at  time.Time
	for_ time.Duration
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
		return strings.HasPrefix(q.key, rule) && !at.Before(q.at) && at.Before(q.at.Add(q.for_))
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
	if day := int(age.Hours()) / 24; (day == 2 || day == 9) && hour >= 15 && hour < 16 { // a campaign
		v *= 2.5
	}
	return v
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
	uploads := 12 * crowd
	if p.on("TrafficFell", at) {
		uploads /= 20
	}
	slow := 1.0
	if p.on("FunctionSlow", at) {
		slow = 2.5
	}
	p.calls("web", 60*crowd, 40*time.Millisecond*time.Duration(10*slow)/10, 0.005)
	p.calls("upload", uploads, 120*time.Millisecond, 0.01)
	p.calls("thumbnail", uploads, 300*time.Millisecond, 0.02)
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
		r := metric.Run{Function: name, Version: "1", Duration: time.Duration(float64(usual) * math.Exp(0.4*p.rand.NormFloat64()))}
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
