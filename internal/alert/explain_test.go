package alert_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropstack/dropstack/internal/alert"
)

func TestWhySaysWhatIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, done := openWorld(t, t.TempDir(), &alert.Watcher{})
		defer done()
		w.minutes(6, map[string][2]int{"half": {50, 20}, "most": {50, 40}})
		got, err := w.Explain(t.Context(), alert.ExplainInput{Name: "FunctionErrors"})
		if err != nil {
			t.Fatal(err)
		}
		if got.State != alert.Firing || len(got.Active) != 1 || got.Active[0].Labels["function"] != "most" || time.Since(got.Changed) > 6*time.Minute || got.Changed.IsZero() {
			t.Errorf("state %s, active %+v, changed %v", got.State, got.Active, got.Changed)
		}
		if len(got.Parts) != 4 || got.Parts[0].Condition != "> 0.5" || got.Parts[1].Condition != "" || got.Parts[3].Condition != ">= 10" {
			t.Fatalf("parts: %+v", got.Parts)
		}
		ratio := got.Parts[0]
		if ratio.Series != 2 || ratio.Holding != 1 || ratio.Values[0].Labels["function"] != "most" || !ratio.Values[0].Holds {
			t.Errorf("the ratio: %+v", ratio)
		}
		if short := ratio.Values[1].Short; short == nil || *short < 0.05 || *short > 0.15 || ratio.Values[1].Last[len(ratio.Values[1].Last)-1] == nil {
			t.Errorf("of half: %+v, want about a tenth missing, and its past", ratio.Values[1])
		}
		one, err := w.Explain(t.Context(), alert.ExplainInput{Name: "FunctionErrors", Labels: map[string]string{"function": "half"}})
		if err != nil || len(one.Active) != 0 || one.Parts[0].Series != 1 {
			t.Errorf("of half alone: %+v, %v", one, err)
		}
		if _, err := w.Explain(t.Context(), alert.ExplainInput{Name: "Nothing"}); err == nil || !strings.Contains(err.Error(), "dropstack alert rules") {
			t.Errorf("of no rule: %v", err)
		}
	})
}

func TestReplaySaysWhenARuleWouldHaveFired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, done := openWorld(t, t.TempDir(), &alert.Watcher{Without: []string{"all"}})
		defer done()
		begin := time.Now()
		w.minutes(10, map[string][2]int{"a": {50, 0}})
		w.minutes(10, map[string][2]int{"a": {50, 45}})
		w.minutes(20, map[string][2]int{"a": {50, 0}})
		in := alert.ReplayInput{Since: 40 * time.Minute, Rules: []alert.Rule{
			{Name: "Errors", Expr: "sum by (function) (increase(dropstack_function_errors_total[5m])) > 20", For: time.Minute, Labels: map[string]string{"severity": "critical"}},
			{Name: "Never", Expr: "sum by (function) (increase(dropstack_function_errors_total[5m])) > 1000"},
			{Name: "Logs", Query: "error"},
		}}
		got, err := w.Replay(t.Context(), in)
		if err != nil || len(got.Fires) != 1 || len(got.Without) != 1 {
			t.Fatalf("got %+v, %v, want one fire", got, err)
		}
		f := got.Fires[0]
		starts, ends := f.Starts.Sub(begin), f.Ends.Sub(begin)
		if f.Rule != "Errors" || f.Labels["function"] != "a" || starts < 11*time.Minute || starts > 13*time.Minute || ends < 24*time.Minute || ends > 26*time.Minute || f.Most < 100 {
			t.Errorf("got %+v: from %v to %v", f, starts, ends)
		}
		in.Rules = []alert.Rule{{Name: "Wrong", Expr: "sum("}}
		if _, err := w.Replay(t.Context(), in); err == nil {
			t.Error("what is no PromQL is tried out")
		}
	})
}
