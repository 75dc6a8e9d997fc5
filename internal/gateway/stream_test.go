package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/instance"
)

const (
	nuls    = "\x00\x00\x00\x00\x00\x00\x00\x00"
	preType = "application/vnd.awslambda.http-integration-response"
)

// streams is a function that streams.
type streams func(ctx context.Context, out instance.Stream) (function.Result, error)

func (f streams) Invoke(ctx context.Context, inv function.Invocation) (function.Result, error) {
	if inv.Stream == nil {
		return function.Result{}, errors.New("asked not to stream")
	}
	return f(ctx, inv.Stream)
}

var done = function.Result{RequestID: "inv-1", Streamed: true}

// writes streams the parts under a type and ends well.
func writes(contentType string, parts ...string) streams {
	return func(_ context.Context, out instance.Stream) (function.Result, error) {
		out.Begin(contentType)
		for _, p := range parts {
			if n, err := io.WriteString(out, p); err != nil || n != len(p) {
				break
			}
		}
		return done, nil
	}
}

// streaming returns an API's handler with its one route streaming.
func streaming(t testing.TB, kind string, fn streams, log io.Writer) http.Handler {
	t.Helper()
	api := functionURL()
	if kind == gateway.REST {
		api = rest(route("ANY", "/"))
	}
	api.Routes[0].Stream = true
	if log == nil {
		log = io.Discard
	}
	g := &gateway.Gateway{Invoker: fn, Log: slog.New(slog.NewTextHandler(log, nil))}
	if err := g.Replace(api.Stack, []gateway.API{api}, nil, nil); err != nil {
		t.Fatal(err)
	}
	h, ok := g.Handler(api.Stack, kind)
	if !ok {
		t.Fatal("no handler")
	}
	return h
}

func TestStreamedResponses(t *testing.T) {
	prelude := `{"statusCode":203,"headers":{"Content-Type":"text/x","X-A":"1","connection":"close, x-hop","x-hop":"1"},"cookies":["a=1","b=2; Path=/"]}`
	both := []string{gateway.REST, gateway.URL}
	for name, c := range map[string]struct {
		kinds  []string
		media  string
		parts  []string
		status int
		header http.Header
		body   string
	}{
		"prelude, one write":       {both, preType, []string{prelude + nuls + "body\x00" + nuls}, 203, http.Header{"Content-Type": {"text/x"}, "X-A": {"1"}, "X-Hop": nil, "Connection": nil, "Set-Cookie": {"a=1", "b=2; Path=/"}, "Content-Length": nil}, "body\x00" + nuls},
		"prelude, three writes":    {both, preType, []string{prelude, nuls, "body"}, 203, http.Header{"X-A": {"1"}}, "body"},
		"type with parameters":     {both, preType + "; charset=utf-8", []string{prelude + nuls + "b"}, 203, nil, "b"},
		"prelude alone":            {both, preType, []string{prelude + nuls}, 203, nil, ""},
		"no status":                {both, preType, []string{`{"headers":{}}` + nuls + "b"}, 200, nil, "b"},
		"multi value headers":      {both, preType, []string{`{"multiValueHeaders":{"x-a":["1","2"]},"headers":{"x-b":"3"}}` + nuls}, 200, http.Header{"X-A": {"1", "2"}, "X-B": {"3"}}, ""},
		"a length":                 {both, preType, []string{`{"headers":{"content-length":"4"}}` + nuls + "body"}, 200, http.Header{"Content-Length": {"4"}}, "body"},
		"a length that is none":    {both, preType, []string{`{"headers":{"content-length":"-4"}}` + nuls + "body"}, 200, http.Header{"Content-Length": nil}, "body"},
		"no content":               {both, preType, []string{`{"statusCode":204}` + nuls + "ignored"}, 204, http.Header{"Content-Type": nil}, ""},
		"prelude of another type":  {[]string{gateway.REST}, "text/plain", []string{prelude + nuls + "b"}, 203, nil, "b"},
		"a REST API's own type":    {[]string{gateway.REST}, preType, []string{`{}` + nuls + "b"}, 200, http.Header{"Content-Type": {"application/json"}}, "b"},
		"a URL's own type":         {[]string{gateway.URL}, preType, []string{`{}` + nuls + "b"}, 200, http.Header{"Content-Type": {"application/octet-stream"}}, "b"},
		"plain":                    {[]string{gateway.URL}, "text/event-stream", []string{"a", "", "b" + nuls}, 200, http.Header{"Content-Type": {"text/event-stream"}}, "ab" + nuls},
		"plain of no type":         {[]string{gateway.URL}, "", []string{"a"}, 200, http.Header{"Content-Type": {"application/octet-stream"}}, "a"},
		"plain that says nothing":  {[]string{gateway.URL}, "text/plain", nil, 200, http.Header{"Content-Type": {"text/plain"}}, ""},
		"REST: no prelude":         {[]string{gateway.REST}, "text/plain", []string{"a"}, 502, nil, `{"message":"Internal server error"}`},
		"REST: nothing":            {[]string{gateway.REST}, preType, nil, 502, nil, `{"message":"Internal server error"}`},
		"REST: prelude too long":   {[]string{gateway.REST}, preType, []string{`{"headers":{"x":"` + strings.Repeat("x", 17<<10) + `"}}`, nuls}, 502, nil, `{"message":"Internal server error"}`},
		"URL: half a prelude":      {[]string{gateway.URL}, preType, []string{`{"statusCode":200}`, nuls[1:]}, 502, nil, "Internal Server Error"},
		"URL: prelude is not JSON": {[]string{gateway.URL}, preType, []string{`hello` + nuls}, 502, nil, "Internal Server Error"},
		"URL: bad status":          {[]string{gateway.URL}, preType, []string{`{"statusCode":1}` + nuls, "x"}, 502, nil, "Internal Server Error"},
		"URL: bad header":          {[]string{gateway.URL}, preType, []string{`{"headers":{"x":"a\r\nb: c"}}` + nuls, "x"}, 502, nil, "Internal Server Error"},
		"URL: prelude too long":    {[]string{gateway.URL}, preType, []string{strings.Repeat("x", 129<<10), nuls}, 502, nil, "Internal Server Error"},
	} {
		for _, kind := range c.kinds {
			var log bytes.Buffer
			res := do(streaming(t, kind, writes(c.media, c.parts...), &log), httptest.NewRequest("GET", "/", nil))
			if res.Code != c.status || res.Body.String() != c.body {
				t.Errorf("%s %s: got %d %q, want %d %q", kind, name, res.Code, res.Body, c.status, c.body)
			}
			for h, values := range c.header {
				if diff := cmp.Diff(values, res.Header()[h]); diff != "" {
					t.Errorf("%s %s: %s (-want +got):\n%s", kind, name, h, diff)
				}
			}
			if failed := c.status == 502; failed != strings.Contains(log.String(), "malformed response") {
				t.Errorf("%s %s: log: %s", kind, name, log.String())
			}
		}
	}
}

// TestPreludesSplitAnywhere: where writes end says nothing.
func TestPreludesSplitAnywhere(t *testing.T) {
	whole := `{"statusCode":203,"headers":{"x-a":"ü"}}` + nuls + nuls + "the body"
	for i := range len(whole) {
		for _, j := range []int{i, min(i+1, len(whole)), (i + len(whole)) / 2, len(whole)} {
			res := do(streaming(t, gateway.URL, writes(preType, whole[:i], whole[i:j], whole[j:]), nil), httptest.NewRequest("GET", "/", nil))
			if res.Code != 203 || res.Body.String() != nuls+"the body" || res.Header().Get("X-A") != "ü" {
				t.Fatalf("split at %d and %d: got %d %q", i, j, res.Code, res.Body)
			}
		}
	}
}

// TestEveryWriteArrivesAtOnce: the client has each part, the headers first, while
// the function still waits for it to.
func TestEveryWriteArrivesAtOnce(t *testing.T) {
	next := make(chan struct{})
	srv := httptest.NewServer(streaming(t, gateway.URL, func(_ context.Context, out instance.Stream) (function.Result, error) {
		out.Begin(preType)
		io.WriteString(out, `{"headers":{"content-type":"text/event-stream"}}`+nuls)
		for i := range 3 {
			<-next
			fmt.Fprintf(out, "part %d", i)
		}
		return done, nil
	}, nil))
	defer srv.Close()
	res, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for i := range 3 {
		next <- struct{}{}
		buf := make([]byte, len("part 0"))
		if _, err := io.ReadFull(res.Body, buf); err != nil || string(buf) != fmt.Sprintf("part %d", i) {
			t.Fatalf("got %q, %v", buf, err)
		}
	}
	if rest, err := io.ReadAll(res.Body); err != nil || len(rest) > 0 {
		t.Errorf("the end: got %q, %v", rest, err)
	}
}

func TestErrorsOfStreams(t *testing.T) {
	failed := function.Result{RequestID: "inv-1", FunctionError: "Unhandled", ErrorType: "Oops", Payload: []byte(`{"errorMessage":"secret"}`)}
	for name, c := range map[string]struct {
		parts  []string
		result function.Result
		err    error
		status int // 0: the connection is cut
	}{
		"before the first byte":  {nil, failed, nil, 502},
		"within the prelude":     {[]string{`{"statusCode":`}, failed, nil, 502},
		"after the prelude":      {[]string{"{}" + nuls}, failed, nil, 0},
		"in the midst":           {[]string{"{}" + nuls, "half"}, failed, nil, 0},
		"the instance is lost":   {[]string{"{}" + nuls, "half"}, function.Result{}, errors.New("lost"), 0},
		"not even an invocation": {nil, function.Result{}, errors.New("lost"), 500},
	} {
		for _, kind := range []string{gateway.REST, gateway.URL} {
			log := &safe{}
			srv := httptest.NewServer(streaming(t, kind, func(_ context.Context, out instance.Stream) (function.Result, error) {
				if c.parts != nil {
					out.Begin(preType)
				}
				for _, p := range c.parts {
					io.WriteString(out, p)
				}
				return c.result, c.err
			}, log))
			res, err := http.Get(srv.URL)
			if err != nil {
				t.Fatalf("%s %s: %v", kind, name, err)
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			srv.Close()
			switch {
			case c.status == 0 && (res.StatusCode != 200 || err == nil):
				t.Errorf("%s %s: got %d %q, %v, want half an answer", kind, name, res.StatusCode, body, err)
			case c.status != 0 && (res.StatusCode != c.status || err != nil || bytes.Contains(body, []byte("secret"))):
				t.Errorf("%s %s: got %d %q, %v, want %d", kind, name, res.StatusCode, body, err, c.status)
			}
			if strings.Count(log.String(), "request failed") != 1 || (c.status == 0) != strings.Contains(log.String(), "midst") {
				t.Errorf("%s %s: log: %s", kind, name, log)
			}
		}
	}
}

// safe is a buffer for two goroutines.
type safe struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *safe) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *safe) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// TestAClientThatLeaves: writes fail soon after, and the function goes on.
func TestAClientThatLeaves(t *testing.T) {
	left, log := make(chan error, 1), &safe{}
	srv := httptest.NewServer(streaming(t, gateway.URL, func(ctx context.Context, out instance.Stream) (function.Result, error) {
		out.Begin("text/plain")
		for {
			if _, err := io.WriteString(out, "more"); err != nil {
				if ctx.Err() != nil {
					err = nil // the invocation must not end with the client
				}
				left <- err
				return done, nil
			}
		}
	}, log))
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(res.Body, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	leave()
	_ = res.Body.Close()
	if err := <-left; err == nil {
		t.Error("the invocation was cancelled, or no error was seen")
	}
	srv.Close()
	if log.String() != "" {
		t.Errorf("a client that leaves is no failure: %s", log)
	}
}

func TestStreamsToHead(t *testing.T) {
	srv := httptest.NewServer(streaming(t, gateway.REST, writes(preType, `{"statusCode":201,"headers":{"content-length":"1234","x-a":"1"}}`+nuls, "body"), nil))
	defer srv.Close()
	res, err := http.Head(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 201 || res.ContentLength != 1234 || res.Header.Get("X-A") != "1" {
		t.Errorf("got %d, %d bytes, %v", res.StatusCode, res.ContentLength, res.Header)
	}
}

func TestALongerBodyThanItsLengthIsLogged(t *testing.T) {
	log := &safe{}
	srv := httptest.NewServer(streaming(t, gateway.URL, writes(preType, `{"headers":{"content-length":"2"}}`+nuls+"abc"), log))
	res, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	srv.Close()
	if !strings.Contains(log.String(), "longer than its Content-Length") {
		t.Errorf("log: %s", log)
	}
}

// TestAFunctionThatDoesNotStream: as AWS, a URL hands out the result as it is.
func TestAFunctionThatDoesNotStream(t *testing.T) {
	const payload = `{"statusCode":201,"body":"x"}`
	fn := func(context.Context, instance.Stream) (function.Result, error) {
		return function.Result{Payload: []byte(payload)}, nil
	}
	var log bytes.Buffer
	res := do(streaming(t, gateway.URL, fn, &log), httptest.NewRequest("GET", "/", nil))
	if res.Code != 200 || res.Body.String() != payload || res.Header().Get("Content-Type") != "application/json" || log.Len() > 0 {
		t.Errorf("URL: got %d %s %v %s", res.Code, res.Body, res.Header(), &log)
	}
	res = do(streaming(t, gateway.REST, fn, &log), httptest.NewRequest("GET", "/", nil))
	if res.Code != 502 || !strings.Contains(log.String(), "streamifyResponse") {
		t.Errorf("REST: got %d %s %s", res.Code, res.Body, &log)
	}
}

func TestLimitsOfStreams(t *testing.T) {
	for name, c := range map[string]struct {
		kind  string
		begin bool
		every time.Duration // between two writes; 0: none
		want  time.Duration // 0: no end
	}{
		"REST, before the first byte": {gateway.REST, false, 0, 5 * time.Minute},
		"REST, silent":                {gateway.REST, true, 0, 5 * time.Minute},
		"REST, talkative":             {gateway.REST, true, time.Minute, 15 * time.Minute},
		"URL":                         {gateway.URL, true, 4 * time.Minute, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var took time.Duration
				h := streaming(t, c.kind, func(ctx context.Context, out instance.Stream) (function.Result, error) {
					defer func() { took = time.Since(start) }()
					if c.begin {
						out.Begin(preType)
						io.WriteString(out, "{}"+nuls)
					}
					var tick <-chan time.Time
					if c.every > 0 {
						ticker := time.NewTicker(c.every)
						defer ticker.Stop()
						tick = ticker.C
					}
					for {
						select {
						case <-ctx.Done():
							return function.Result{}, ctx.Err()
						case <-tick:
							io.WriteString(out, "x")
							if time.Since(start) > time.Hour {
								return done, nil
							}
						}
					}
				}, nil)
				w := httptest.NewRecorder()
				var cut any
				func() {
					defer func() { cut = recover() }()
					h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
				}()
				switch {
				case c.want == 0:
					if cut != nil || took < time.Hour {
						t.Errorf("ended after %v with %v", took, cut)
					}
				case took != c.want:
					t.Errorf("ended after %v, want %v", took, c.want)
				case !c.begin && (cut != nil || w.Code != 504 || w.Body.String() != `{"message":"Endpoint request timed out"}`):
					t.Errorf("got %d %s, %v", w.Code, w.Body, cut)
				case c.begin && cut != http.ErrAbortHandler:
					t.Errorf("got %v, want the connection cut", cut)
				}
			})
		})
	}
}

// FuzzPrelude: whatever a function streams, in whatever parts, there is an answer.
func FuzzPrelude(f *testing.F) {
	f.Add([]byte(`{"statusCode":200}`+nuls+"x"), uint8(3))
	f.Add([]byte(nuls), uint8(1))
	f.Fuzz(func(t *testing.T, raw []byte, step uint8) {
		var parts []string
		for rest := string(raw); rest != ""; {
			n := min(len(rest), int(step)+1)
			parts, rest = append(parts, rest[:n]), rest[n:]
		}
		res := do(streaming(t, gateway.REST, writes(preType, parts...), nil), httptest.NewRequest("GET", "/", nil))
		if res.Code < 200 || res.Code > 599 {
			t.Errorf("got status %d", res.Code)
		}
		if head, body, ok := bytes.Cut(raw, []byte(nuls)); ok && res.Code == 200 && len(head) < 1<<10 && !bytes.Equal(res.Body.Bytes(), body) {
			t.Errorf("got %q, want %q", res.Body, body)
		}
	})
}
