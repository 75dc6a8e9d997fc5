package promapi_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	remoteapi "github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/util/teststorage"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/metric/promapi"
)

// export is what a program would send by OTLP: a sum, of which series have the attribute
// n, a level and an exponential histogram.
func export(service string, series int, temporality pmetric.AggregationTemporality, now time.Time) pmetricotlp.ExportRequest {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", service)
	rm.Resource().Attributes().PutStr("faas.name", "f")
	list := rm.ScopeMetrics().AppendEmpty().Metrics()
	m := list.AppendEmpty()
	m.SetName("orders")
	m.SetUnit("1")
	m.SetDescription("Orders that came.")
	sum := m.SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(temporality)
	for i := range series {
		p := sum.DataPoints().AppendEmpty()
		p.SetIntValue(7)
		p.SetTimestamp(pcommon.NewTimestampFromTime(now))
		p.SetStartTimestamp(pcommon.NewTimestampFromTime(now.Add(-time.Minute)))
		p.Attributes().PutStr("n", fmt.Sprint(i))
	}
	m = list.AppendEmpty()
	m.SetName("queue.depth")
	m.SetUnit("By")
	p := m.SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetDoubleValue(2.5)
	p.SetTimestamp(pcommon.NewTimestampFromTime(now))
	m = list.AppendEmpty()
	m.SetName("took")
	m.SetUnit("s")
	h := m.SetEmptyExponentialHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	e := h.DataPoints().AppendEmpty()
	e.SetTimestamp(pcommon.NewTimestampFromTime(now))
	e.SetScale(3)
	e.SetCount(3)
	e.SetSum(4.5)
	e.Positive().BucketCounts().FromRaw([]uint64{1, 2})
	return pmetricotlp.NewExportRequestFromMetrics(md)
}

func post(t *testing.T, link, kind string, doc []byte, err error) (int, string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(link, kind, bytes.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

// number is an expression's only number, or -1.
func number(t *testing.T, s *metric.Store, expression string) float64 {
	t.Helper()
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := s.Instant(t.Context(), expression, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 {
		return -1
	}
	return list[0].Points[0].Value
}

func TestOTLP(t *testing.T) {
	for _, kind := range []string{"application/x-protobuf", "application/json"} {
		s := open(t)
		link := serve(t, s) + promapi.Prefix
		req := export("shop", 1, pmetric.AggregationTemporalityCumulative, time.Now())
		doc, err := req.MarshalProto()
		if kind == "application/json" {
			doc, err = req.MarshalJSON()
		}
		if status, answer := post(t, link+"/otlp/v1/metrics", kind, doc, err); status != 200 {
			t.Errorf("%s: got %d %s", kind, status, answer)
		}
		for expression, want := range map[string]float64{
			`orders_total{job="shop",faas_name="f",n="0"}`: 7,
			`queue_depth_bytes{job="shop"}`:                2.5,
			`histogram_count(took_seconds)`:                3,
			`histogram_sum(took_seconds)`:                  4.5,
		} {
			if got := number(t, s, expression); got != want {
				t.Errorf("%s: %s: got %v, want %v", kind, expression, got, want)
			}
		}
		if _, meta := get(t, link+"/metadata?metric=orders_total"); !strings.Contains(meta, `"type":"counter","unit":"1","help":"Orders that came."`) && !strings.Contains(meta, "Orders that came.") {
			t.Errorf("%s: metadata: got %s", kind, meta)
		}
		if status, answer := post(t, link+"/otlp/v1/metrics", kind, []byte("{nothing"), nil); status != 400 {
			t.Errorf("%s: what is none: got %d %s", kind, status, answer)
		}
	}
}

// Differences are added up.
func TestOTLPDifferences(t *testing.T) {
	s := open(t)
	link := serve(t, s) + promapi.Prefix
	for i := range 3 {
		doc, err := export("shop", 1, pmetric.AggregationTemporalityDelta, time.Now().Add(time.Duration(i-3)*time.Second)).MarshalProto()
		if status, answer := post(t, link+"/otlp/v1/metrics", "application/x-protobuf", doc, err); status != 200 {
			t.Errorf("got %d %s", status, answer)
		}
	}
	if got := number(t, s, `orders_total`); got != 21 {
		t.Errorf("got %v, want 21", got)
	}
}

// A function that sends too many series keeps those it has, and is seen to lose others.
func TestTooManySeriesFromOutside(t *testing.T) {
	s := open(t)
	link := serve(t, s) + promapi.Prefix
	for range 2 { // what is lost is counted once
		doc, err := export("shop", metric.MaxPerScope+20, pmetric.AggregationTemporalityCumulative, time.Now()).MarshalProto()
		if status, answer := post(t, link+"/otlp/v1/metrics", "application/x-protobuf", doc, err); status != 200 {
			t.Errorf("got %d %s", status, answer)
		}
	}
	if got := number(t, s, `count({job="shop"})`); got != metric.MaxPerScope {
		t.Errorf("got %v series, want %v", got, metric.MaxPerScope)
	}
	if got := number(t, s, `dropstack_metric_series_dropped_total{scope="function/f"}`); got < 20 || got > 23 {
		t.Errorf("got %v dropped, want the 20 and what was with them", got)
	}
}

// receiver is Prometheus' own, over a storage of its own.
func receiver(t *testing.T, check func(r *http.Request)) (string, *teststorage.TestStorage) {
	t.Helper()
	st := teststorage.New(t)
	h := remote.NewWriteHandler(slog.New(slog.DiscardHandler), nil, st, remoteapi.MessageTypes{remoteapi.WriteV1MessageType, remoteapi.WriteV2MessageType}, false, false)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		check(r)
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/api/v1/write", st
}

// What is measured reaches a receiver, by URL and by a file with a password.
func TestRemoteWrite(t *testing.T) {
	s := open(t)
	came := make(chan string, 100)
	plain, _ := receiver(t, func(*http.Request) { came <- "plain" })
	guarded, st := receiver(t, func(r *http.Request) {
		user, password, _ := r.BasicAuth()
		came <- "guarded " + user + " " + password
	})
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("password", "secret\n")
	file := write("prometheus.yml", `
global:
  external_labels: {node: a}
remote_write:
- url: `+guarded+`
  send_native_histograms: true
  basic_auth: {username: u, password_file: password}
  queue_config: {batch_send_deadline: 10ms}
`)
	targets, err := promapi.ReadTargets([]string{atOnce(t, plain), file})
	if err != nil {
		t.Fatal(err)
	}
	sender := &promapi.Sender{Store: s, Targets: targets}
	if err := sender.Open(); err != nil {
		t.Fatal(err)
	}
	f := &metric.Functions{Store: s}
	missing := map[string]bool{"plain": true, "guarded u secret": true}
	deadline := time.After(30 * time.Second)
	for len(missing) > 0 {
		f.Ran(metric.Run{Function: "f", Version: "1", Trigger: "http", Duration: time.Second})
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		select {
		case who := <-came:
			delete(missing, who)
		case <-time.After(100 * time.Millisecond): // the watcher of the log begins when it does
		case <-deadline:
			t.Fatalf("nothing came at %v", missing)
		}
	}
	if err := sender.Close(); err != nil {
		t.Fatal(err)
	}
	found := receivedNames(t, st)
	for _, want := range []string{"dropstack_function_invocations_total", "dropstack_function_duration_seconds"} {
		if found[want] != "a" {
			t.Errorf("received %v, want %s with node a", found, want)
		}
	}
}

// receivedNames are the series that came, with their label node.
func receivedNames(t *testing.T, st storage.Queryable) map[string]string {
	t.Helper()
	q, err := st.Querier(0, time.Now().Add(time.Hour).UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	found := map[string]string{}
	set := q.Select(t.Context(), false, nil, matchAll)
	for set.Next() {
		found[set.At().Labels().Get("__name__")] = set.At().Labels().Get("node")
	}
	return found
}

// atOnce is a file that has what is measured sent to a URL without a delay.
func atOnce(t *testing.T, link string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "prometheus.yml")
	doc := "remote_write: [{url: '" + link + "', send_native_histograms: true, queue_config: {batch_send_deadline: 10ms}}]\n"
	if err := os.WriteFile(path, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTargets(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.yml")
	if err := os.WriteFile(empty, []byte("global: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ target, want string }{
		{"https://user:hunter2@h/write", "without user and password"},
		{"nonsense", "neither a URL"},
		{"http:///write", "without user and password"},
		{empty, "has no remote_write"},
	} {
		_, err := promapi.ReadTargets([]string{c.target})
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want %q", c.target, err, c.want)
		}
	}
}

// Another Prometheus may send to us, but not under the platform's names.
func TestRemoteWriteComes(t *testing.T) {
	from, to := open(t), open(t)
	answers := make(chan int, 100)
	api := &promapi.API{Store: to}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		api.ServeHTTP(rec, r)
		answers <- rec.Code
		w.WriteHeader(rec.Code)
	}))
	defer srv.Close()
	targets, err := promapi.ReadTargets([]string{atOnce(t, srv.URL+promapi.Prefix+"/write")})
	if err != nil {
		t.Fatal(err)
	}
	sender := &promapi.Sender{Store: from, Targets: targets}
	if err := sender.Open(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := sender.Close(); err != nil {
			t.Error(err)
		}
	}()
	await := func(name string, want int) {
		t.Helper()
		visits, deadline := from.Counter(name, nil), time.After(30*time.Second)
		for {
			visits.Add(1)
			if err := from.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			select {
			case got := <-answers:
				if got == want {
					return // others may be of what came before
				}
			case <-time.After(100 * time.Millisecond):
			case <-deadline:
				t.Fatalf("%s: no answer was %d", name, want)
			}
		}
	}
	await("visits_total", http.StatusNoContent)
	if got := number(t, to, "visits_total"); got < 0 {
		t.Errorf("got %v visits", got)
	}
	await("dropstack_visits_total", http.StatusBadRequest)
	if got := number(t, to, "dropstack_visits_total"); got != -1 {
		t.Errorf("got %v of a name that is ours", got)
	}
}
