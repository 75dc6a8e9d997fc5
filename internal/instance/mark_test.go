package instance

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/logs"
)

// The lines around an invocation say what they are, so that nobody has to take
// them apart: with Logs Insights' names, and in its units.
func TestLinesHaveFields(t *testing.T) {
	const root = "1-5759e988-bd862e3fe1be46a994272793"
	number := regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)
	for name, c := range map[string]struct {
		json bool
		want []string // @type of the lines
	}{
		"text": {false, []string{"START", "", "END", "REPORT"}},
		"JSON": {true, []string{"START", "", "REPORT"}},
	} {
		t.Run(name, func(t *testing.T) {
			p, s := newPool(t)
			cfg := probe()
			cfg.JSONLogs = c.json
			if _, err := p.Do(t.Context(), cfg, Event{
				RequestID: "r1", Payload: []byte(`{"mode":"print","text":"hello"}`), TraceID: "Root=" + root + ";Parent=53995c3f42cd8ad8;Sampled=0",
			}); err != nil {
				t.Fatal(err)
			}
			var kinds []string
			var report map[string]string
			for _, r := range s.records {
				if r.Request != "r1" {
					continue
				}
				f := byName(r.Fields)
				kinds = append(kinds, f[logs.FieldType])
				if len(f) > 0 && f[logs.FieldTrace] != root {
					t.Errorf("%s: trace got %q, want %q", r.Message, f[logs.FieldTrace], root)
				}
				if f[logs.FieldType] == "REPORT" {
					report = f
				}
			}
			if diff := cmp.Diff(c.want, kinds); diff != "" {
				t.Fatalf("want - got +\n%s", diff)
			}
			for _, name := range []string{logs.FieldDuration, logs.FieldBilled, logs.FieldMemorySize, logs.FieldMemoryUsed, logs.FieldInit} {
				if !number.MatchString(report[name]) {
					t.Errorf("%s: got %q, want a number", name, report[name])
				}
			}
			if got, want := report[logs.FieldMemorySize], "128000000"; got != want {
				t.Errorf("memory got %s, want %s", got, want)
			}
			if c.json {
				return
			}
			line := s.of("r1")[slices.Index(c.want, "REPORT")]
			if want := "Duration: " + report[logs.FieldDuration] + " ms\tBilled Duration: " + report[logs.FieldBilled] + " ms"; !strings.Contains(line, want) {
				t.Errorf("the line says otherwise than the fields: %q in %q", want, line)
			}
		})
	}
}

func TestNoTraceNoField(t *testing.T) {
	for _, header := range []string{"", "Root=1", "anything"} {
		if got := byName(marked("START", header)); len(got) != 1 {
			t.Errorf("%q: got %v, want the type alone", header, got)
		}
	}
}

func byName(fields []logs.Field) map[string]string {
	m := map[string]string{}
	for _, f := range fields {
		m[f.Name] = f.Value
	}
	return m
}
