package promapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/metric/promapi"
)

// families scrapes and reads what comes.
func families(t *testing.T, s *metric.Store, accept string) map[string]*dto.MetricFamily {
	t.Helper()
	req := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	req.Header.Set("Accept", accept)
	rec := httptest.NewRecorder()
	promapi.Exposition(s).ServeHTTP(rec, req)
	if rec.Code != http.StatusOK {
		t.Fatalf("got %d %s", rec.Code, rec.Body)
	}
	format := expfmt.ResponseFormat(rec.Header())
	if accept == "" {
		parser := expfmt.NewTextParser(model.UTF8Validation)
		all, err := parser.TextToMetricFamilies(rec.Body)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	all, dec := map[string]*dto.MetricFamily{}, expfmt.NewDecoder(rec.Body, format)
	for {
		f := &dto.MetricFamily{}
		if err := dec.Decode(f); err != nil {
			return all
		}
		all[f.GetName()] = f
	}
}

func TestExposition(t *testing.T) {
	s := open(t)
	f := &metric.Functions{Store: s}
	for _, ms := range []int{1, 4, 4, 2000, 1000_000} {
		f.Ran(metric.Run{Function: "f", Version: "1", Duration: time.Duration(ms) * time.Millisecond})
	}
	gone := s.Gauge("dropstack_bucket_objects", metric.Labels{"bucket": "b"})
	gone.Set(3)
	s.Gauge("dropstack_bucket_objects", metric.Labels{"bucket": "c"}).Set(4)
	gone.Gone()
	for accept, native := range map[string]bool{"": false, `application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited`: true} {
		got := families(t, s, accept)
		if n := got["dropstack_function_invocations_total"]; n.GetType() != dto.MetricType_COUNTER || n.Metric[0].Counter.GetValue() != 5 || n.GetHelp() == "" {
			t.Errorf("%q: invocations: got %v", accept, n)
		}
		h := got["dropstack_function_duration_seconds"].GetMetric()[0].GetHistogram()
		buckets := map[float64]uint64{}
		for _, b := range h.Bucket {
			buckets[b.GetUpperBound()] = b.GetCumulativeCount()
		}
		if h.GetSampleCount() != 5 || buckets[.0025] != 1 || buckets[.005] != 3 || buckets[1] != 3 || buckets[5] != 4 || buckets[900] != 4 {
			t.Errorf("%q: durations: got %d in all, %v", accept, h.GetSampleCount(), buckets)
		}
		if is := h.GetSchema() == 5 && len(h.PositiveSpan) == 4; is != native {
			t.Errorf("%q: a native histogram: got %v, want %v", accept, is, native)
		}
		if m := got["dropstack_bucket_objects"].GetMetric(); len(m) != 1 || m[0].Gauge.GetValue() != 4 {
			t.Errorf("%q: what is gone: got %v", accept, m)
		}
	}
	// it is gone for questions too
	for i, want := range []string{`"bucket":"b"`, `"bucket":"c"`} {
		_, doc := get(t, serve(t, s)+promapi.Prefix+"/query?query=dropstack_bucket_objects")
		if has := strings.Contains(doc, want); has != (i == 1) {
			t.Errorf("%s: got %s", want, doc)
		}
	}
}
