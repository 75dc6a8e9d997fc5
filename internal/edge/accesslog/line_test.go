package accesslog_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/accesslog"
)

const wantWhole = "2026-11-26\t20:00:01\tLOC1-P1\t98765\t203.0.113.7\tGET\td1.cloudfront.localhost\t/a%20b/it%27s\t200\thttps://example.com/%3Cx%3E" +
	"\tMozilla/5.0%20(X11;%20Linux)%20%C3%BC%0950%25\tq=1%2B1&p=100%25\ta=b;%20c=%22d%22\tHit\trid-1==\twww.example.com\thttps\t321\t1.234" +
	"\t198.51.100.1,%20203.0.113.7\tTLSv1.3\tTLS_AES_128_GCM_SHA256\tHit\tHTTP/2.0\t-\t-\t50123\t0.042\tHit\ttext/html;%20charset=utf-8\t98000\t0\t99\n"

func TestLine(t *testing.T) {
	none := edge.AccessRecord{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600)), ContentLength: -1}
	for name, c := range map[string]struct {
		record edge.AccessRecord
		want   string
	}{
		"everything": {whole, wantWhole},
		"nothing": {none, "2026-01-02\t02:04:05\tLOC1-P1\t0\t-\t-\t-\t-\t000\t-\t-\t-\t-\t-\t-\t-\t-\t0\t0.000" +
			"\t-\t-\t-\t-\t-\t-\t-\t-\t0.000\t-\t-\t-\t-\t-\n"},
	} {
		if diff := cmp.Diff(c.want, string(accesslog.AppendLine(nil, &c.record))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestHeaderHasCloudFrontsFields(t *testing.T) {
	want := "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) " +
		"cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol " +
		"ssl-cipher x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields c-port time-to-first-byte " +
		"x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start sc-range-end\n"
	if accesslog.Header != want {
		t.Errorf("got  %s\nwant %s", accesslog.Header, want)
	}
}

// documented is a line as CloudFront's documentation describes it field by field.
var documented = regexp.MustCompile(`^\d{4}-\d\d-\d\d\t\d\d:\d\d:\d\d\t[A-Z]{3}\d+-[A-Z]\d+\t\d+\t[0-9a-f.:]+\t[A-Z]+\t[^\t]+\t[^\t]+\t\d{3}` +
	`\t[^\t]+\t[^\t]+\t[^\t]+\t[^\t]+\t(Hit|RefreshHit|Miss|LimitExceeded|CapacityExceeded|Error|Redirect|-)\t[^\t]+\t[^\t]+\t(https?|wss?|-)\t\d+\t\d+\.\d{3}` +
	`\t[^\t]+\t[^\t]+\t[^\t]+\t[^\t]+\t(HTTP/\d\.\d|-)\t-\t-\t(\d+|-)\t\d+\.\d{3}\t[^\t]+\t[^\t]+\t(\d+|-)\t[^\t]+\t[^\t]+$`)

func TestLineIsAsDocumented(t *testing.T) {
	line := strings.TrimSuffix(string(accesslog.AppendLine(nil, &whole)), "\n")
	if !documented.MatchString(line) {
		t.Errorf("got %q", line)
	}
	for i := range len(line) {
		if c := line[i]; c != '\t' && (c <= ' ' || c >= 127 || strings.IndexByte("<>\"#{}|\\^~[]`'", c) >= 0) {
			t.Errorf("%q is not encoded", c)
		}
	}
}

func TestRealTimeLine(t *testing.T) {
	want := "1795723201.134\t203.0.113.7\t0.042\t200\t98765\tGET\thttps\twww.example.com\t/a%20b/it%27s\t321\tLOC1-P1\trid-1==" +
		"\td1.cloudfront.localhost\t1.234\tHTTP/2.0\tIPv4\tMozilla/5.0%20(X11;%20Linux)%20%C3%BC%0950%25\thttps://example.com/%3Cx%3E" +
		"\ta=b;%20c=%22d%22\tq=1%2B1&p=100%25\tHit\t198.51.100.1,%20203.0.113.7\tTLSv1.3\tTLS_AES_128_GCM_SHA256\tHit\t-\t-" +
		"\ttext/html;%20charset=utf-8\t98000\t0\t99\t50123\tHit\tE1\tweb-prod\tsqli\t1\n"
	if diff := cmp.Diff(want, string(accesslog.AppendRealTime(nil, &whole))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMessage(t *testing.T) {
	w := newWorld()
	l := newLog(t, w, t.TempDir())
	other := edge.AccessRecord{Time: whole.Time, Status: 404, ContentLength: -1, UserAgent: "\xff\x01\"\\"}
	end := run(l)
	l.Record(whole)
	l.Record(other)
	end()
	var got []map[string]any
	for _, r := range w.records {
		var m map[string]any
		if err := json.Unmarshal([]byte(r.Message), &m); err != nil {
			t.Fatalf("%s: %v", r.Message, err)
		}
		m["group"], m["stream"] = r.Group, r.Stream
		got = append(got, m)
	}
	want := []map[string]any{{
		"group": "/aws/cloudfront/E1", "stream": "LOC1-P1",
		"date": "2026-11-26", "time": "20:00:01", "x-edge-location": "LOC1-P1", "sc-bytes": 98765.0, "c-ip": "203.0.113.7", "cs-method": "GET",
		"cs(Host)": "d1.cloudfront.localhost", "cs-uri-stem": "/a%20b/it's", "sc-status": 200.0, "cs(Referer)": "https://example.com/<x>",
		"cs(User-Agent)": "Mozilla/5.0 (X11; Linux) \u00fc\t50%", "cs-uri-query": "q=1%2B1&p=100%", "cs(Cookie)": "a=b; c=\"d\"",
		"x-edge-result-type": "Hit", "x-edge-request-id": "rid-1==", "x-host-header": "www.example.com", "cs-protocol": "https", "cs-bytes": 321.0,
		"time-taken": 1.234, "x-forwarded-for": "198.51.100.1, 203.0.113.7", "ssl-protocol": "TLSv1.3", "ssl-cipher": "TLS_AES_128_GCM_SHA256",
		"x-edge-response-result-type": "Hit", "cs-protocol-version": "HTTP/2.0", "c-port": 50123.0, "time-to-first-byte": 0.042,
		"x-edge-detailed-result-type": "Hit", "sc-content-type": "text/html; charset=utf-8", "sc-content-len": 98000.0, "sc-range-start": "0",
		"sc-range-end": "99", "x-dropstack-rule": "sqli", "x-dropstack-stack": "web-prod", "x-dropstack-labels": []any{"a:b"}, "x-dropstack-refused": true,
	}, {
		"group": "/dropstack/edge", "stream": "LOC1-P1", "date": "2026-11-26", "time": "19:59:59", "x-edge-location": "LOC1-P1",
		"sc-bytes": 0.0, "cs-bytes": 0.0, "sc-status": 404.0, "time-taken": 0.0, "time-to-first-byte": 0.0, "cs(User-Agent)": "\ufffd\x01\"\\",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func BenchmarkLine(b *testing.B) {
	var line []byte
	for b.Loop() {
		line = accesslog.AppendLine(line[:0], &whole)
	}
}

func BenchmarkRecord(b *testing.B) {
	l := newLog(b, newWorld(), b.TempDir())
	defer run(l)()
	b.ReportAllocs()
	for b.Loop() {
		l.Record(whole)
	}
}
