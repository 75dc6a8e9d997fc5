package edge_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/quic-go/quic-go/http3"

	"github.com/dropstack/dropstack/internal/edge"
)

// third serves s by HTTP/3 and returns where, and a client.
func third(t *testing.T, s *edge.Server) (string, *http.Client) {
	t.Helper()
	other := httptest.NewUnstartedServer(nil)
	other.StartTLS() // for its certificate
	t.Cleanup(other.Close)
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.ServeQUIC(ctx, conn, &tls.Config{Certificates: other.TLS.Certificates}) }()
	transport := &http3.Transport{TLSClientConfig: other.Client().Transport.(*http.Transport).TLSClientConfig.Clone()}
	t.Cleanup(func() {
		transport.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "https://" + conn.LocalAddr().String(), &http.Client{Transport: transport}
}

func TestHTTP3(t *testing.T) {
	d := all("web")
	d.Behaviours[0].MaxBody = 1 << 20
	s, _ := server(t, origins{"web": func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%s %s %d %v", r.Header.Get("X-Forwarded-Proto"), r.Header.Get("Via"), n, err)
	}}, d)
	records := make(chan edge.AccessRecord, 1)
	s.Access = func(a edge.AccessRecord) { records <- a }
	url, client := third(t, s)
	for _, c := range []struct {
		method string
		body   int
		status int
		want   string
	}{
		{"GET", 0, 200, "https 3.0 "},
		{"POST", 1 << 19, 200, fmt.Sprint(1<<19, " <nil>")},
		{"POST", 1 << 21, 413, "over the limit"},
		{"GET", 0, 200, "https 3.0 "},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, url+"/x", bytes.NewReader(make([]byte, c.body)))
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(r)
		if err != nil {
			t.Fatalf("%s of %d bytes: %v", c.method, c.body, err)
		}
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		a := <-records
		if res.StatusCode != c.status || !strings.Contains(string(text), c.want) || res.ProtoMajor != 3 {
			t.Errorf("%s of %d bytes: got %s %d %s, want %s", c.method, c.body, res.Proto, res.StatusCode, text, c.want)
		}
		if a.Version != "HTTP/3.0" || a.Protocol != "https" || a.TLSVersion != "TLSv1.3" || a.Client != "127.0.0.1" || a.Status != c.status {
			t.Errorf("recorded %+v", a)
		}
	}
}

func TestHTTP3IsOffered(t *testing.T) {
	for name, c := range map[string]struct {
		http3  bool
		port   int
		secure bool
		want   string
	}{
		"where it is":            {true, 8443, true, `h3=":8443"; ma=86400`},
		"not by plain HTTP":      {true, 8443, false, ""},
		"not without a listener": {true, 0, true, ""},
		"not by others":          {false, 8443, true, ""},
	} {
		d := all("web")
		d.HTTP3 = c.http3
		s, _ := server(t, origins{"web": named("web")}, d)
		s.HTTP3Port = c.port
		url, client := start(t, s), http.DefaultClient
		if c.secure {
			url, client = secured(t, s)
		}
		res, err := client.Get(url + "/")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := res.Header.Get("Alt-Svc"); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
