package instance

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// served starts a Runtime API and returns a client of it.
func served(t testing.TB) (*api, func(raw string) *http.Response) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := newAPI(l)
	a.arn = "arn:fn"
	a.begins, a.idles = func(*flight) {}, func() {}
	a.serve()
	t.Cleanup(a.close)
	return a, func(raw string) *http.Response {
		t.Helper()
		return dial(t, l.Addr().String())(raw)
	}
}

// dial returns a function that sends a request over one connection.
func dial(t testing.TB, addr string) func(raw string) *http.Response {
	t.Helper()
	conn := dialled(t, addr)
	br := bufio.NewReader(conn)
	return func(raw string) *http.Response {
		t.Helper()
		if _, err := io.WriteString(conn, raw); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		res.Body = io.NopCloser(strings.NewReader(string(body)))
		return res
	}
}

func dialled(t testing.TB, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

const getNext = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n"

func post(call, body string) string {
	return fmt.Sprintf("POST /2018-06-01/runtime/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", call, len(body), body)
}

func offer(a *api, id string) *flight {
	f := &flight{id: id, deadline: time.UnixMilli(1234567), result: make(chan reply, 1), event: Event{
		RequestID: id, Payload: []byte(`{"a":1}`), TraceID: "Root=1\r\nX: y", ClientContext: "{\n}", CognitoIdentity: `{"cognitoIdentityId":"i"}`,
	}}
	_, _ = a.begin(f)
	return f
}

func TestNext(t *testing.T) {
	a, call := served(t)
	offer(a, "id-1")
	res := call(getNext)
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != 200 || string(body) != `{"a":1}` {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	for name, want := range map[string]string{
		"Lambda-Runtime-Aws-Request-Id":       "id-1",
		"Lambda-Runtime-Deadline-Ms":          "1234567",
		"Lambda-Runtime-Invoked-Function-Arn": "arn:fn",
		"Lambda-Runtime-Trace-Id":             "Root=1  X: y",
		"Lambda-Runtime-Client-Context":       "{ }",
		"Lambda-Runtime-Cognito-Identity":     `{"cognitoIdentityId":"i"}`,
		"X":                                   "",
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestAnswers(t *testing.T) {
	tooMuch := strings.Repeat("x", MaxResponse+1)
	for name, c := range map[string]struct {
		requests []string
		status   int
		body     string
	}{
		"response":                 {[]string{getNext, post("invocation/id/response", `"ok"`)}, 202, `{"status":"OK"}`},
		"error":                    {[]string{getNext, post("invocation/id/error", `{}`)}, 202, `{"status":"OK"}`},
		"init error":               {[]string{post("init/error", `{}`)}, 202, `{"status":"OK"}`},
		"init error twice":         {[]string{post("init/error", `{}`), post("init/error", `{}`)}, 403, "InvalidStateTransition"},
		"init error after next":    {[]string{getNext, post("init/error", `{}`)}, 403, "InvalidStateTransition"},
		"wrong id":                 {[]string{getNext, post("invocation/other/response", `1`)}, 400, "InvalidRequestID"},
		"no event yet":             {[]string{post("invocation/id/response", `1`)}, 400, "InvalidRequestID"},
		"response twice":           {[]string{getNext, post("invocation/id/response", `1`), post("invocation/id/response", `1`)}, 403, "InvalidStateTransition"},
		"next while open":          {[]string{getNext, getNext}, 403, "InvalidStateTransition"},
		"too large":                {[]string{getNext, post("invocation/id/response", tooMuch)}, 413, "RequestEntityTooLarge"},
		"error after response":     {[]string{getNext, post("invocation/id/response", `1`), post("invocation/id/error", `1`)}, 403, "State transition from RuntimeResponseSentState to InvocationErrorResponse failed for runtime. Error: State transition is not allowed"},
		"unknown response mode":    {[]string{getNext, strings.Replace(post("invocation/id/response", `1`), "Host: x", "Lambda-Runtime-Function-Response-Mode: drip", 1)}, 400, "InvalidFunctionResponseMode"},
		"unknown call":             {[]string{"GET /2018-06-01/runtime/x HTTP/1.1\r\n\r\n"}, 404, "NotFound"},
		"unknown version":          {[]string{"GET /next HTTP/1.1\r\n\r\n"}, 404, "NotFound"},
		"wrong method":             {[]string{"POST /2018-06-01/runtime/invocation/next HTTP/1.1\r\nContent-Length: 0\r\n\r\n"}, 405, "MethodNotAllowed"},
		"not HTTP":                 {[]string{"hello\r\n\r\n"}, 400, "BadRequest"},
		"two lengths":              {[]string{"POST /x HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"}, 400, "BadRequest"},
		"length and chunks":        {[]string{"POST /x HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"}, 400, "BadRequest"},
		"negative length":          {[]string{"POST /x HTTP/1.1\r\nContent-Length: -1\r\n\r\n"}, 400, "BadRequest"},
		"header longer than 16 KB": {[]string{"GET /x HTTP/1.1\r\nX-Cause: " + strings.Repeat("c", 900<<10) + "\r\n\r\n"}, 404, "NotFound"},
	} {
		t.Run(name, func(t *testing.T) {
			a, _ := served(t)
			call := dial(t, a.listener.Addr().String())
			offer(a, "id")
			var res *http.Response
			for _, r := range c.requests {
				res = call(r)
			}
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode != c.status || !strings.Contains(string(body), c.body) {
				t.Errorf("got %d %s, want %d %s", res.StatusCode, body, c.status, c.body)
			}
		})
	}
}

func TestReplies(t *testing.T) {
	chunked := "POST /2018-06-01/runtime/invocation/id/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
	for name, c := range map[string]struct {
		request string
		want    reply
	}{
		"response": {post("invocation/id/response", `"ok"`), reply{payload: []byte(`"ok"`)}},
		"empty":    {post("invocation/id/response", ``), reply{}},
		"error":    {post("invocation/id/error", `{"errorType":"T"}`), reply{payload: []byte(`{"errorType":"T"}`), failed: true}},
		"error with a type and a trace": {
			strings.Replace(post("invocation/id/error", `{"errorType":"Body","stackTrace":["a",{"b":1}]}`), "Host: x", "Lambda-Runtime-Function-Error-Type: Function.Own", 1),
			reply{payload: []byte(`{"errorType":"Body","stackTrace":["a",{"b":1}]}`), failed: true, errorType: "Function.Own"},
		},
		"unknown response mode": {
			strings.Replace(post("invocation/id/response", `1`), "Host: x", "Lambda-Runtime-Function-Response-Mode: drip", 1),
			withRequest(problem("Runtime.InvalidResponseModeHeader", "Invalid function response mode: drip"), "id"),
		},
		"in chunks": {chunked + "\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", reply{payload: []byte("abcde")}},
		"failed in mid-stream": {
			chunked + "Trailer: Lambda-Runtime-Function-Error-Type\r\n\r\n1\r\na\r\n0\r\n" +
				"Lambda-Runtime-Function-Error-Type: Oops\r\nLambda-Runtime-Function-Error-Body: eyJhIjoxfQ==\r\n\r\n",
			reply{payload: []byte(`{"a":1}`), failed: true, errorType: "Oops"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, _ := served(t)
			call := dial(t, a.listener.Addr().String())
			f := offer(a, "id")
			call(getNext)
			if res := call(c.request); res.StatusCode != 202 && name != "unknown response mode" {
				t.Fatalf("status %d", res.StatusCode)
			}
			got := <-f.result
			if string(got.payload) != string(c.want.payload) || got.failed != c.want.failed || got.errorType != c.want.errorType {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestContinue(t *testing.T) {
	a, _ := served(t)
	conn, err := net.Dial("tcp4", a.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
	br := bufio.NewReader(conn)
	line, _ := br.ReadString('\n')
	if !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("got %q", line)
	}
}

func TestReservedNames(t *testing.T) {
	for name, want := range map[string]bool{"AWS_REGION": true, "_HANDLER": true, "AWS_LAMBDA_RUNTIME_API": true, "TZ": false, "PATH": false, "STAGE": false} {
		if got := Reserved(name); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

// FuzzRequest: whatever a process sends, the parser ends, and what it accepts as
// a chunked or sized body is what net/http reads.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(getNext))
	f.Add([]byte(post("invocation/id/response", "body")))
	f.Add([]byte("POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: u\r\n\r\n"))
	f.Add([]byte("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\nabc"))
	f.Add([]byte("\r\n\r\nGET / HTTP/1.0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var r request
		br := bufio.NewReaderSize(strings.NewReader(string(data)), 16<<10)
		if r.read(br) != nil || r.readBody(br) != nil {
			return
		}
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(string(data))))
		if err != nil {
			return // net/http refuses more
		}
		body, err := io.ReadAll(req.Body)
		if err != nil || int64(len(body)) > MaxResponse {
			return
		}
		if string(body) != string(r.body) {
			t.Errorf("body got %q, net/http reads %q", r.body, body)
		}
	})
}

// BenchmarkBareLoop hands the same event to the Runtime API's client over and
// over, with no pool, logs or admission: the baseline of a warm invocation.
func BenchmarkBareLoop(b *testing.B) {
	inst := bareInstance(b)
	payload := []byte(`{"mode":"echo","text":"hello"}`)
	b.ReportAllocs()
	for b.Loop() {
		f := &flight{id: "8476a536-e9f4-11e8-9739-2dfe598c3fcd", result: make(chan reply, 1), deadline: time.Now().Add(time.Minute), event: Event{Payload: payload}}
		if _, err := inst.begin(f); err != nil {
			b.Fatal(err)
		}
		<-f.result
	}
}

func BenchmarkPool(b *testing.B) {
	p, cfg := benchPool(b)
	payload := []byte(`{"mode":"echo","text":"hello"}`)
	b.ReportAllocs()
	for b.Loop() {
		out, err := p.Do(context.Background(), cfg, Event{RequestID: "8476a536-e9f4-11e8-9739-2dfe598c3fcd", Payload: payload})
		if err != nil || out.FunctionError != "" {
			b.Fatal(err, string(out.Payload))
		}
	}
}

// BenchmarkColdStart goes from nothing to the first event asked for.
func BenchmarkColdStart(b *testing.B) {
	p, cfg := benchPool(b)
	for b.Loop() {
		boot := p.boot(cfg, newJournal(p, cfg), initTimeout, "init")
		if boot.inst == nil {
			b.Fatal(boot)
		}
		b.StopTimer()
		boot.inst.proc.Kill()
		<-boot.inst.dead
		b.StartTimer()
	}
}
