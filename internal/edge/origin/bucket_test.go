package origin_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/edge/origin"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/fault"
)

// shelf is a bucket in memory.
type shelf struct {
	engine.ObjectStore
	objects map[string]string
	err     error
}

func (s *shelf) Stat(_ context.Context, bucket, key string) (engine.Object, error) {
	if s.err != nil {
		return engine.Object{}, s.err
	}
	text, ok := s.objects[bucket+"/"+key]
	if !ok {
		return engine.Object{}, fault.Errorf(fault.NotFound, "object %s/%s", bucket, key)
	}
	return engine.Object{
		Size: int64(len(text)), ETag: "e" + strconv.Itoa(len(key)), ContentType: "text/plain", Modified: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Metadata: map[string]string{"colour": "red"}, CacheControl: "max-age=60", ContentEncoding: "identity",
	}, nil
}

func (s *shelf) Get(ctx context.Context, bucket, key string, offset, _ int64) (engine.Object, io.ReadCloser, error) {
	o, err := s.Stat(ctx, bucket, key)
	return o, io.NopCloser(strings.NewReader(s.objects[bucket+"/"+key][offset:])), err
}

func TestBucket(t *testing.T) {
	s := &shelf{objects: map[string]string{"b/a b.txt": "0123456789", "b/dir/x": "x"}}
	for name, c := range map[string]struct {
		method, path string
		header       map[string]string
		list         bool
		err          error
		status       int
		want         string
	}{
		"whole":                    {method: "GET", path: "/a%20b.txt", status: 200, want: "0123456789"},
		"the query does not count": {method: "GET", path: "/a%20b.txt?versionId=1", status: 200, want: "0123456789"},
		"below a prefix":           {method: "GET", path: "/dir/x", status: 200, want: "x"},
		"head":                     {method: "HEAD", path: "/a%20b.txt", status: 200},
		"range":                    {method: "GET", path: "/a%20b.txt", header: map[string]string{"Range": "bytes=2-4"}, status: 206, want: "234"},
		"unsatisfiable":            {method: "GET", path: "/a%20b.txt", header: map[string]string{"Range": "bytes=99-"}, status: 416},
		"unchanged":                {method: "GET", path: "/a%20b.txt", header: map[string]string{"If-None-Match": `"e7"`}, status: 304},
		"not there":                {method: "GET", path: "/none", status: 403, want: "<Code>AccessDenied</Code><Message>Access Denied</Message><RequestId>id</RequestId>"},
		"not there, may list":      {method: "GET", path: "/none", list: true, status: 404, want: "<Code>NoSuchKey</Code>"},
		"head of nothing":          {method: "HEAD", path: "/none", status: 403},
		"a listing":                {method: "GET", path: "/", status: 403, want: "AccessDenied"},
		"a listing by query":       {method: "GET", path: "/?list-type=2", status: 403, want: "AccessDenied"},
		"writing":                  {method: "PUT", path: "/a%20b.txt", status: 405, want: "MethodNotAllowed"},
		"deleting":                 {method: "DELETE", path: "/a%20b.txt", status: 405, want: "MethodNotAllowed"},
		"store away":               {method: "GET", path: "/a%20b.txt", err: errors.New("disk"), status: 503, want: "ServiceUnavailable"},
	} {
		s.err = c.err
		b := &origin.Bucket{Name: "b", List: c.list, Objects: s, Log: slog.New(slog.DiscardHandler)}
		r := httptest.NewRequest(c.method, c.path, nil)
		for k, v := range c.header {
			r.Header.Set(k, v)
		}
		w, _ := ask(b, r)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) || c.method == "HEAD" && w.Body.Len() > 0 {
			t.Errorf("%s: got %d %s, want %d %s", name, w.Code, w.Body, c.status, c.want)
		}
		h := w.Header()
		if c.status == 200 && (!strings.HasPrefix(h.Get("Etag"), `"e`) || h.Get("Content-Type") != "text/plain" || h.Get("X-Amz-Meta-Colour") != "red" ||
			h.Get("Cache-Control") != "max-age=60" || h.Get("Content-Encoding") != "identity" || h.Get("Last-Modified") != "Fri, 02 Jan 2026 03:04:05 GMT" || h.Get("Server") != "AmazonS3") {
			t.Errorf("%s: got %v", name, h)
		}
		if strings.Contains(w.Body.String(), "disk") {
			t.Errorf("%s: tells %s", name, w.Body)
		}
	}
}

func TestGroup(t *testing.T) {
	says := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-"+text, "1")
			w.WriteHeader(status)
			io.WriteString(w, text)
		}
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	for name, c := range map[string]struct {
		first  http.Handler
		method string
		status int
		want   string
	}{
		"the first answers":           {says(200, "first"), "GET", 200, "first"},
		"with another error":          {says(404, "first"), "GET", 404, "first"},
		"with such an error":          {says(503, "first"), "GET", 200, "second"},
		"of HEAD":                     {says(503, "first"), "HEAD", 200, "second"},
		"of OPTIONS":                  {says(503, "first"), "OPTIONS", 200, "second"},
		"of POST":                     {says(503, "first"), "POST", 503, "first"},
		"it does not answer":          {domain(t, closed), "GET", 200, "second"},
		"it does not answer POST":     {domain(t, closed), "POST", 502, "OriginConnectError"},
		"it breaks off such an error": {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { says(503, "first")(w, r); panic(http.ErrAbortHandler) }), "GET", 200, "second"},
		"it says nothing":             {http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), "GET", 200, ""},
	} {
		g := &origin.Group{First: c.first, Second: says(200, "second"), Statuses: []int{500, 503}}
		w, asked := ask(g, httptest.NewRequest(c.method, "/", nil))
		if c.want == "second" && asked.Detail() != "" {
			t.Errorf("%s: what the first has done is said of the second: %s", name, asked.Detail())
		}
		if w.Code != c.status || w.Body.String() != c.want || w.Header().Get("X-First") != "" && w.Header().Get("X-Second") != "" {
			t.Errorf("%s: got %d %s %v, want %d %s", name, w.Code, w.Body, w.Header(), c.status, c.want)
		}
	}
}
