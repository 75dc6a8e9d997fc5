package promapi_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strconv"
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
	"github.com/prometheus/prometheus/util/teststorage"

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
	loaded := promqltest.LoadedStorage(t, string(doc))
	// They begin in 1970; a store takes what is two weeks old.
	begin := time.Now().Add(-time.Hour).Truncate(time.Hour)
	reference := teststorage.New(t)
	copySamples(t, reference, loaded, begin)
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples: metric.MaxSamples, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, EnableAtModifier: true, EnableNegativeOffset: true,
		Parser: parser.NewParser(parser.Options{}),
	})
	s := open(t)
	copySamples(t, s.Storage(), loaded, begin)
	link := serve(t, s) + promapi.Prefix

	doc, err = os.ReadFile("testdata/expressions.txt")
	if err != nil {
		t.Fatal(err)
	}
	at, end, step := begin.Add(600*time.Second), begin.Add(1800*time.Second), 30*time.Second
	right, wrong := 0, 0
	for expression := range strings.Lines(string(doc)) {
		if expression = strings.TrimSpace(expression); expression == "" || expression[0] == '#' {
			continue
		}
		expression = fixed.ReplaceAllStringFunc(expression, func(s string) string {
			seconds, err := strconv.ParseInt(s[2:], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprintf("@ %d", begin.Unix()+seconds)
		})
		instant, err := engine.NewInstantQuery(t.Context(), reference, nil, expression, at)
		wantResult(t, fmt.Sprintf("%s/query?time=%d&query=%s", link, at.Unix(), url.QueryEscape(expression)), expression+" at 600 s", instant, err, &right, &wrong)
		ranged, err := engine.NewRangeQuery(t.Context(), reference, nil, expression, begin, end, step)
		wantResult(t, fmt.Sprintf("%s/query_range?start=%d&end=%d&step=30&query=%s", link, begin.Unix(), end.Unix(), url.QueryEscape(expression)), expression+" over 30 minutes", ranged, err, &right, &wrong)
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

// fixed is a time in an expression, in seconds after the samples begin.
var fixed = regexp.MustCompile(`@ \d+`)

// copySamples writes all samples of a storage, which begin in 1970, to another.
func copySamples(t *testing.T, to storage.AppendableV2, from storage.Queryable, begin time.Time) {
	t.Helper()
	q, err := from.Querier(0, time.Hour.Milliseconds())
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	app := to.AppenderV2(t.Context())
	set := q.Select(t.Context(), false, nil, matchAll)
	copied := 0
	for set.Next() {
		it := set.At().Iterator(nil)
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			var err error
			switch kind {
			case chunkenc.ValFloat:
				at, v := it.At()
				_, err = app.Append(0, set.At().Labels(), 0, begin.UnixMilli()+at, v, nil, nil, storage.AOptions{})
			default:
				at, h := it.AtFloatHistogram(nil)
				_, err = app.Append(0, set.At().Labels(), 0, begin.UnixMilli()+at, 0, nil, h, storage.AOptions{})
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
