package origin_test

import (
	"bufio"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropstack/dropstack/internal/edge/origin"
)

// told answers a failure with its status and detail.
func told(w http.ResponseWriter, _ *http.Request, f origin.Failure) {
	w.WriteHeader(f.Status)
	io.WriteString(w, f.Detail)
}

// domain is the Domain of a test server.
func domain(t testing.TB, s *httptest.Server) *origin.Domain {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	d := &origin.Domain{Host: u.Hostname(), Scheme: u.Scheme, HTTPPort: port, HTTPSPort: port, Answer: told, Log: slog.New(slog.DiscardHandler)}
	t.Cleanup(d.Close)
	return d
}

func ask(h http.Handler, r *http.Request) (*httptest.ResponseRecorder, *origin.Asked) {
	asked := &origin.Asked{ID: "id"}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(origin.With(r.Context(), asked)))
	return w, asked
}

func TestDomain(t *testing.T) {
	var got *http.Request
	var body string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		got, body = r, string(text)
		w.Header().Set("X-Dropstack-Send-Object", "bucket/key")
		w.Header().Set("Trailer", "X-Sum")
		w.WriteHeader(207)
		io.WriteString(w, "answer")
		w.Header().Set("X-Sum", "7")
	}))
	defer s.Close()
	r := httptest.NewRequest("PATCH", "/a%2Fb;c?x=1;y=%zz&&z", strings.NewReader("body"))
	r.Host = ""
	r.Header = http.Header{
		"X-Forwarded-For": {"192.0.2.1, 10.0.0.1"}, "X-Forwarded-Proto": {"https"}, "X-Own": {"1", "2"}, "Via": {"1.1 x"}, "User-Agent": {"Amazon CloudFront"},
	}
	w, asked := ask(domain(t, s), r)
	if w.Code != 207 || w.Body.String() != "answer" || w.Result().Trailer.Get("X-Sum") != "7" || asked.Detail() != "" {
		t.Errorf("got %d %s %v %s", w.Code, w.Body, w.Result().Trailer, asked.Detail())
	}
	if w.Header().Get("X-Dropstack-Send-Object") != "" {
		t.Error("a server elsewhere names objects of ours")
	}
	if got.RequestURI != "/a%2Fb;c?x=1;y=%zz&&z" || body != "body" || "http://"+got.Host != s.URL {
		t.Errorf("got %s of %s, %q", got.RequestURI, got.Host, body)
	}
	for name, want := range r.Header {
		if fmt.Sprint(got.Header[name]) != fmt.Sprint(want) {
			t.Errorf("%s: got %q, want %q", name, got.Header[name], want)
		}
	}
	r = httptest.NewRequest("GET", "/", nil)
	r.Host = "shop.example"
	if ask(domain(t, s), r); got.Host != "shop.example" {
		t.Errorf("a forwarded host: got %s", got.Host)
	}
}

func TestDomainByTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.TLS.ServerName+" "+r.Proto) }))
	defer s.Close()
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	d := domain(t, s)
	if w, asked := ask(d, httptest.NewRequest("GET", "/", nil)); w.Code != 502 || asked.Detail() != "OriginConnectError" {
		t.Errorf("a certificate that nobody vouches for: got %d %s", w.Code, asked.Detail())
	}
	d = domain(t, s)
	d.RootCAs = x509.NewCertPool()
	d.RootCAs.AddCert(s.Certificate())
	if w, _ := ask(d, httptest.NewRequest("GET", "/", nil)); w.Body.String() != " HTTP/1.1" { // addresses are no server names
		t.Errorf("got %d %q", w.Code, w.Body)
	}
	d.Scheme = "" // as the client came
	if w, _ := ask(d, httptest.NewRequest("GET", "/", nil)); w.Code != 400 {
		t.Errorf("by HTTP, as the client: got %d %s", w.Code, w.Body)
	}
}

func TestDomainThatDoesNotAnswer(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	refused := domain(t, closed)
	unknown := domain(t, closed)
	unknown.Host = "no-such-host.invalid"
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			c.Close()
		}
	}))
	defer broken.Close()
	garbage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			io.WriteString(c, "SSH-2.0-OpenSSH\r\n")
			c.Close()
		}
	}))
	defer garbage.Close()
	for name, c := range map[string]struct {
		d      *origin.Domain
		status int
		detail string
	}{
		"refused":        {refused, 502, "OriginConnectError"},
		"no such host":   {unknown, 502, "OriginDnsError"},
		"hangs up":       {domain(t, broken), 502, "OriginCommError"},
		"something else": {domain(t, garbage), 502, "OriginInvalidResponseError"},
	} {
		w, asked := ask(c.d, httptest.NewRequest("GET", "/", nil))
		if w.Code != c.status || asked.Detail() != c.detail {
			t.Errorf("%s: got %d %s, want %d %s", name, w.Code, asked.Detail(), c.status, c.detail)
		}
	}
}

// listen is a server on connections in memory, so that time is the bubble's.
func inMemory(t *testing.T, d *origin.Domain, h http.Handler) {
	t.Helper()
	d.Dial = func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() { _ = (&http.Server{Handler: h}).Serve(&one{conn: theirs, done: make(chan struct{})}) }()
		return ours, nil
	}
}

// one is a listener of one connection.
type one struct {
	conn net.Conn
	done chan struct{}
}

func (l *one) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	return nil, net.ErrClosed
}

func (l *one) Close() error   { return nil }
func (l *one) Addr() net.Addr { return &net.TCPAddr{} }

func TestDomainThatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &origin.Domain{Host: "origin.example", Scheme: "http", Answer: told, Log: slog.New(slog.DiscardHandler)}
		inMemory(t, d, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(time.Minute):
			case <-r.Context().Done():
			}
		}))
		start := time.Now()
		w, asked := ask(d, httptest.NewRequest("GET", "/", nil))
		if took := time.Since(start); w.Code != 504 || asked.Detail() != "OriginCommError" || took != 30*time.Second {
			t.Errorf("got %d %s after %v", w.Code, asked.Detail(), took)
		}
		d.Close()
	})
}

func TestDomainThatStopsInTheMidst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &origin.Domain{Host: "origin.example", Scheme: "http", Timeout: 5 * time.Second, Answer: told, Log: slog.New(slog.DiscardHandler)}
		inMemory(t, d, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for range 3 { // slower than one patience altogether
				io.WriteString(w, "tick")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(4 * time.Second)
			}
			<-r.Context().Done()
		}))
		asked := &origin.Asked{}
		w, start := httptest.NewRecorder(), time.Now()
		cause := func() (cause any) {
			defer func() { cause = recover() }()
			r := httptest.NewRequest("GET", "/", nil)
			d.ServeHTTP(w, r.WithContext(origin.With(r.Context(), asked)))
			return nil
		}()
		if took := time.Since(start); cause != http.ErrAbortHandler || w.Body.String() != "tickticktick" || asked.Detail() != "OriginReadError" || took != 13*time.Second {
			t.Errorf("got %q, %v, %s after %v", w.Body, cause, asked.Detail(), took)
		}
		d.Close()
	})
}

func TestDomainIsAskedOnceWhenItMatters(t *testing.T) {
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			return // so that the connection is kept
		}
		c, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			c.Close()
		}
	}))
	defer s.Close()
	for method, want := range map[string]int32{"POST": 1, "GET": 1} {
		asked.Store(0)
		d := domain(t, s)
		ask(d, httptest.NewRequest("GET", "/", nil))
		w, _ := ask(d, httptest.NewRequest(method, "/", strings.NewReader("x")))
		if got := asked.Load() - 1; w.Code != 502 || got < want || method == "POST" && got != 1 {
			t.Errorf("%s: got %d after it was asked %d times", method, w.Code, got)
		}
	}
}

func TestDomainIsDialledAsOftenAsItSays(t *testing.T) {
	for attempts, want := range map[int]int32{0: 3, 1: 1, 2: 2} {
		var tried atomic.Int32
		d := &origin.Domain{Host: "origin.example", Scheme: "http", Attempts: attempts, Answer: told, Log: slog.New(slog.DiscardHandler)}
		d.Dial = func(context.Context, string, string) (net.Conn, error) {
			tried.Add(1)
			return nil, &net.OpError{Op: "dial", Err: fmt.Errorf("refused")}
		}
		if w, _ := ask(d, httptest.NewRequest("GET", "/", nil)); w.Code != 502 || tried.Load() != want {
			t.Errorf("attempts %d: got %d after %d, want %d", attempts, w.Code, tried.Load(), want)
		}
	}
}

func TestDomainSwitchesProtocols(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" {
			w.WriteHeader(400)
			return
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		io.Copy(c, rw) // an echo
	}))
	defer s.Close()
	asked := &origin.Asked{}
	done := make(chan struct{})
	d := domain(t, s)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		d.ServeHTTP(w, r.WithContext(origin.With(r.Context(), asked)))
	}))
	defer front.Close()
	c, err := net.Dial("tcp", strings.TrimPrefix(front.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != 101 {
		t.Fatalf("got %+v, %v", res, err)
	}
	fmt.Fprintf(c, "hello")
	echo := make([]byte, 5)
	if _, err := io.ReadFull(in, echo); err != nil || string(echo) != "hello" {
		t.Errorf("got %q, %v", echo, err)
	}
	c.Close()
	<-done
	if from, to := asked.Traffic(); from != 5 || to != 5 {
		t.Errorf("counted %d from the origin and %d from the client", from, to)
	}
}
