package server

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/logstest"
)

func TestRulesAskTheLogs(t *testing.T) {
	store := &logstest.Book{}
	now := time.Now()
	for i, line := range []string{
		`{"level":"error","card":"visa"}`, `{"level":"error","card":"visa"}`, `{"level":"error","card":"amex"}`, `{"level":"info","card":"visa"}`,
	} {
		store.Append(logs.Record{Time: now.Add(time.Duration(i) * time.Millisecond), Group: "/aws/lambda/pay", Stream: "s", Message: line})
	}
	for query, want := range map[string][]alert.Row{
		`filter level = "error" | stats count(*) as n by card | sort n desc`: {
			{Labels: map[string]string{"card": "visa"}, Value: 2}, {Labels: map[string]string{"card": "amex"}, Value: 1},
		},
		`filter level = "error" | stats count(*) as n by card | filter n > 1`: {{Labels: map[string]string{"card": "visa"}, Value: 2}},
		`filter level = "error"`:                       {{Value: 3}},
		`filter level = "fatal"`:                       nil,
		`filter level = "fatal" | stats count(*) as n`: nil, // none is nothing to alarm anybody
	} {
		got, err := searcher{store}.Rows(t.Context(), query, []string{"/aws/lambda/pay"}, now.Add(-time.Minute), now.Add(time.Minute))
		if err != nil {
			t.Errorf("%s: %v", query, err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
	if _, err := (searcher{store}).Rows(t.Context(), "stats by", nil, now, now); err == nil {
		t.Error("what is no query is answered")
	}
}
