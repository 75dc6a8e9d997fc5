package deploy_test

import (
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

func TestWeightsByTypeAndTime(t *testing.T) {
	for _, tt := range []struct {
		kind  string
		after time.Duration
		want  float64
	}{
		{"AllAtOnce", 0, 1},
		{"CodeDeployDefault.LambdaAllAtOnce", 0, 1},
		{"Canary10Percent5Minutes", 0, 0.1},
		{"Canary10Percent5Minutes", 5*time.Minute - 1, 0.1},
		{"Canary10Percent5Minutes", 5 * time.Minute, 1},
		{"CodeDeployDefault.LambdaCanary10Percent30Minutes", 29 * time.Minute, 0.1},
		{"Linear10PercentEvery1Minute", 0, 0.1},
		{"Linear10PercentEvery1Minute", 90 * time.Second, 0.2},
		{"Linear10PercentEvery1Minute", 9*time.Minute - 1, 0.9},
		{"Linear10PercentEvery1Minute", 9 * time.Minute, 1},
		{"CodeDeployDefault.LambdaLinear10PercentEvery10Minutes", 25 * time.Minute, 0.3},
		{"Linear30PercentEvery2Hours", 5 * time.Hour, 0.9},
		{"Linear30PercentEvery2Hours", 6 * time.Hour, 1},
		{"Canary5Percent1Second", 0, 0.05},
	} {
		if got, err := deploy.Weight(tt.kind, tt.after); err != nil || got != tt.want {
			t.Errorf("%s after %s: got %v, %v, want %v", tt.kind, tt.after, got, err, tt.want)
		}
	}
	for _, wrong := range []string{
		"", "allatonce", "Canary10Percent", "Canary0Percent5Minutes", "Canary100Percent5Minutes", "Canary10Percent0Minutes", "Canary10Percent5Days",
		"Linear10Percent1Minute", "Linear1PercentEvery1Hour", "CodeDeployDefault.ECSAllAtOnce", "Canary10Percent5Minutes ",
	} {
		if _, err := deploy.Weight(wrong, 0); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

func TestAStepBeginsAnewAfterARestart(t *testing.T) {
	for _, tt := range []struct {
		kind   string
		weight float64
		want   time.Duration
	}{
		{"Canary10Percent5Minutes", 0.1, 0},
		{"Canary10Percent5Minutes", 1, 5 * time.Minute},
		{"Linear20PercentEvery3Minutes", 0.2, 0},
		{"Linear20PercentEvery3Minutes", 0.6, 6 * time.Minute},
		{"AllAtOnce", 1, 0},
	} {
		if got, err := deploy.Resumed(tt.kind, tt.weight); err != nil || got != tt.want {
			t.Errorf("%s at %v: got %v, %v, want %v", tt.kind, tt.weight, got, err, tt.want)
		}
	}
}

func TestWhenAVersionIsGivenUp(t *testing.T) {
	for name, tt := range map[string]struct {
		next, old function.Tally
		want      bool
	}{
		"all fail":                             {function.Tally{Ended: 10, Failed: 10}, function.Tally{Ended: 90}, true},
		"all fail, nobody has the old version": {function.Tally{Ended: 10, Failed: 10}, function.Tally{}, true},
		"too few to say":                       {function.Tally{Ended: 9, Failed: 9}, function.Tally{Ended: 90}, false},
		"two of many":                          {function.Tally{Ended: 10, Failed: 2}, function.Tally{Ended: 90}, false},
		"a third":                              {function.Tally{Ended: 30, Failed: 10}, function.Tally{Ended: 270}, true},
		"a few of a thousand":                  {function.Tally{Ended: 1000, Failed: 40}, function.Tally{Ended: 9000}, false},
		"both fail alike":                      {function.Tally{Ended: 50, Failed: 25}, function.Tally{Ended: 450, Failed: 225}, false},
		"both fail always":                     {function.Tally{Ended: 50, Failed: 50}, function.Tally{Ended: 450, Failed: 450}, false},
		"chance":                               {function.Tally{Ended: 20, Failed: 6}, function.Tally{Ended: 180, Failed: 36}, false},
		"worse than a bad one":                 {function.Tally{Ended: 100, Failed: 60}, function.Tally{Ended: 900, Failed: 180}, true},
		"better":                               {function.Tally{Ended: 100, Failed: 10}, function.Tally{Ended: 900, Failed: 450}, false},
	} {
		if why := deploy.Failing(tt.next, tt.old); (why != "") != tt.want {
			t.Errorf("%s: %q, want given up: %v", name, why, tt.want)
		}
	}
}
