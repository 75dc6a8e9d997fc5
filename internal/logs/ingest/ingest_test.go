package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/edge/accesslog"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/ingest"
)

// world is a log store and a bucket in memory.
type world struct {
	mu      sync.Mutex
	done    map[string]int
	records []logs.Record
	objects map[string]string
	fail    []error // of the next imports
	settled chan struct{}
}

func newWorld() *world {
	return &world{done: map[string]int{}, objects: map[string]string{}, settled: make(chan struct{}, 100)}
}

func (w *world) Import(_ context.Context, id string, records iter.Seq2[logs.Record, error]) (bool, int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer func() { w.settled <- struct{}{} }()
	if n, ok := w.done[id]; ok {
		return false, n, nil
	}
	if len(w.fail) > 0 {
		err := w.fail[0]
		w.fail = w.fail[1:]
		return false, 0, err
	}
	var list []logs.Record
	for r, err := range records {
		if err != nil {
			return false, 0, err
		}
		list = append(list, r)
	}
	w.done[id] = len(list)
	w.records = append(w.records, list...)
	return true, len(list), nil
}

func (w *world) Get(_ context.Context, bucket, key string, _, _ int64) (engine.Object, io.ReadCloser, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text, ok := w.objects[bucket+"/"+key]
	if !ok {
		return engine.Object{}, nil, fault.Errorf(fault.NotFound, "no object %s/%s", bucket, key)
	}
	return engine.Object{Bucket: bucket, Key: key, Size: int64(len(text)), ETag: etag(text)}, io.NopCloser(strings.NewReader(text)), nil
}

func etag(text string) string {
	sum := 0
	for i := range len(text) {
		sum = sum*31 + int(text[i])
	}
	return strings.Repeat("x", 1+sum&7) + string(rune('a'+sum&15))
}

func (w *world) put(bucket, key, text string) engine.ObjectEvent {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.objects[bucket+"/"+key] = text
	return engine.ObjectEvent{Name: "ObjectCreated:Put", Bucket: bucket, Key: key, ETag: etag(text), At: time.Now()}
}

func (w *world) importer(t testing.TB) *ingest.Importer {
	return &ingest.Importer{
		Store: w, Objects: w, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		CloudFront: func() ingest.Parser { return &accesslog.Parser{} },
	}
}

func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text))
	z.Close()
	return b.String()
}

const (
	cloudfront = "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs-uri-stem sc-status\n2019-12-04\t21:02:31\tLAX1\t392\t192.0.2.100\tGET\t/index.html\t200\n"
	alb        = `https 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 192.168.131.39:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "GET https://www.example.com:443/?a=\"b\" HTTP/1.1" "curl/7.46.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/my-targets/73e2d6bc24d8a067 "Root=1-58337281-1d84f3d73c47ec4e58577259" "www.example.com" "arn:aws:acm:us-east-2:123456789012:certificate/12345678" 1 2018-07-02T22:22:48.364000Z "authenticate,forward" "-" "-" "10.0.0.1:80" "200" "-" "-" TID_1234abcd5678ef90 later fields` + "\n"
	elb        = `2015-05-13T23:39:43.945958Z my-loadbalancer 192.168.131.39:2817 10.0.0.1:80 0.000073 0.001048 0.000057 200 200 0 29 "GET http://www.example.com:80/ HTTP/1.1" "curl/7.38.0" - -` + "\n"
	s3         = `79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be amzn-s3-demo-bucket1 [06/Feb/2019:00:00:38 +0100] 192.0.2.3 79a59df900b949e5 3E57427F3EXAMPLE REST.GET.VERSIONING - "GET /amzn-s3-demo-bucket1?versioning HTTP/1.1" 200 - 113 - 7 - "-" "S3"Console/0.4" - s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6UkFVdtjf5mKR3/eTPFvsiP/XV/VLi31234= SigV4 ECDHE-RSA-AES128-GCM-SHA256 AuthHeader amzn-s3-demo-bucket1.s3.us-west-1.amazonaws.com TLSV1.1 - Yes` + "\n"
	lines      = `{"date":"2026-11-26","time":"10:00:00","sc-status":"200"}` + "\n" + `{"timestamp":1764151200123,"x":1}` + "\n" + `{"timestamp":"1764151200","x":2}` + "\n"
)

func fields(r logs.Record) map[string]string {
	m := map[string]string{}
	for _, f := range r.Fields {
		m[f.Name] = f.Value
	}
	return m
}

func TestFormats(t *testing.T) {
	type wanted struct {
		format, group, request, message string
		at                              time.Time
		fields                          map[string]string
	}
	for name, c := range map[string]struct {
		key, text string
		want      wanted
	}{
		"CloudFront's becomes what the edge's own is": {"cf/E2EXAMPLE1.2019-12-04-21.d111.gz", zipped(cloudfront), wanted{
			"cloudfront", "/aws/cloudfront/E2EXAMPLE1", "", `{"date":"2019-12-04","time":"21:02:31","x-edge-location":"LAX1","sc-bytes":392,"c-ip":"192.0.2.100","cs-method":"GET","cs-uri-stem":"/index.html","sc-status":200,"cs-bytes":0,"time-taken":0.000,"time-to-first-byte":0.000}`,
			time.Date(2019, 12, 4, 21, 2, 31, 0, time.UTC),
			map[string]string{},
		}},
		"of an Application Load Balancer": {"AWSLogs/x.log", alb, wanted{
			"alb", "/aws/elasticloadbalancing/app/my-loadbalancer/50dc6c495c0c9188", "", strings.TrimSuffix(alb, "\n"),
			time.Date(2018, 7, 2, 22, 23, 0, 186641000, time.UTC),
			map[string]string{"elb_status_code": "200", "request": `GET https://www.example.com:443/?a="b" HTTP/1.1`, "trace_id": "Root=1-58337281-1d84f3d73c47ec4e58577259", "@xrayTraceId": "1-58337281-1d84f3d73c47ec4e58577259", "conn_trace_id": "TID_1234abcd5678ef90", "redirect_url": ""},
		}},
		"of a Classic Load Balancer": {"AWSLogs/x.log", elb, wanted{
			"elb", "/aws/elasticloadbalancing/my-loadbalancer", "", strings.TrimSuffix(elb, "\n"),
			time.Date(2015, 5, 13, 23, 39, 43, 945958000, time.UTC),
			map[string]string{"client:port": "192.168.131.39:2817", "sent_bytes": "29", "user_agent": "curl/7.38.0", "ssl_cipher": ""},
		}},
		"of S3": {"2019-02-06-00-00-38-ABC", s3, wanted{
			"s3", "/aws/s3/amzn-s3-demo-bucket1", "3E57427F3EXAMPLE", strings.TrimSuffix(s3, "\n"),
			time.Date(2019, 2, 5, 23, 0, 38, 0, time.UTC),
			map[string]string{"operation": "REST.GET.VERSIONING", "httpstatus": "200", "useragent": `S3"Console/0.4`, "aclrequired": "Yes", "key": ""},
		}},
		"objects": {"E2EXAMPLE1.2026-11-26-10.abc.json.gz", lines, wanted{
			"json", "/aws/cloudfront/E2EXAMPLE1", "", `{"date":"2026-11-26","time":"10:00:00","sc-status":"200"}`,
			time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC),
			map[string]string{},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.put("weblogs", c.key, c.text)
			out, err := w.importer(t).Import(t.Context(), ingest.Input{Bucket: "weblogs", Key: c.key})
			if err != nil {
				t.Fatal(err)
			}
			if !out.Imported || out.Format != c.want.format || out.Lines != len(w.records) || out.Skipped != 0 {
				t.Errorf("got %+v", out)
			}
			r := w.records[0]
			if r.Group != c.want.group || r.Request != c.want.request || !r.Time.Equal(c.want.at) || r.Stream != "weblogs" {
				t.Errorf("got group %s, request %s, time %v, stream %s", r.Group, r.Request, r.Time, r.Stream)
			}
			if diff := cmp.Diff(c.want.message, r.Message); diff != "" {
				t.Errorf("message: want - got +\n%s", diff)
			}
			got := fields(r)
			for name, want := range c.want.fields {
				if got[name] != want {
					t.Errorf("%s: got %q, want %q", name, got[name], want)
				}
			}
			again, err := w.importer(t).Import(t.Context(), ingest.Input{Bucket: "weblogs", Key: c.key})
			if err != nil || again.Imported {
				t.Errorf("a second time: %+v, %v", again, err)
			}
		})
	}
}

func TestTimesOfObjects(t *testing.T) {
	want := time.Date(2025, 11, 26, 10, 0, 0, 0, time.UTC)
	for _, doc := range []string{
		`{"timestamp":1764151200}`, `{"timestamp":"1764151200000"}`, `{"@timestamp":"2025-11-26T10:00:00Z"}`, `{"time":"2025-11-26T11:00:00+01:00"}`,
		`{"ts":1764151200000000}`, `{"eventTime":1764151200000000000}`, `{"datetime":"2025-11-26 10:00:00"}`, `{"date":"2025-11-26","time":"10:00:00"}`,
	} {
		w := newWorld()
		w.put("b-1", "k", doc)
		if _, err := w.importer(t).Import(t.Context(), ingest.Input{Bucket: "b-1", Key: "k"}); err != nil {
			t.Errorf("%s: %v", doc, err)
			continue
		}
		if got := w.records[0].Time; !got.Equal(want) || w.records[0].Group != "/dropstack/import/b-1" {
			t.Errorf("%s: got %v in %s, want %v", doc, got, w.records[0].Group, want)
		}
	}
}

func TestWhatCannotBeImported(t *testing.T) {
	for name, c := range map[string]struct {
		text, format string
		want         string // of the error; "" for none
		lines        int
		skipped      int
	}{
		"no format":               {"hello\n", "", "line 1 begins like no format that is known here", 0, 0},
		"a format that is none":   {alb, "nginx", `format "nginx": there are auto, cloudfront`, 0, 0},
		"of another format":       {alb, "cloudfront", "no line of it is of the format cloudfront: line 1:", 0, 0},
		"no gzip":                 {"\x1f\x8bhello", "", "begins like a gzip file and is none", 0, 0},
		"a gzip file cut short":   {zipped(strings.Repeat(alb, 2000))[:400], "", "unexpected EOF", 0, 0},
		"a line without an end":   {strings.Repeat("x", 2<<20), "alb", "after line 0", 0, 0},
		"a bad line amid good":    {alb + "https nonsense\n" + alb, "", "", 2, 1},
		"a time that is none":     {elb + strings.Replace(elb, "2015-05-13T", "yesterday", 1), "", "", 1, 1},
		"an open quote":           {alb + strings.Replace(alb, `"curl/7.46.0"`, `"curl`, 1)[:300] + "\n", "", "", 1, 1},
		"nothing":                 {"", "", "", 0, 0},
		"comments":                {"#Version: 1.0\n", "", "", 0, 0},
		"an object without times": {`{"a":1}`, "", "none of its members tells the time", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.put("weblogs", "k", c.text)
			out, err := w.importer(t).Import(t.Context(), ingest.Input{Bucket: "weblogs", Key: "k", Format: c.format})
			if c.want == "" {
				if err != nil || out.Lines != c.lines || out.Skipped != c.skipped || (c.skipped > 0) != strings.HasPrefix(out.Problem, "line 2: ") {
					t.Errorf("got %+v, %v", out, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || fault.KindOf(err) != fault.Invalid {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if len(w.records) != 0 {
				t.Errorf("%d records are there all the same", len(w.records))
			}
		})
	}
}

func TestObjectsAreImportedAsTheyCome(t *testing.T) {
	w := newWorld()
	im := w.importer(t)
	im.Streams = enginetest.Streams(t)
	im.Own = func(_, key string) bool { return strings.HasPrefix(key, "own/") }
	if err := im.Replace("web-dev", []ingest.Source{{Bucket: "weblogs", Prefix: "in/", Group: "/mine"}, {Bucket: "weblogs", Prefix: "in/alb/"}}); err != nil {
		t.Fatal(err)
	}
	w.fail = []error{errors.New("the disk is busy")}
	told := func(e engine.ObjectEvent) {
		t.Helper()
		if err := im.OnObject(e); err != nil {
			t.Fatal(err)
		}
	}
	first := w.put("weblogs", "in/1", cloudfront)
	told(first)
	told(first) // reported twice
	told(w.put("weblogs", "in/alb/1", alb))
	told(w.put("weblogs", "in/bad", "hello"))
	told(w.put("weblogs", "own/1", cloudfront))
	told(w.put("weblogs", "elsewhere", cloudfront))
	told(w.put("others", "in/1", cloudfront))
	told(engine.ObjectEvent{Name: "ObjectRemoved:Delete", Bucket: "weblogs", Key: "in/2"})
	gone := w.put("weblogs", "in/gone", cloudfront)
	told(gone)
	w.mu.Lock()
	delete(w.objects, "weblogs/in/gone")
	w.mu.Unlock()

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- im.Run(ctx) }()
	for range 4 { // one fails once, one is bad
		<-w.settled
	}
	last := w.put("weblogs", "in/last", elb)
	told(last)
	<-w.settled
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	var got []string
	for _, r := range w.records {
		got = append(got, r.Group)
	}
	want := map[string]int{"/mine": 2, "/aws/elasticloadbalancing/app/my-loadbalancer/50dc6c495c0c9188": 1}
	count := map[string]int{}
	for _, g := range got {
		count[g]++
	}
	if diff := cmp.Diff(want, count); diff != "" {
		t.Errorf("records by group: want - got +\n%s", diff)
	}
}

func TestSourcesThatAreNone(t *testing.T) {
	for name, c := range map[string]struct {
		list []ingest.Source
		want string
	}{
		"a bucket that cannot be":   {[]ingest.Source{{Bucket: "A"}}, `bucket "A" is not a bucket name`},
		"twice":                     {[]ingest.Source{{Bucket: "weblogs"}, {Bucket: "weblogs"}}, "stand there twice"},
		"a format that is none":     {[]ingest.Source{{Bucket: "weblogs", Format: "x"}}, `format "x"`},
		"a group that cannot be":    {[]ingest.Source{{Bucket: "weblogs", Group: "a b"}}, `group "a b"`},
		"a prefix that is too long": {[]ingest.Source{{Bucket: "weblogs", Prefix: strings.Repeat("x", 2000)}}, "longer than a key"},
	} {
		im := newWorld().importer(t)
		if err := im.Replace("s", c.list); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func FuzzLines(f *testing.F) {
	for _, text := range []string{cloudfront, alb, elb, s3, lines} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, format := range append(ingest.Formats, ingest.Auto) {
			w := newWorld()
			w.put("weblogs", "k", text)
			out, err := w.importer(t).Import(t.Context(), ingest.Input{Bucket: "weblogs", Key: "k", Format: format})
			if err == nil && out.Lines != len(w.records) {
				t.Errorf("%s: said %d lines, and made %d", format, out.Lines, len(w.records))
			}
		}
	})
}
