package promapi_test

import (
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/metric/promapi"
)

// What the API answers is what the reference engine makes of the same samples in a
// storage of its own.
func TestAnswersAreTheReferences(t *testing.T) {
	doc, err := os.ReadFile("testdata/samples.txt")
	if err != nil {
		t.Fatal(err)
	}
	reference := promqltest.LoadedStorage(t, string(doc))
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples: metric.MaxSamples, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, EnableAtModifier: true, EnableNegativeOffset: true,
		Parser: parser.NewParser(parser.Options{}),
	})
	s := open(t)
	copySamples(t, s, reference)
	link := serve(t, s) + promapi.Prefix

	doc, err = os.ReadFile("testdata/expressions.txt")
	if err != nil {
		t.Fatal(err)
	}
	start, at, end, step := time.Unix(0, 0), time.Unix(600, 0), time.Unix(1800, 0), 30*time.Second
	right, wrong := 0, 0
	for expression := range strings.Lines(string(doc)) {
		if expression = strings.TrimSpace(expression); expression == "" || expression[0] == '#' {
			continue
		}
		instant, err := engine.NewInstantQuery(t.Context(), reference, nil, expression, at)
		wantResult(t, link+"/query?time=600&query="+url.QueryEscape(expression), expression+" at 600 s", instant, err, &right, &wrong)
		ranged, err := engine.NewRangeQuery(t.Context(), reference, nil, expression, start, end, step)
		wantResult(t, link+"/query_range?start=0&end=1800&step=30&query="+url.QueryEscape(expression), expression+" over 30 minutes", ranged, err, &right, &wrong)
	}
	if right < 120 || wrong < 16 {
		t.Errorf("compared %d answers and %d errors: the file has lost some", right, wrong)
	}
}

// wantResult compares an answer of the API with a query's own.
func wantResult(t *testing.T, link, what string, q promql.Query, err error, right, wrong *int) {
	t.Helper()
	status, doc := get(t, link)
	var got struct {
		Status, Error, ErrorType string
		Data                     struct {
			ResultType string
			Result     any
		}
	}
	if err := json.Unmarshal([]byte(doc), &got); err != nil {
		t.Errorf("%s: %v in %s", what, err, doc)
		return
	}
	var r *promql.Result
	if err == nil {
		defer q.Close()
		if r = q.Exec(t.Context()); r.Err != nil {
			err = r.Err
		}
	}
	if err != nil {
		*wrong++
		kind, code := "bad_data", 400
		if r != nil {
			kind, code = "execution", 422
		}
		if got.Status != "error" || got.ErrorType != kind || status != code || !strings.Contains(got.Error, strings.ToValidUTF8(err.Error(), "\ufffd")) {
			t.Errorf("%s: got %d %s, want %d %s: %v", what, status, doc, code, kind, err)
		}
		return
	}
	*right++
	reference, err := json.Marshal(r.Value)
	if err != nil {
		t.Fatal(err)
	}
	var want any
	if err := json.Unmarshal(reference, &want); err != nil {
		t.Fatal(err)
	}
	if r.Value.Type() == parser.ValueTypeVector && len(r.Value.(promql.Vector)) == 0 || r.Value.Type() == parser.ValueTypeMatrix && len(r.Value.(promql.Matrix)) == 0 {
		want = []any{}
	}
	if diff := cmp.Diff(want, got.Data.Result); diff != "" || got.Data.ResultType != string(r.Value.Type()) {
		t.Errorf("%s: got %d %s, want %s: %s", what, status, doc, r.Value.Type(), diff)
	}
}

// copySamples writes all samples of a storage to ours.
func copySamples(t *testing.T, s *metric.Store, from storage.Queryable) {
	t.Helper()
	q, err := from.Querier(0, time.Hour.Milliseconds())
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	app := s.Storage().AppenderV2(t.Context())
	set := q.Select(t.Context(), false, nil, matchAll)
	copied := 0
	for set.Next() {
		it := set.At().Iterator(nil)
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			var err error
			switch kind {
			case chunkenc.ValFloat:
				at, v := it.At()
				_, err = app.Append(0, set.At().Labels(), 0, at, v, nil, nil, storage.AOptions{})
			default:
				at, h := it.AtFloatHistogram(nil)
				_, err = app.Append(0, set.At().Labels(), 0, at, 0, nil, h, storage.AOptions{})
			}
			if err != nil {
				t.Fatal(err)
			}
			copied++
		}
	}
	if err := set.Err(); err != nil {
		t.Fatal(err)
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	if copied < 1000 {
		t.Fatalf("copied %d samples: there are more", copied)
	}
}

var matchAll = labels.MustNewMatcher(labels.MatchRegexp, "__name__", ".+")
