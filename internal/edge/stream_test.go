package edge_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// overBubble serves one origin on connections in memory.
func overBubble(t *testing.T, origin http.HandlerFunc, test func(t *testing.T, c net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := server(t, origins{"web-dev": origin}, all("web-dev"))
		l := pipes{make(chan net.Conn), make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx, l) }()
		client, conn := net.Pipe()
		l.conns <- conn
		test(t, client)
		_ = client.Close()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// TestStreamsArePassedOnAtOnce: a flushed byte reaches the client while the
// origin is still at work, however long it is silent in between and at the end.
func TestStreamsArePassedOnAtOnce(t *testing.T) {
	overBubble(t, func(w http.ResponseWriter, _ *http.Request) {
		control := http.NewResponseController(w)
		for range 3 {
			io.WriteString(w, "tick")
			if err := control.Flush(); err != nil {
				t.Error(err)
			}
			time.Sleep(10 * time.Minute) // far beyond a stalled client's time
		}
	}, func(t *testing.T, c net.Conn) {
		start := time.Now()
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 4)
		for i := range 3 {
			if _, err := io.ReadFull(res.Body, buf); err != nil || string(buf) != "tick" {
				t.Fatalf("%d: got %q, %v", i, buf, err)
			}
			if got, want := time.Since(start), time.Duration(i)*10*time.Minute; got != want {
				t.Errorf("%d: arrived after %v, want %v", i, got, want)
			}
		}
		if rest, err := io.ReadAll(res.Body); err != nil || len(rest) != 0 {
			t.Errorf("the end: got %q, %v", rest, err)
		}
	})
}

// TestAnAbortedStreamLooksBroken: an origin that gives up in the midst leaves no
// answer that could pass for whole.
func TestAnAbortedStreamLooksBroken(t *testing.T) {
	overBubble(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}, func(t *testing.T, c net.Conn) {
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(res.Body); string(body) != "half" || err == nil {
			t.Errorf("got %q, %v, want half an answer and an error", body, err)
		}
	})
}

// TestFlushingHoldsBackWhatNamesAnObject: such an answer's body is never sent.
func TestFlushingHoldsBackWhatNamesAnObject(t *testing.T) {
	s, objects := server(t, origins{"web-dev": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Dropstack-Send-Object", "drops-files/a.txt")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		io.WriteString(w, "not this")
	}}, all("web-dev"))
	put(t, objects, "a.txt", "the object")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusOK || w.Body.String() != "the object" {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
}
