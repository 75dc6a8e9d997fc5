package edge_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/edge"
)

// TestOriginsThatAnswerEarly: an origin may answer while the body is still on its way,
// which is read by another goroutine than the one that answers.
func TestOriginsThatAnswerEarly(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!")
		io.CopyN(io.Discard, rw, 4<<20)
	}))
	defer other.Close()
	s, _ := server(t, nil, edge.Distribution{Stack: "x", ID: "x", Default: true, Origins: []edge.Origin{elsewhere(t, "o", other)}, Behaviours: []edge.Behaviour{{Path: "*", Origin: "o", MaxBody: 64 << 20}}})
	records := make(chan edge.AccessRecord, 1)
	s.Access = func(a edge.AccessRecord) { records <- a }
	url, client := secured(t, s)
	for range 4 {
		res, err := client.Post(url+"/", "text/plain", strings.NewReader(strings.Repeat("x", 4<<20)))
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if a := <-records; a.Status != 403 || res.ProtoMajor != 2 {
			t.Errorf("got %+v by %s", a, res.Proto)
		}
	}
}

// TestBodiesThatAreBroken: what is wrong with a request's body is its client's fault.
func TestBodiesThatAreBroken(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	defer other.Close()
	s, _ := server(t, nil, edge.Distribution{Stack: "x", ID: "x", Default: true, Origins: []edge.Origin{elsewhere(t, "o", other)}, Behaviours: []edge.Behaviour{{Path: "*", Origin: "o"}}})
	var warned bytes.Buffer
	s.Log = slog.New(slog.NewTextHandler(&warned, nil))
	records := make(chan edge.AccessRecord, 1)
	s.Access = func(a edge.AccessRecord) { records <- a }
	c, err := net.Dial("tcp", strings.TrimPrefix(start(t, s), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
	answer, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
		t.Errorf("got %s, %v", answer, err)
	}
	if a := <-records; a.Status != 400 || a.Result != "Error" || a.Detail != "ClientCommError" {
		t.Errorf("recorded %+v", a)
	}
	if warned.Len() > 0 {
		t.Errorf("the origin is blamed: %s", &warned)
	}
}
