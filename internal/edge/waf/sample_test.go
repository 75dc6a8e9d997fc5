package waf_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropstack/dropstack/internal/edge/waf"
	"github.com/google/go-cmp/cmp"
)

func sampling(t testing.TB) *waf.Firewall {
	a := acl(t, `[{"Name":"rule","Priority":1,"Action":{"Block":{}},"VisibilityConfig":{"SampledRequestsEnabled":true,"CloudWatchMetricsEnabled":false,"MetricName":"metric"},"Statement":`+search(`{"UriPath":{}}`, "EXACTLY", "/a")+`}]`)
	a.VisibilityConfig.SampledRequestsEnabled = true
	a.VisibilityConfig.MetricName = "front"
	return firewall(t, a)
}

func TestSamples(t *testing.T) {
	f := sampling(t)
	r := request("GET", "/a?q=x&access_token=hush&n=%31&X-Amz-Signature=hush", "", "")
	for name, value := range map[string]string{"Authorization": "Bearer hush", "Cookie": "sid=hush", "X-Api-Key": "hush", "Referer": "https://example.com/"} {
		r.Header.Set(name, value)
	}
	asking(f, t, r)
	got, err := f.Samples(aclARN, "rule", time.Now().Add(-time.Minute))
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	want := waf.Sample{
		At: got[0].At, Action: "BLOCK", Rule: "front/rule", Client: "203.0.113.9", Method: "GET", URI: "/a?q=x&access_token=REDACTED&n=%31&X-Amz-Signature=REDACTED",
		Proto: "HTTP/1.1", Request: "request", Field: "path", Status: 403,
		Header: http.Header{"Host": {"example.com"}, "Authorization": {"REDACTED"}, "Cookie": {"REDACTED"}, "X-Api-Key": {"REDACTED"}, "Referer": {"https://example.com/"}},
	}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Errorf("another sample (-want +got):\n%s", diff)
	}
	if strings.Contains(fmt.Sprint(got), "hush") {
		t.Error("a secret was sampled")
	}
	if _, err := f.Samples(aclARN, "none", time.Time{}); err == nil {
		t.Error("a rule that there is not has samples")
	}
}

func TestSamplesAreTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := sampling(t)
		for i := range waf.MaxSamples + 20 {
			f.Decide(t.Context(), &waf.Request{ACL: aclARN, HTTP: request("GET", "/a", "", ""), ID: fmt.Sprint(i)})
			time.Sleep(time.Second)
		}
		list := func(since time.Time) []waf.Sample {
			got, err := f.Samples(aclARN, "metric", since)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		got := list(time.Time{})
		if len(got) != waf.MaxSamples || got[0].Request != "20" || got[len(got)-1].Request != "119" {
			t.Errorf("%d samples from %s to %s, want the last %d", len(got), got[0].Request, got[len(got)-1].Request, waf.MaxSamples)
		}
		if got := list(time.Now().Add(-10 * time.Second)); len(got) != 10 {
			t.Errorf("%d samples of ten seconds, want 10", len(got))
		}
		time.Sleep(waf.SampleTime)
		if got := list(time.Time{}); len(got) != 0 {
			t.Errorf("%d samples after three hours, want none", len(got))
		}
	})
}

func TestUndecidedRequestsAreSampledOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := sampling(t)
		for range 30 {
			asking(f, t, request("GET", "/other", "", ""))
			time.Sleep(100 * time.Millisecond)
		}
		if got, err := f.Samples(aclARN, waf.Undecided, time.Time{}); err != nil || len(got) != 3 {
			t.Errorf("%d samples of three seconds, err %v; want 3", len(got), err)
		}
	})
}
