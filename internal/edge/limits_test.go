package edge_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropstack/dropstack/internal/edge"
)

// from is a listener whose connections come from wherever they say.
type from struct {
	conns chan net.Conn
	done  chan struct{}
}

type fromConn struct {
	net.Conn
	addr net.Addr
}

func (c fromConn) RemoteAddr() net.Addr { return c.addr }

func (f from) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.done:
		return nil, net.ErrClosed
	}
}

func (f from) Close() error {
	select {
	case <-f.done:
	default:
		close(f.done)
	}
	return nil
}

func (f from) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

// dial connects as an address and says whether it is let in: one request is answered.
func (f from) dial(t *testing.T, addr string) (net.Conn, bool) {
	t.Helper()
	ours, theirs := net.Pipe()
	f.conns <- fromConn{theirs, &net.TCPAddr{IP: net.ParseIP(addr), Port: 1234}}
	if _, err := fmt.Fprintf(ours, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return ours, false
	}
	res, err := http.ReadResponse(bufio.NewReader(ours), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	return ours, res.StatusCode == 200
}

func TestConnectionsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := server(t, origins{"web": named("web")}, all("web"))
		s.Limits = edge.Limits{Connections: 6, PerClient: 2}
		s.Proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		l := from{make(chan net.Conn), make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx, l) }()
		var open []net.Conn
		for i, c := range []struct {
			addr string
			want bool
		}{
			{"192.0.2.1", true},
			{"192.0.2.1", true},
			{"192.0.2.1", false},
			{"2001:db8::1", true},
			{"2001:db8::2", true},
			{"2001:db8::3", false}, // one /64
			{"10.0.0.1", true},
			{"10.0.0.1", true},
			{"10.0.0.1", false}, // six altogether
			{"192.0.2.2", false},
		} {
			conn, ok := l.dial(t, c.addr)
			if ok != c.want {
				t.Errorf("%d: %s is let in: %v", i, c.addr, ok)
			}
			open = append(open, conn)
		}
		open[0].Close()
		synctest.Wait()
		conn, ok := l.dial(t, "192.0.2.1")
		if !ok {
			t.Error("a place that is free again is not given away")
		}
		for _, c := range append(open, conn) {
			c.Close()
		}
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// TestSlowReaders: who takes a little all the time keeps the answer, who takes next to
// nothing does not.
func TestSlowReaders(t *testing.T) {
	for name, c := range map[string]struct {
		each  int // bytes every ten seconds
		whole bool
	}{
		"slow": {3000, true}, "too slow": {1000, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			const size = 300_000
			s, _ := server(t, origins{"web": func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, size)) }}, all("web"))
			var got edge.AccessRecord
			s.Access = func(a edge.AccessRecord) { got = a }
			l := pipes{make(chan net.Conn), make(chan struct{})}
			ctx, cancel := context.WithCancel(t.Context())
			served := make(chan error, 1)
			go func() { served <- s.Serve(ctx, l) }()
			client, conn := net.Pipe()
			l.conns <- conn
			fmt.Fprintf(client, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			n := 0
			for buf := make([]byte, c.each); ; {
				m, err := io.ReadFull(client, buf)
				n += m
				if err != nil {
					break
				}
				time.Sleep(10 * time.Second)
			}
			if whole := n > size; whole != c.whole {
				t.Errorf("%s: got %d bytes", name, n)
			}
			client.Close()
			cancel()
			if err := <-served; err != nil {
				t.Error(err)
			}
			if want := map[bool]string{true: "Miss", false: "ClientCommError"}[c.whole]; got.Detail != want || got.Status != 200 {
				t.Errorf("%s: recorded %+v", name, got)
			}
		})
	}
}

func TestTooManyHeaders(t *testing.T) {
	s, _ := server(t, origins{"web": named("web")}, all("web"))
	var got edge.AccessRecord
	s.Access = func(a edge.AccessRecord) { got = a }
	h := http.Header{"X-Many": make([]string, 200)}
	if res := get(s, "/", h); res.Code != 200 {
		t.Errorf("200 of them: got %d %s", res.Code, res.Body)
	}
	h.Set("X-One-More", "1")
	if res := get(s, "/", h); res.Code != 413 || !strings.Contains(res.Body.String(), "the limit is 200") || got.Result != "LimitExceeded" || !got.Refused {
		t.Errorf("201: got %d %s, %+v", res.Code, res.Body, got)
	}
}

func TestLimitsAreChecked(t *testing.T) {
	if err := (edge.Limits{}).Check(); err != nil {
		t.Error(err)
	}
	for want, l := range map[string]edge.Limits{"connections": {Connections: -1}, "stall time": {Stall: time.Millisecond}, "streams": {Streams: -1}} {
		if err := l.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// secured serves by HTTPS with a certificate of the test's own, and returns a client
// that speaks HTTP/2.
func secured(t *testing.T, s *edge.Server) (string, *http.Client) {
	t.Helper()
	other := httptest.NewUnstartedServer(nil)
	other.StartTLS() // for its certificate
	t.Cleanup(other.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.ServeTLS(ctx, l, &tls.Config{Certificates: other.TLS.Certificates}) }()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: other.Client().Transport.(*http.Transport).TLSClientConfig.Clone(), ForceAttemptHTTP2: true}}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "https://" + l.Addr().String(), client
}

func TestHTTP2(t *testing.T) {
	s, _ := server(t, origins{"web": func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s", r.Header.Get("X-Forwarded-Proto"), r.Proto, text)
	}}, all("web"))
	records := make(chan edge.AccessRecord, 1)
	s.Access = func(a edge.AccessRecord) { records <- a }
	url, client := secured(t, s)
	res, err := client.Post(url+"/x", "text/plain", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(res.Body)
	res.Body.Close()
	got := <-records
	if string(text) != "https HTTP/2.0 body" || got.Version != "HTTP/2.0" || got.Protocol != "https" || got.TLSVersion != "TLSv1.3" || !strings.HasPrefix(got.TLSCipher, "TLS_") {
		t.Errorf("got %s, recorded %+v", text, got)
	}
	// Without TLS there is no HTTP/2, whatever the client says first.
	c, err := net.Dial("tcp", strings.TrimPrefix(start(t, s), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 4") {
		t.Errorf("got %q, %v", line, err)
	}
}

// TestRecordedBytes: what records say has gone over the wire is what has.
func TestRecordedBytes(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789"), 5000)
	s, _ := server(t, origins{"web": func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path != "/guess" {
			w.Header().Set("Content-Type", "text/plain")
		}
		switch r.URL.Path {
		case "/guess":
			io.WriteString(w, "<!doctype html>")
		case "/sized":
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			w.Write(body)
		case "/small":
			io.WriteString(w, "small")
		case "/empty":
			w.WriteHeader(204)
		}
	}}, all("web"))
	records := make(chan edge.AccessRecord, 1)
	s.Access = func(a edge.AccessRecord) { records <- a }
	address := strings.TrimPrefix(start(t, s), "http://")
	var in, out, saidIn, saidOut int64
	for _, request := range []string{
		"GET /sized HTTP/1.1\r\nHost: x\r\n\r\n", "HEAD /sized HTTP/1.1\r\nHost: x\r\n\r\n", "GET /small HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nX-A: 2\r\n\r\n",
		"POST /empty?x=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody", "GET /sized HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET /guess HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "TRACE / HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, request)
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		a := <-records
		in, out, saidIn, saidOut = in+int64(len(request)), out+int64(len(answer)), saidIn+a.BytesIn, saidOut+a.BytesOut
		if a.BytesIn != int64(len(request)) || a.BytesOut != int64(len(answer)) {
			t.Errorf("%.20s: %d in and %d out, recorded %d and %d:\n%.600s", request, len(request), len(answer), a.BytesIn, a.BytesOut, answer)
		}
	}
	if in != saidIn || out != saidOut {
		t.Errorf("altogether %d in and %d out, recorded %d and %d", in, out, saidIn, saidOut)
	}
}

// TestClientsThatLeave: the record says so.
func TestClientsThatLeave(t *testing.T) {
	entered := make(chan struct{}, 1)
	s, _ := server(t, origins{"web": func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/half" {
			io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
		}
		entered <- struct{}{}
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}}, all("web"))
	records := make(chan edge.AccessRecord, 1)
	s.Access = func(a edge.AccessRecord) { records <- a }
	address := strings.TrimPrefix(start(t, s), "http://")
	for path, status := range map[string]int{"/nothing": 0, "/half": 200} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
		<-entered
		c.Close()
		if a := <-records; a.Status != status || a.Result != "Error" || a.Detail != "ClientCommError" {
			t.Errorf("%s: got %+v", path, a)
		}
	}
}

// TestWebSocket speaks both ways through the edge until it shuts down.
func TestWebSocket(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Sec-Websocket-Key") != "k" || r.Header.Get("Cookie") != "" {
			w.WriteHeader(400)
			return
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		io.Copy(c, rw)
	}))
	defer other.Close()
	s := &edge.Server{Log: slog.New(slog.DiscardHandler)}
	if err := s.Replace("x", []edge.Distribution{{
		Stack: "x", ID: "x", Default: true, Origins: []edge.Origin{elsewhere(t, "o", other)},
		Behaviours: []edge.Behaviour{{Path: "*", Origin: "o", Forward: &edge.Forward{}}},
	}}); err != nil {
		t.Fatal(err)
	}
	records := make(chan edge.AccessRecord, 2)
	s.Access = func(a edge.AccessRecord) { records <- a }
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	var wg sync.WaitGroup
	speak := func(leave bool) net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\nCookie: a=1\r\n\r\n")
		in := bufio.NewReader(c)
		res, err := http.ReadResponse(in, nil)
		if err != nil || res.StatusCode != 101 || res.Header.Get("Upgrade") != "websocket" {
			t.Fatalf("got %+v, %v", res, err)
		}
		for range 3 {
			io.WriteString(c, "hello")
			echo := make([]byte, 5)
			if _, err := io.ReadFull(in, echo); err != nil || string(echo) != "hello" {
				t.Fatalf("got %q, %v", echo, err)
			}
		}
		if leave {
			c.Close()
			return nil
		}
		wg.Go(func() {
			if n, _ := io.Copy(io.Discard, in); n != 0 {
				t.Errorf("got %d bytes more", n)
			}
		})
		return c
	}
	speak(true)
	a := <-records
	if a.Status != 101 || a.Protocol != "ws" || a.Path != "/chat" || a.BytesIn < 15+100 || a.BytesOut < 15+100 || a.Result != "Miss" {
		t.Errorf("recorded %+v", a)
	}
	c := speak(false)
	defer c.Close()
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	wg.Wait() // the edge has hung up
	if a := <-records; a.Status != 101 {
		t.Errorf("recorded %+v", a)
	}
}

// TestEventsFromElsewhere: each arrives when it is sent.
func TestEventsFromElsewhere(t *testing.T) {
	next := make(chan struct{})
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			_ = http.NewResponseController(w).Flush()
			<-next
		}
	}))
	defer other.Close()
	s, _ := server(t, nil, edge.Distribution{Stack: "x", ID: "x", Default: true, Origins: []edge.Origin{elsewhere(t, "o", other)}, Behaviours: []edge.Behaviour{{Path: "*", Origin: "o"}}})
	res, err := http.Get(start(t, s))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	in := bufio.NewReader(res.Body)
	for i := range 3 {
		line, err := in.ReadString('\n')
		if err != nil || line != fmt.Sprintf("data: %d\n", i) {
			t.Fatalf("got %q, %v", line, err)
		}
		in.ReadString('\n')
		next <- struct{}{}
	}
}
