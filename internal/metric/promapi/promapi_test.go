package promapi_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/metric/promapi"
)

func open(t testing.TB) *metric.Store {
	t.Helper()
	s := &metric.Store{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)}
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func serve(t testing.TB, s *metric.Store) string {
	t.Helper()
	srv := httptest.NewServer(&promapi.API{Store: s})
	t.Cleanup(srv.Close)
	return srv.URL
}

// get asks and returns the status and what is in the answer's data.
func get(t testing.TB, link string) (int, string) {
	t.Helper()
	resp, err := http.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	doc, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(doc)
}

// What Grafana asks for, by its data source of the kind Prometheus.
func TestWhatGrafanaAsks(t *testing.T) {
	s := open(t)
	f := &metric.Functions{Store: s}
	f.Ran(metric.Run{Function: "f", Version: "1", Duration: time.Second})
	link := serve(t, s)
	for _, c := range []struct {
		what, path string
		status     int
		want       string // in the answer
	}{
		{"health", "/query?query=1%2B1&time=1700000000", 200, `{"status":"success","data":{"resultType":"scalar","result":[1700000000,"2"]}}`},
		{"which features there are", "/status/buildinfo", 200, `"version":"3.`},
		{"labels", "/labels", 200, `"function"`},
		{"labels of a series", "/labels?match[]=" + url.QueryEscape(`{__name__=~"dropstack_function_inv.*"}`), 200, `["__name__","function","version"]`},
		{"values", "/label/function/values", 200, `["f"]`},
		{"names", "/label/__name__/values", 200, `"dropstack_function_invocations_total"`},
		{"series", "/series?match[]=dropstack_function_invocations_total", 200, `"function":"f"`},
		{"metadata", "/metadata?limit=5000", 200, `"dropstack_function_duration_seconds":[{"type":"histogram","unit":"seconds","help":"How long invocations took."}]`},
		{"metadata of one", "/metadata?metric=dropstack_bans", 200, `{"status":"success","data":{"dropstack_bans":[{"type":"gauge"`},
		{"exemplars", "/query_exemplars?query=dropstack_function_duration_seconds&start=1700000000&end=1700000100", 200, `"data":[]`},
		{"a histogram", "/query?query=dropstack_function_duration_seconds", 200, `"histogram":[`},
		{"rules", "/rules", 200, `{"groups":[]}`},
		{"alerts", "/alerts", 200, `{"alerts":[]}`},
		{"a tidy expression", "/format_query?query=a%2Bb", 200, `"data":"a + b"`},
		{"targets", "/targets", 200, `"health":"unknown"`},
		{"Alertmanagers", "/alertmanagers", 200, `"activeAlertmanagers":[]`},
		{"configuration", "/status/config", 200, `"yaml":`},
		{"flags", "/status/flags", 200, `"query.timeout":"2m"`},
		{"the database", "/status/tsdb", 200, `"headStats":{"numSeries":`},
		{"the process", "/status/runtimeinfo", 200, `"storageRetention":"30d"`},
		{"no PromQL", "/query?query=sum(", 400, `"errorType":"bad_data"`},
		{"too many points", "/query_range?query=1&start=0&end=1000000&step=1", 400, `"errorType":"bad_data"`},
		{"what cannot be computed", "/query?query=" + url.QueryEscape(`{__name__=~"dropstack_function_inv.*"} + on() group_left() vector(1) * on() {__name__=~".+"}`), 422, `"errorType":"execution"`},
		{"too slow", "/query?timeout=0.000001&query=" + url.QueryEscape("sum_over_time(vector(1)[1000000s:1s])"), 503, `"errorType":"timeout"`},
	} {
		status, doc := get(t, link+promapi.Prefix+c.path)
		if status != c.status || !strings.Contains(doc, c.want) {
			t.Errorf("%s: got %d %s, want %d and %s", c.what, status, doc, c.status, c.want)
		}
	}
	for _, path := range []string{"/admin/tsdb/snapshot", "/admin/tsdb/delete_series?match[]=a"} {
		resp, err := http.Post(link+promapi.Prefix+path, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode < 400 {
			t.Errorf("POST %s: got %s, want that it is refused", path, resp.Status)
		}
	}
}

// A question is about what was measured until it came.
func TestAskedAtOnce(t *testing.T) {
	s := open(t)
	link := serve(t, s)
	visits := s.Counter("visits_total", nil)
	for i := range 3 {
		visits.Add(1)
		form := url.Values{"query": {"visits_total"}}
		resp, err := http.PostForm(link+promapi.Prefix+"/query", form)
		if err != nil {
			t.Fatal(err)
		}
		var out struct {
			Data struct{ Result []struct{ Value [2]any } }
		}
		err = json.NewDecoder(resp.Body).Decode(&out)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Data.Result) != 1 || out.Data.Result[0].Value[1] != string(rune('1'+i)) {
			t.Errorf("after %d visits: got %v", i+1, out.Data.Result)
		}
	}
}
