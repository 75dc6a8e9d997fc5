package accesslog_test

import (
	"bytes"
	"compress/gzip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/accesslog"
)

// early is a line of the 24 fields of 2017, whose User-Agent was encoded twice.
const early = "2017-02-09\t01:13:11\tFRA2\t182\t192.0.2.10\tGET\td111111abcdef8.cloudfront.net\t/view/my/file.html\t200\twww.displaymyfiles.com" +
	"\tMozilla/4.0%2520(compatible;%2520MSIE%25205.0b1)\tq=a%2520b\tzip=98101\tRefreshHit\tMRVMF7KydIvxMWfJIglgwHQwZsbG2IhRJ07sn9AkKUFSHS9EXAMPLE==" +
	"\td111111abcdef8.cloudfront.net\thttp\t-\t0.001\t-\t-\t-\tRefreshHit\tHTTP/1.1"

var earlyRecord = edge.AccessRecord{
	Time: time.Date(2017, 2, 9, 1, 13, 10, 999e6, time.UTC), Took: time.Millisecond, BytesOut: 182, Client: "192.0.2.10", Method: "GET",
	Domain: "d111111abcdef8.cloudfront.net", Path: "/view/my/file.html", Status: 200, Referrer: "www.displaymyfiles.com",
	UserAgent: "Mozilla/4.0 (compatible; MSIE 5.0b1)", Query: "q=a%20b", Cookie: "zip=98101", Result: "RefreshHit",
	Request: "MRVMF7KydIvxMWfJIglgwHQwZsbG2IhRJ07sn9AkKUFSHS9EXAMPLE==", Host: "d111111abcdef8.cloudfront.net", Protocol: "http",
	ResponseResult: "RefreshHit", Version: "HTTP/1.1", ContentLength: -1,
}

func collect(t *testing.T, text []byte) (list []edge.AccessRecord, err error) {
	t.Helper()
	for r, err := range accesslog.Read(bytes.NewReader(text)) {
		if err != nil {
			return list, err
		}
		list = append(list, r)
	}
	return list, nil
}

func TestRead(t *testing.T) {
	// What a line does not hold, or not as exactly.
	own := whole
	own.Time, own.Took = time.Date(2026, 11, 26, 19, 59, 59, 766e6, time.UTC), 1234*time.Millisecond
	own.Path, own.Query, own.Distribution, own.Stack, own.Rule, own.Labels, own.Refused = "/a%20b/it%27s", "q=1%2B1&p=100%25", "", "", "", nil, false
	cookie := edge.AccessRecord{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Cookie: "a=%7B%22; b", UserAgent: "a b%20c", ContentLength: -1}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write([]byte(accesslog.Header + wantWhole))
	z.Close()
	for name, c := range map[string]struct {
		text string
		want []edge.AccessRecord
	}{
		"own":                      {accesslog.Header + wantWhole, []edge.AccessRecord{own}},
		"own, gzipped":             {zipped.String(), []edge.AccessRecord{own}},
		"without a header":         {wantWhole + wantWhole, []edge.AccessRecord{own, own}},
		"of 2017":                  {early + "\r\n\n", []edge.AccessRecord{earlyRecord}},
		"some fields, one unknown": {"#Version: 1.0\n#Fields: sc-status future date time\n404\tx\t2026-01-02\t03:04:05\n", []edge.AccessRecord{{Status: 404, Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), ContentLength: -1}}},
		"encoded once by others":   {"#Fields: date time cs(Cookie) cs(User-Agent)\n2026-01-02\t03:04:05\ta=%257B%2522;%20b\ta%20b%2520c\n", []edge.AccessRecord{cookie}},
		"viewer left":              {"#Fields: sc-status c-ip\n000\t192.0.2.1\n", []edge.AccessRecord{{Client: "192.0.2.1", ContentLength: -1}}},
		"header changes":           {"#Fields: sc-status c-ip\n200\t192.0.2.1\n#Fields: c-ip sc-status\n192.0.2.1\t200\n", []edge.AccessRecord{{Status: 200, Client: "192.0.2.1", ContentLength: -1}, {Status: 200, Client: "192.0.2.1", ContentLength: -1}}},
		"seconds since 1970":       {"#Fields: timestamp c-ip\n1795723201.134\t192.0.2.1\n", []edge.AccessRecord{{Time: time.Unix(1795723201, 134e6).UTC(), Client: "192.0.2.1", ContentLength: -1}}},
		"nothing":                  {"", nil},
	} {
		got, err := collect(t, []byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"#Fields: sc-status c-ip\n200\t192.0.2.1\nx\t192.0.2.1\n":      `line 3: sc-status: "x" is not a number`,
		"#Fields: date time\n2026-13-01\t00:00:00\n":                   "line 2: date and time",
		"#Fields: date time\n2026-12-01\t-\n":                          "line 2: date and time",
		"#Fields: time-taken c-ip\n-1\t192.0.2.1\n":                    "line 2: time-taken",
		"#Fields: time-taken c-ip\nNaN\t192.0.2.1\n":                   "line 2: time-taken",
		"#Fields: c-ip sc-status\n192.0.2.1\t200\t1\n":                 "line 2: it has 3 fields between tabs, and the log has 2",
		"203.0.113.7 - - [10/Oct/2000:13:55:36 -0700] \"GET /\" 200\n": "line 1: it has 1 fields",
		"\x1f\x8bnothing of the kind":                                  "begins like a gzip file",
		strings.Repeat("x", 2<<20):                                     "after line 0",
	} {
		if _, err := collect(t, []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: got %v, want %q", text, err, want)
		}
	}
}

func TestParseRealTime(t *testing.T) {
	got, err := accesslog.ParseRealTime(string(accesslog.AppendRealTime(nil, &whole)))
	if err != nil {
		t.Fatal(err)
	}
	want := whole
	want.Time, want.Took = time.Date(2026, 11, 26, 19, 59, 59, 900e6, time.UTC), 1234*time.Millisecond
	want.Path, want.Query, want.Labels = "/a%20b/it%27s", "q=1%2B1&p=100%25", nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzLine: what is written is one line of 33 fields, read back as it was; a path or
// query may have become percent-encoded further, and means the same.
func FuzzLine(f *testing.F) {
	f.Add("/a b%zz%20%2520'", "q=%25&\xff", "Mozilla/5.0 (X11) 50%20%2520", "\x00\n\t-", 200, int64(7))
	f.Add("", "-", "a%20b", "%", 0, int64(-5))
	f.Fuzz(func(t *testing.T, path, query, agent, cookie string, status int, bytesOut int64) {
		in := edge.AccessRecord{
			Time: time.Unix(1795723201, 0).UTC(), Path: path, Query: query, UserAgent: agent, Cookie: cookie, Host: agent,
			Status: max(status%1000, 0), BytesOut: max(bytesOut, 0), ContentLength: -1,
		}
		line := accesslog.AppendLine(nil, &in)
		text := strings.TrimSuffix(string(line), "\n")
		if strings.Count(text, "\t") != 32 || strings.ContainsAny(text, "\n\r\x00") {
			t.Fatalf("%q is not one line of 33 fields", line)
		}
		out, err := accesslog.Parse(string(line))
		if err != nil {
			t.Fatal(err)
		}
		if again := accesslog.AppendLine(nil, &out); !bytes.Equal(again, line) {
			t.Errorf("wrote %q, read and wrote %q", line, again)
		}
		same := func(what, in, out string) {
			if in == "-" { // which says that there is none
				in = ""
			}
			if in != out {
				t.Errorf("%s: wrote %q, read %q", what, in, out)
			}
		}
		same("agent", in.UserAgent, out.UserAgent)
		same("cookie", in.Cookie, out.Cookie)
		same("host", in.Host, out.Host)
		if meant, err := url.PathUnescape(in.Path); err == nil {
			got, err := url.PathUnescape(out.Path)
			if err != nil {
				t.Errorf("path %q became %q", in.Path, out.Path)
			}
			if in.Path != "-" {
				same("path", meant, got)
			}
		}
		if in.Status != out.Status || in.BytesOut != out.BytesOut || !in.Time.Equal(out.Time) {
			t.Errorf("wrote %+v, read %+v", in, out)
		}
	})
}
