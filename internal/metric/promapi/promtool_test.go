package promapi_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/testkit/promtool"
)

// Prometheus' own tool asks.
func TestPromtoolAsks(t *testing.T) {
	if testing.Short() {
		t.Skip("not run: promtool takes a minute to build, which -short spares")
	}
	s := open(t)
	f := &metric.Functions{Store: s}
	for range 3 {
		f.Ran(metric.Run{Function: "f", Version: "1", Trigger: "http", ErrorType: "Oops", Duration: time.Second})
	}
	if err := s.Flush(t.Context()); err != nil { // promtool asks about the moment when it starts
		t.Fatal(err)
	}
	link, tool := serve(t, s), promtool.Path(t)
	for _, c := range []struct {
		args string
		want string // in the output
	}{
		{"query instant URL dropstack_function_errors_total", `dropstack_function_errors_total{function="f", trigger="http", type="Oops", version="1"} => 3 @[`},
		{"query instant URL histogram_count(dropstack_function_duration_seconds)", `{function="f", version="1"} => 3 @[`},
		{"query instant URL dropstack_function_duration_seconds", `=> Count: 3.000000, Sum: 3.000000, Buckets: [(0.97`},
		{"query range --start=1 --end=61 --step=30s URL time()", "{} =>\n1 @[1]\n31 @[31]\n61 @[61]"},
		{"query series --match=dropstack_function_invocations_total URL", `{__name__="dropstack_function_invocations_total", function="f", trigger="http", version="1"}`},
		{"query labels URL trigger", "http"},
		{"query labels URL __name__", "dropstack_function_duration_seconds\n"},
		{"check rules ../../alert/shipped.yml", "rules found"}, // those that need nothing but Prometheus
	} {
		args := strings.Fields(strings.ReplaceAll(c.args, "URL", link))
		out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("promtool %s: got %s (%v), want %s", c.args, out, err, c.want)
		}
	}
	if out, err := exec.CommandContext(t.Context(), tool, "query", "instant", link, "sum(").CombinedOutput(); err == nil || !strings.Contains(string(out), "bad_data") {
		t.Errorf("what is no PromQL: got %s, %v", out, err)
	}
}
