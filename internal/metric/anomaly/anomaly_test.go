package anomaly_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/metric/anomaly"
)

const step = 5 * time.Minute

// monday is where the series begin.
var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// traffic is requests a second as offices make them: few at night, half at weekends,
// each value a tenth off.
func traffic(at time.Time, r *rand.Rand) float64 {
	v := 100 - 80*math.Cos(2*math.Pi*(at.Sub(at.Truncate(24*time.Hour)).Hours()-2)/24)
	if d := at.Weekday(); d == time.Saturday || d == time.Sunday {
		v /= 2
	}
	return v * (1 + 0.1*r.NormFloat64())
}

// series goes until an end; change may alter its values.
func series(end time.Time, change func(at time.Time, v float64) float64) (points []anomaly.Point) {
	r := rand.New(rand.NewPCG(1, 2))
	for at := monday; !at.After(end); at = at.Add(step) {
		points = append(points, anomaly.Point{Time: at.UnixMilli(), Value: change(at, traffic(at, r))})
	}
	return points
}

func as(_ time.Time, v float64) float64 { return v }

// from alters what comes after a moment.
func from(start time.Time, factor float64) func(time.Time, float64) float64 {
	return func(at time.Time, v float64) float64 {
		if at.Before(start) {
			return v
		}
		return v * factor
	}
}

func judge(t *testing.T, m anomaly.Mode, points []anomaly.Point) float64 {
	t.Helper()
	v, ok := anomaly.Judge(m, points)
	if !ok {
		t.Fatalf("%v knows too little of %d points", m, len(points))
	}
	return v.Score(0)
}

// high is a score that people are told of.
const high = 5.0

func TestNothingUnusualIsFoundInThreeWeeks(t *testing.T) {
	points := series(monday.Add(21*24*time.Hour), as)
	for _, m := range []anomaly.Mode{anomaly.Basic, anomaly.Agile, anomaly.Robust} {
		found, judged := 0, 0
		for n := 1; n <= len(points); n += 3 {
			v, ok := anomaly.Judge(m, points[:n])
			if !ok || n < 24*12 { // basic takes the first morning for what it is
				continue
			}
			judged++
			// Twice in a row is what a rule waits for.
			if w, _ := anomaly.Judge(m, points[:n-1]); math.Abs(v.Score(0)) > high && math.Abs(w.Score(0)) > high {
				found++
				t.Logf("%v at %v: %+v", m, time.UnixMilli(points[n-1].Time).UTC(), v)
			}
		}
		if judged < 1800 || found > 0 {
			t.Errorf("%v: %d of %d are unusual, want none", m, found, judged)
		}
	}
}

func TestADropIsFoundAtOnce(t *testing.T) {
	for name, start := range map[string]time.Time{
		"on a working day":   monday.Add((3*24 + 11) * time.Hour),
		"on the next sunday": monday.Add((13*24 + 15) * time.Hour),
		"at night":           monday.Add((9*24 + 3) * time.Hour),
	} {
		points := series(start.Add(step), from(start, 0.1))
		for _, m := range []anomaly.Mode{anomaly.Agile, anomaly.Robust} {
			if got := judge(t, m, points); got > -high {
				t.Errorf("%s: %v says %.1f of a tenth of the traffic, want less than %v", name, m, got, -high)
			}
		}
	}
}

func TestANewLevelIsAdopted(t *testing.T) {
	start := monday.Add((9*24 + 9) * time.Hour)
	for _, c := range []struct {
		mode  anomaly.Mode
		after time.Duration
		usual bool
	}{
		{anomaly.Agile, 30 * time.Minute, false},
		{anomaly.Agile, 3 * time.Hour, true},
		{anomaly.Robust, 3 * time.Hour, false},
		{anomaly.Robust, 12 * time.Hour, false},
		{anomaly.Robust, 36 * time.Hour, true},
	} {
		got := judge(t, c.mode, series(start.Add(c.after), from(start, 3)))
		if usual := math.Abs(got) < high; usual != c.usual {
			t.Errorf("%v says %.1f of a level that holds for %v; usual %v, want %v", c.mode, got, c.after, usual, c.usual)
		}
	}
}

func TestBasicKnowsNoSeasons(t *testing.T) {
	noon := monday.Add((8*24 + 14) * time.Hour)
	points := series(noon, from(noon.Add(-step), 0.3)) // what a morning has
	if got := judge(t, anomaly.Basic, points); math.Abs(got) > high {
		t.Errorf("basic says %.1f of what every morning has", got)
	}
	if got := judge(t, anomaly.Robust, points); got > -high {
		t.Errorf("robust says %.1f of a third of the traffic", got)
	}
}

func TestAnIncidentLastWeekIsNotTheRule(t *testing.T) {
	start := monday.Add((7*24 + 10) * time.Hour)
	out := func(at time.Time, v float64) float64 {
		if !at.Before(start) && at.Before(start.Add(2*time.Hour)) {
			return 0
		}
		return v
	}
	if got := judge(t, anomaly.Robust, series(start.Add(25*time.Hour), out)); math.Abs(got) > high {
		t.Errorf("a day after an outage robust says %.1f of usual traffic", got)
	}
}

func TestTooLittleIsKnown(t *testing.T) {
	for name, points := range map[string][]anomaly.Point{
		"nothing": nil,
		"an hour": series(monday.Add(time.Hour), as),
	} {
		for _, m := range []anomaly.Mode{anomaly.Basic, anomaly.Agile, anomaly.Robust} {
			if v, ok := anomaly.Judge(m, points); ok {
				t.Errorf("%s: %v says %+v", name, m, v)
			}
		}
	}
}

func TestScores(t *testing.T) {
	for _, c := range []struct {
		name  string
		v     anomaly.Verdict
		least float64
		want  float64
	}{
		{"more than usual", anomaly.Verdict{Value: 30, Expected: 10, Deviation: 5}, 0, 4},
		{"less", anomaly.Verdict{Value: 0, Expected: 10, Deviation: 5}, 10, -2},
		{"both below the volume", anomaly.Verdict{Value: 9, Expected: 1, Deviation: 0.05}, 10, 0},
		{"from nothing to something", anomaly.Verdict{Value: 20, Expected: 0, Deviation: 2}, 10, 10},
	} {
		if got := c.v.Score(c.least); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
	constant := make([]anomaly.Point, 100)
	for i := range constant {
		constant[i] = anomaly.Point{Time: monday.Add(time.Duration(i) * step).UnixMilli(), Value: 7}
	}
	if got := judge(t, anomaly.Basic, constant); got != 0 {
		t.Errorf("a series that never moved scores %v", got)
	}
}

func BenchmarkRobust(b *testing.B) {
	points := series(monday.Add(21*24*time.Hour), as)
	for b.Loop() {
		anomaly.Judge(anomaly.Robust, points)
	}
}
