package instance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// stream takes a streamed response.
type stream struct {
	mu          sync.Mutex
	contentType string
	begun       int
	got         strings.Builder
	fails       bool
	done        bool
	late        bool // something came after done
}

func (s *stream) Begin(contentType string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.contentType = contentType
	s.begun++
	s.late = s.late || s.done
}

func (s *stream) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late = s.late || s.done
	if s.fails {
		return 0, errors.New("gone")
	}
	return s.got.Write(b)
}

func (s *stream) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.String()
}

// over says that Do has returned.
func (s *stream) over() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = true
}

const streamHead = "POST /2018-06-01/runtime/invocation/id/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" +
	"Lambda-Runtime-Function-Response-Mode: streaming\r\nContent-Type: text/odd\r\n\r\n"

func streamedOffer(t *testing.T, to Stream) (*api, *flight, func(string) *http.Response) {
	t.Helper()
	a, _ := served(t)
	call := dial(t, a.listener.Addr().String())
	ev, _ := gated(Event{RequestID: "id", Payload: []byte("1"), Stream: to})
	f := &flight{id: "id", deadline: time.Now().Add(time.Minute), result: make(chan reply, 1), event: ev}
	_, _ = a.begin(f)
	call(getNext)
	return a, f, call
}

func TestStreamedReplies(t *testing.T) {
	for name, c := range map[string]struct {
		body, text string
		status     int
		want       reply
	}{
		"whole": {"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde", 202, reply{}},
		"empty": {"0\r\n\r\n", "", 202, reply{}},
		"with an error at its end": {
			"1\r\na\r\n0\r\nLambda-Runtime-Function-Error-Type: Oops\r\nLambda-Runtime-Function-Error-Body: eyJhIjoxfQ==\r\n\r\n",
			"a", 202,
			reply{payload: []byte(`{"a":1}`), failed: true, errorType: "Oops"},
		},
		"over the limit": {
			"8\r\n01234567\r\n8\r\n89abcdef\r\n0\r\n\r\n", "0123456789", 413,
			problem("Function.ResponseSizeTooLarge", "Response payload size (11 bytes) exceeded maximum allowed payload size (10 bytes)."),
		},
	} {
		t.Run(name, func(t *testing.T) {
			to := &stream{}
			a, f, call := streamedOffer(t, to)
			a.mu.Lock()
			a.maxStream = 10
			a.mu.Unlock()
			if res := call(streamHead + c.body); res.StatusCode != c.status {
				t.Errorf("status got %d, want %d", res.StatusCode, c.status)
			}
			got := <-f.result
			if string(got.payload) != string(c.want.payload) || got.failed != c.want.failed || got.errorType != c.want.errorType {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if to.text() != c.text || to.begun != 1 || to.contentType != "text/odd" {
				t.Errorf("got %q, begun %d times with %q", to.text(), to.begun, to.contentType)
			}
		})
	}
}

// A chunk is with the caller before the function sends the next.
func TestChunksAreForwardedAsTheyCome(t *testing.T) {
	to := &stream{}
	a, _, _ := streamedOffer(t, to)
	conn := dialled(t, a.listener.Addr().String())
	for i, part := range []string{streamHead + "5\r\nab", "cde", "\r\n1\r\nf\r\n"} {
		if _, err := io.WriteString(conn, part); err != nil {
			t.Fatal(err)
		}
		want := []string{"ab", "abcde", "abcdef"}[i]
		wait(t, want, func() bool { return to.text() == want })
	}
}

func TestResponseThatBreaksOff(t *testing.T) {
	to := &stream{}
	a, f, _ := streamedOffer(t, to)
	a.mu.Lock()
	a.truncation = time.Millisecond
	a.mu.Unlock()
	conn := dialled(t, a.listener.Addr().String())
	if _, err := io.WriteString(conn, streamHead+"5\r\nab"); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if got := <-f.result; got.errorType != "Runtime.TruncatedResponse" || !got.failed {
		t.Errorf("got %+v", got)
	}
}

func TestSecondResponseDuringAStreamedOne(t *testing.T) {
	a, _, call := streamedOffer(t, &stream{})
	conn := dialled(t, a.listener.Addr().String())
	if _, err := io.WriteString(conn, streamHead+"5\r\nab"); err != nil {
		t.Fatal(err)
	}
	wait(t, "the stream", func() bool { a.mu.Lock(); defer a.mu.Unlock(); return a.current.taken })
	if res := call(post("invocation/id/response", "1")); res.StatusCode != 403 {
		t.Errorf("status got %d, want 403", res.StatusCode)
	}
}

func doStream(t *testing.T, ctx context.Context, p *Pool, cfg Config, to *stream, payload string) (Outcome, error) {
	t.Helper()
	ids++
	out, err := p.Do(ctx, cfg, Event{RequestID: fmt.Sprint("stream-", ids), Payload: []byte(payload), Stream: to})
	to.over()
	return out, err
}

func TestStreamingFunction(t *testing.T) {
	p, _ := newPool(t)
	for name, c := range map[string]struct {
		payload, text, errorType string
		timeout                  time.Duration
		atLeast                  bool // text may be less: the process was killed
	}{
		"whole":   {payload: `{"mode":"stream"}`, text: "firstsecond"},
		"error":   {payload: `{"mode":"stream","n":1}`, text: "first", errorType: "errorString"},
		"exit":    {payload: `{"mode":"stream","n":2}`, text: "first", errorType: "Runtime.ExitError", atLeast: true},
		"timeout": {payload: `{"mode":"stream","text":"/nowhere"}`, text: "first", errorType: "Sandbox.Timedout", timeout: 500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := probe()
			if c.timeout > 0 {
				cfg.ID, cfg.Timeout = "short", c.timeout
			}
			to := &stream{}
			out, err := doStream(t, t.Context(), p, cfg, to, c.payload)
			if err != nil {
				t.Fatal(err)
			}
			if c.atLeast && strings.HasPrefix(c.text, to.text()) {
				c.text = to.text()
			}
			if to.text() != c.text || out.ErrorType != c.errorType || (out.FunctionError != "") != (c.errorType != "") {
				t.Errorf("got %q and %q %s", to.text(), out.ErrorType, out.Payload)
			}
			if out.Streamed != (to.begun == 1) || to.begun == 0 && !c.atLeast {
				t.Errorf("streamed %v, begun %d times", out.Streamed, to.begun)
			}
			if c.errorType == "" && out.Payload != nil {
				t.Errorf("payload beside the stream: %s", out.Payload)
			}
		})
	}
}

// A response is gathered for a caller that takes no stream.
func TestStreamedResponseIsGathered(t *testing.T) {
	p, _ := newPool(t)
	if out, _ := do(t, p, probe(), `{"mode":"stream"}`); string(out.Payload) != "firstsecond" || out.Streamed {
		t.Errorf("got %q, streamed %v", out.Payload, out.Streamed)
	}
}

// JSON comes in chunks from the Go client too; it is the payload.
func TestResponseThatIsNotStreamed(t *testing.T) {
	p, _ := newPool(t)
	to := &stream{}
	out, err := doStream(t, t.Context(), p, probe(), to, `{"a":1}`)
	if err != nil || out.Streamed || to.begun != 0 || string(out.Payload) != `{"a":1}` {
		t.Errorf("got %+v, %v", out, err)
	}
}

func TestErrorInsteadOfAStream(t *testing.T) {
	p, _ := newPool(t)
	to := &stream{}
	out, err := doStream(t, t.Context(), p, probe(), to, `{"mode":"fail"}`)
	if err != nil || out.Streamed || to.begun != 0 || out.ErrorType != "errorString" {
		t.Errorf("got %+v, %v", out, err)
	}
}

// A caller that leaves gets nothing more, and the function still ends well.
func TestCallerLeavesAStream(t *testing.T) {
	for _, how := range []string{"cold", "warm", "write fails"} {
		t.Run(how, func(t *testing.T) {
			p, _ := newPool(t)
			if how != "cold" {
				do(t, p, probe(), `{}`)
			}
			file := filepath.Join(shared(t), "go")
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			to, returned := &stream{fails: how == "write fails"}, make(chan error)
			ended := make(chan struct{})
			go func() {
				_, err := p.Do(ctx, probe(), Event{
					RequestID: "left", Payload: fmt.Appendf(nil, `{"mode":"stream","text":%q}`, file), Stream: to, Ended: func(Outcome, error) { close(ended) },
				})
				to.over()
				returned <- err
			}()
			wait(t, "the first part", func() bool { to.mu.Lock(); defer to.mu.Unlock(); return to.begun == 1 })
			if how != "write fails" {
				leave()
				if err := <-returned; !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want canceled", err)
				}
			}
			if err := os.WriteFile(file, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			if how == "write fails" {
				if err := <-returned; err != nil {
					t.Error(err)
				}
			}
			<-ended
			if to.late || strings.Contains(to.text(), "second") {
				t.Errorf("written after the caller left: %q", to.text())
			}
		})
	}
}

func BenchmarkStream(b *testing.B) {
	p, cfg := benchPool(b)
	b.ReportAllocs()
	for b.Loop() {
		to := &stream{}
		if out, err := p.Do(context.Background(), cfg, Event{RequestID: "b", Payload: []byte(`{"mode":"stream"}`), Stream: to}); err != nil || !out.Streamed {
			b.Fatal(err, out)
		}
	}
}
