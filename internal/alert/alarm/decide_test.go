package alarm

import (
	"math"
	"testing"
	"time"
)

// The tables of CloudWatch's documentation of missing data: 0 is all right, X is
// beyond the threshold, - is missing; the newest period is the last.
func TestMissingDataIsTreatedAsAWSDoes(t *testing.T) {
	const stays = ""
	for _, test := range []struct {
		m       int
		data    string
		missing string
		ignore  string
		bad     string
		good    string
	}{
		{3, "0-X-X", OK, OK, OK, OK},
		{3, "----0", OK, OK, OK, OK},
		{3, "-----", Insufficient, stays, Ringing, OK},
		{3, "0XX-X", Ringing, Ringing, Ringing, Ringing},
		{3, "--X--", Ringing, stays, Ringing, OK},
		{2, "0-X-X", Ringing, Ringing, Ringing, Ringing},
		{2, "00X0X", Ringing, Ringing, Ringing, Ringing},
		{2, "0-X--", OK, OK, Ringing, OK},
		{2, "----0", OK, OK, Ringing, OK},
		{2, "---X-", Ringing, stays, Ringing, OK},
		{3, "----X", stays, stays, Ringing, OK}, // what is missing may only be late
	} {
		for treat, want := range map[string]string{missing: test.missing, ignore: test.ignore, breaching: test.bad, notBreaching: test.good} {
			threshold := 1.0
			a := &Alarm{EvaluationPeriods: 3, DatapointsToAlarm: test.m, Threshold: &threshold, ComparisonOperator: above, TreatMissingData: treat}
			var points []datapoint
			for i, c := range test.data {
				v := map[rune]float64{'0': 0, 'X': 2, '-': math.NaN()}[c]
				points = append(points, datapoint{time.Unix(int64(60*i), 0), v, threshold, threshold})
			}
			if got := a.decide(points).state; got != want {
				t.Errorf("%d of 3, %s, %s: got %q, want %q", test.m, test.data, treat, got, want)
			}
		}
	}
}

func TestTheReasonIsCloudWatchs(t *testing.T) {
	threshold := 1.0
	a := &Alarm{EvaluationPeriods: 1, Threshold: &threshold, ComparisonOperator: notBelow}
	at := time.Date(2026, 3, 1, 10, 23, 0, 0, time.UTC)
	for value, want := range map[float64]string{
		3:   "Threshold Crossed: 1 out of the last 1 datapoint [3.0 (01/03/26 10:23:00)] was greater than or equal to the threshold (1.0) (minimum 1 datapoint for OK -> ALARM transition).",
		0.5: "Threshold Crossed: 1 out of the last 1 datapoint [0.5 (01/03/26 10:23:00)] was not greater than or equal to the threshold (1.0) (minimum 1 datapoint for ALARM -> OK transition).",
	} {
		if got := a.decide([]datapoint{{at, value, threshold, threshold}}).reason; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
