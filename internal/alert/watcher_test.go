package alert_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/alert"
)

func TestWaitingOutlastsARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		rule := alert.Declared{Rules: []alert.Rule{{Name: "Busy", Expr: `dropstack_function_invocations_total > 0`, For: 10 * time.Minute}}}
		w, done := openWorld(t, dir, &alert.Watcher{Without: []string{"all"}})
		if err := w.Replace("shop-dev", &rule); err != nil {
			t.Fatal(err)
		}
		w.minutes(8, map[string][2]int{"a": {10, 0}})
		if got := w.Alerts(); len(got) != 1 || got[0].State != alert.Pending || got[0].Labels["stack"] != "shop-dev" {
			t.Fatalf("before the restart: got %+v, want one that is pending", got)
		}
		done()
		w, done = openWorld(t, dir, &alert.Watcher{Without: []string{"all"}})
		defer done()
		if err := w.Replace("shop-dev", &rule); err != nil {
			t.Fatal(err)
		}
		w.minutes(4, map[string][2]int{"a": {10, 0}})
		if diff := cmp.Diff([]string{"Busy a"}, w.changes()); diff != "" {
			t.Errorf("twelve minutes after it began (-want +got):\n%s", diff)
		}
	})
}

func TestAStackTunesWhatIsShipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, done := openWorld(t, t.TempDir(), &alert.Watcher{})
		defer done()
		lower := 0.2
		for stack, d := range map[string]*alert.Declared{
			"loud":  {Functions: []string{"loud"}, Settings: alert.Settings{Owner: "ann@example.com", Receiver: "shop", Shipped: map[string]alert.Tune{"FunctionErrors": {Threshold: &lower}}}},
			"quiet": {Functions: []string{"quiet"}, Settings: alert.Settings{Shipped: map[string]alert.Tune{"FunctionErrors": {Off: true}}}},
			"plain": {Functions: []string{"plain"}, Settings: alert.Settings{Owner: "bob"}},
		} {
			if err := w.Replace(stack, d); err != nil {
				t.Fatal(err)
			}
		}
		w.minutes(6, map[string][2]int{"loud": {50, 20}, "quiet": {50, 40}, "plain": {50, 20}, "other": {50, 40}})
		got := w.changes()
		slices.Sort(got)
		if diff := cmp.Diff([]string{"FunctionErrors loud", "FunctionErrors other"}, got); diff != "" {
			t.Errorf("alerts (-want +got):\n%s", diff)
		}
		for _, a := range w.Alerts() {
			if a.Labels["function"] == "loud" && (a.Annotations["owner"] != "ann@example.com" || a.Labels["receiver"] != "shop" || a.Labels["stack"] != "loud") {
				t.Errorf("got %+v, want the stack's owner and receiver", a)
			}
		}
		if err := w.Replace("quiet", &alert.Declared{Functions: []string{"quiet"}}); err != nil {
			t.Fatal(err)
		}
		w.minutes(2, map[string][2]int{"quiet": {50, 40}})
		if got := w.changes(); !slices.Contains(got, "FunctionErrors quiet") {
			t.Errorf("got %v, want the rule to hold for quiet again", got)
		}
	})
}

func TestFilesAreReadAgainWhenTheyChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "rules.yml")
		write := func(doc string) {
			t.Helper()
			if err := os.WriteFile(path, []byte(doc), 0o600); err != nil {
				t.Fatal(err)
			}
			w := time.Now()
			if err := os.Chtimes(path, w, w); err != nil {
				t.Fatal(err)
			}
			time.Sleep(11 * time.Second)
			synctest.Wait()
		}
		first := "groups:\n- name: mine\n  rules:\n  - {alert: One, expr: vector(1) > 0}\n  - {record: doubled, expr: vector(2)}\n"
		if err := os.WriteFile(path, []byte(first), 0o600); err != nil {
			t.Fatal(err)
		}
		w, done := openWorld(t, t.TempDir(), &alert.Watcher{Files: []string{dir}, Without: []string{"all"}})
		defer done()
		names := func() (list []string) {
			for _, r := range w.Rules() {
				list = append(list, r.Name)
			}
			return list
		}
		write(strings.Replace(first, "vector(1) > 0", "vector(1) >", 1))
		if diff := cmp.Diff([]string{"One", "doubled"}, names()); diff != "" {
			t.Errorf("the old rules are not kept (-want +got):\n%s", diff)
		}
		if got := w.Refused(); !strings.Contains(got, "rules.yml:4: ") {
			t.Errorf("got %q, want the line", got)
		}
		write(strings.Replace(first, "One", "Two", 1))
		if diff := cmp.Diff([]string{"Two", "doubled"}, names()); diff != "" || w.Refused() != "" {
			t.Errorf("%s (-want +got):\n%s", w.Refused(), diff)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([]string{"One", "One ended", "Two"}, w.changes()); diff != "" {
			t.Errorf("alerts (-want +got):\n%s", diff)
		}
		got, err := w.Metrics.Instant(t.Context(), "doubled", time.Now())
		if err != nil || len(got) != 1 || got[0].Points[0].Value != 2 {
			t.Errorf("doubled: got %v, %v, want 2", got, err)
		}
		if got, err := w.Metrics.Instant(t.Context(), `ALERTS{alertname="Two"}`, time.Now()); err != nil || len(got) != 1 {
			t.Errorf("ALERTS: got %v, %v, want one series", got, err)
		}
	})
}

func TestWrongRulesSayWhere(t *testing.T) {
	for name, test := range map[string]struct{ doc, want string }{
		"no YAML":         {"groups: [", "f.yml: "},
		"unknown field":   {"groups:\n- name: a\n  rules:\n  - alert: A\n    exprr: up", `f.yml:5: a rule has no field "exprr"`},
		"no PromQL":       {"groups:\n- name: a\n  rules:\n  - alert: A\n    expr: sum(", "f.yml:5: rule A: could not parse"},
		"two names":       {"groups:\n- name: a\n  rules:\n  - alert: A\n    record: b\n    expr: up", "f.yml:4: a rule is an alert or a record"},
		"no time":         {"groups:\n- name: a\n  interval: soon\n  rules: []", "f.yml:3: interval: "},
		"template":        {"groups:\n- name: a\n  rules:\n  - alert: A\n    expr: up\n    annotations: {summary: '{{ $labl }}'}", "f.yml:5: rule A: annotation"},
		"group twice":     {"groups:\n- name: a\n- name: a\n", `f.yml:3: group "a" is there already, in line 2`},
		"group no name":   {"groups:\n- rules: []\n", "f.yml:2: a group needs a name"},
		"both questions":  {"groups:\n- name: a\n  rules:\n  - alert: A\n    expr: up\n    query: error", "f.yml:6: rule A needs an expr"},
		"records of logs": {"groups:\n- name: a\n  rules:\n  - record: a\n    query: error", "f.yml:5: rule a records"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := alert.Parse("f.yml", []byte(test.doc))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
