package monitor_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/monitor"
)

func target(t *testing.T) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/fine", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Version", "1.2.3")
		w.Header().Set("Set-Cookie", "session=secret")
		fmt.Fprintf(w, "all is well, %s %s", r.Method, r.Header.Get("X-Token"))
	})
	mux.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write(bytes.Repeat([]byte("x"), 5000))
	})
	mux.HandleFunc("/json", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"state":"green","queue":{"length":17},"nodes":[{"up":true},{"up":false}],"a.b":null}`))
	})
	mux.HandleFunc("/to", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("url"), http.StatusFound)
	})
	mux.HandleFunc("/around", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/around", http.StatusFound) })
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(bytes.Repeat([]byte("y"), 64<<10)); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/never", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/hangs-up", func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = conn.Close()
	})
	mux.HandleFunc("/agent", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.UserAgent())) })
	return mux
}

func text(s string) *string                                  { return &s }
func number(v float64) *float64                              { return &v }
func paths(list ...monitor.JSONCondition) monitor.Conditions { return monitor.Conditions{JSON: list} }

func TestWhatAnAnswerHasToBe(t *testing.T) {
	srv := httptest.NewServer(target(t))
	defer srv.Close()
	secure := httptest.NewTLSServer(target(t))
	defer secure.Close()
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + nobody.Addr().String()
	_ = nobody.Close()
	for name, c := range map[string]struct {
		url    string
		change func(*monitor.Task)
		expect monitor.Conditions
		want   string // part of the reason; "": it is up
	}{
		"anything of 2xx":                 {url: "/fine"},
		"a status that is an error":       {url: "/broken", want: "it answers 500 Internal Server Error"},
		"an error that is expected":       {url: "/broken", expect: monitor.Conditions{Status: []string{"500"}}},
		"a class that is expected":        {url: "/broken", expect: monitor.Conditions{Status: []string{"404", "5xx"}}},
		"another status than is expected": {url: "/fine", expect: monitor.Conditions{Status: []string{"204"}}, want: "it answers 200 OK"},
		"a text":                          {url: "/fine", expect: monitor.Conditions{Contains: []string{"all", "well"}}},
		"a text that is not there":        {url: "/fine", expect: monitor.Conditions{Contains: []string{"ill"}}, want: `the body lacks "ill"`},
		"a text that should not be there": {url: "/fine", expect: monitor.Conditions{Lacks: []string{"well"}}, want: `the body has "well"`},
		"an expression":                   {url: "/fine", expect: monitor.Conditions{Matches: []string{`^all \w+`}}},
		"an expression that does not":     {url: "/fine", expect: monitor.Conditions{Matches: []string{`^well`}}, want: "does not match"},
		"a header":                        {url: "/fine", expect: monitor.Conditions{Headers: map[string]string{"x-version": "1.2"}}},
		"a header that is missing":        {url: "/fine", expect: monitor.Conditions{Headers: map[string]string{"X-Other": ""}}, want: "the header X-Other is missing"},
		"a header that differs":           {url: "/fine", expect: monitor.Conditions{Headers: map[string]string{"X-Version": "9"}}, want: `the header X-Version is "1.2.3", without "9"`},
		"JSON":                            {url: "/json", expect: paths(monitor.JSONCondition{Path: "state", Equals: text("green")}, monitor.JSONCondition{Path: "$.nodes[-2].up", Equals: text("true")}, monitor.JSONCondition{Path: `$["a.b"]`, Equals: text("null")})},
		"JSON that differs":               {url: "/json", expect: paths(monitor.JSONCondition{Path: "state", Equals: text("red")}), want: `state is "green", not "red"`},
		"JSON that is not there":          {url: "/json", expect: paths(monitor.JSONCondition{Path: "nodes[2]"}), want: "nothing at nodes[2]"},
		"JSON that is too much":           {url: "/json", expect: paths(monitor.JSONCondition{Path: "queue.length", Below: number(17)}), want: "queue.length is 17, not below 17"},
		"JSON that is enough":             {url: "/json", expect: paths(monitor.JSONCondition{Path: "queue.length", Above: number(16), Below: number(18)})},
		"JSON that is no number":          {url: "/json", expect: paths(monitor.JSONCondition{Path: "state", Above: number(1)}), want: "no number"},
		"no JSON":                         {url: "/fine", expect: paths(monitor.JSONCondition{Path: "state"}), want: "the body is not JSON"},
		"a redirect":                      {url: "/to?url=/fine", expect: monitor.Conditions{Contains: []string{"well"}}},
		"a redirect that counts itself":   {url: "/to?url=/fine", change: func(t *monitor.Task) { t.NoRedirects = true }, expect: monitor.Conditions{Status: []string{"302"}}},
		"a redirect to what is closed":    {url: "/to?url=" + closed, want: "the connection is refused"},
		"round and round":                 {url: "/around", want: "it redirects more than 10 times"},
		"a method and a header":           {url: "/fine", change: func(t *monitor.Task) { t.Method, t.Headers = "POST", map[string]string{"X-Token": "hello"} }, expect: monitor.Conditions{Contains: []string{"POST hello"}}},
		"a body without end":              {url: "/endless", expect: monitor.Conditions{Lacks: []string{"z"}}},
		"nobody there":                    {url: closed, want: "the connection is refused"},
		"no answer":                       {url: "/never", change: func(t *monitor.Task) { t.Timeout = monitor.Duration(100 * time.Millisecond) }, want: "no answer within 100ms: it was still waiting for the first byte"},
		"half an answer":                  {url: "/hangs-up", want: "closed the connection"},
		"a name that is none":             {url: "http://nobody.invalid/", want: "the name nobody.invalid"},
		"a name below localhost":          {url: strings.Replace(srv.URL, "127.0.0.1", "drops-dev.localhost", 1) + "/fine"},
		"who asks":                        {url: "/agent", expect: monitor.Conditions{Contains: []string{"dropstack-monitor"}}},
		"a certificate":                   {url: secure.URL + "/fine", expect: monitor.Conditions{Certificate: monitor.Duration(24 * time.Hour)}},
		"a certificate that ends soon":    {url: secure.URL + "/fine", expect: monitor.Conditions{Certificate: monitor.Duration(100 * 365 * 24 * time.Hour)}, want: "the certificate expires in"},
		"a certificate of nobody":         {url: strings.Replace(secure.URL, "127.0.0.1", "localhost", 1), want: "the certificate does not hold"},
		"an address inside":               {url: "/fine", change: func(t *monitor.Task) { t.Inside = false }, want: "127.0.0.1 is not on the internet"},
		"where clouds keep secrets":       {url: "http://169.254.169.254/latest/meta-data/", want: "nobody reaches"},
		"inside by a redirect":            {url: "/to?url=http://169.254.169.254/", want: "nobody reaches"},
		"within a time":                   {url: "/fine", expect: monitor.Conditions{Within: monitor.Duration(time.Nanosecond)}, want: "more than 1ns"},
	} {
		t.Run(name, func(t *testing.T) {
			task := monitor.Task{ID: "1", Monitor: "page", Inside: true, Target: monitor.Target{URL: c.url, Expect: c.expect}}
			if strings.HasPrefix(c.url, "/") {
				task.URL = srv.URL + c.url
			}
			if c.change != nil {
				c.change(&task)
			}
			if err := task.Target.Check(); err != nil {
				t.Fatal(err)
			}
			roots := x509.NewCertPool()
			roots.AddCert(secure.Certificate())
			r := (&monitor.Checker{RootCAs: roots}).Check(t.Context(), task)
			if c.want == "" && r.State != monitor.Up || c.want != "" && (r.State != monitor.Down || !strings.Contains(r.Reason, c.want)) {
				t.Errorf("%s: %q, want %q", r.State, r.Reason, c.want)
			}
			if r.State == monitor.Down && r.Evidence == nil {
				t.Error("there is no evidence")
			}
			if strings.Contains(fmt.Sprintf("%+v", r.Evidence), "session=secret") {
				t.Error("a cookie is kept")
			}
		})
	}
}

func TestHeadersAreForOneHost(t *testing.T) {
	got := make(chan string, 1)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("X-Token") }))
	defer other.Close()
	srv := httptest.NewServer(target(t))
	defer srv.Close()
	task := monitor.Task{ID: "1", Monitor: "page", Inside: true, Target: monitor.Target{URL: srv.URL + "/to?url=" + other.URL, Headers: map[string]string{"X-Token": "s3cret"}}}
	if r := (&monitor.Checker{}).Check(t.Context(), task); r.State != monitor.Up {
		t.Fatalf("got %s: %s", r.State, r.Reason)
	}
	if token := <-got; token != "" {
		t.Errorf("another host got the header %q", token)
	}
}

func TestAPasswordInAURLIsRefused(t *testing.T) {
	err := (&monitor.Target{URL: "https://ann:s3cret@example.com/"}).Check()
	if err == nil || !strings.Contains(err.Error(), "Authorization") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("got %v, want where to put it instead", err)
	}
}

func TestPhasesAndEvidence(t *testing.T) {
	secure := httptest.NewTLSServer(target(t))
	defer secure.Close()
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	task := monitor.Task{ID: "1", Monitor: "page", Inside: true, Target: monitor.Target{URL: secure.URL + "/to?url=/broken"}}
	r := (&monitor.Checker{RootCAs: roots}).Check(t.Context(), task)
	p := r.Phases
	if p.Connect <= 0 || p.TLS <= 0 || p.FirstByte <= 0 || p.Total < p.Connect+p.TLS+p.FirstByte+p.Transfer {
		t.Errorf("phases %+v: each takes some time, and all together no more than the total", p)
	}
	if r.Status != http.StatusInternalServerError || r.Reached != monitor.ReachedAnswer || r.Evidence.Status != "500 Internal Server Error" {
		t.Errorf("%+v", r)
	}
	if got := len(r.Evidence.Body); got != 2048 || r.Evidence.Address != secure.Listener.Addr().String() || r.Evidence.Certificate == "" {
		t.Errorf("evidence: %d bytes, %+v", got, r.Evidence)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if r := (&monitor.Checker{}).Check(ctx, task); r.State != monitor.Down || r.Reached != monitor.ReachedNothing {
		t.Errorf("with a context that has ended: %+v", r)
	}
}

func TestAProbeMayKeepToTheInternet(t *testing.T) {
	srv := httptest.NewServer(target(t))
	defer srv.Close()
	task := monitor.Task{ID: "1", Monitor: "page", Inside: true, Target: monitor.Target{URL: srv.URL + "/fine"}}
	if r := (&monitor.Checker{Outside: true}).Check(t.Context(), task); r.State != monitor.Down || !strings.Contains(r.Reason, "not on the internet") {
		t.Errorf("%+v", r)
	}
}

func TestMonitorsThatAreNone(t *testing.T) {
	valid := func() monitor.Monitor {
		return monitor.Monitor{Name: "page", Target: monitor.Target{URL: "https://example.com/"}}
	}
	for name, change := range map[string]func(*monitor.Monitor){
		"no name":             func(m *monitor.Monitor) { m.Name = "" },
		"a name with a dot":   func(m *monitor.Monitor) { m.Name = "a.b" },
		"no URL":              func(m *monitor.Monitor) { m.URL = "" },
		"a URL of another":    func(m *monitor.Monitor) { m.URL = "ftp://example.com" },
		"no host":             func(m *monitor.Monitor) { m.URL = "/path" },
		"too often":           func(m *monitor.Monitor) { m.Interval = monitor.Duration(time.Millisecond) },
		"too seldom":          func(m *monitor.Monitor) { m.Interval = monitor.Duration(48 * time.Hour) },
		"a long timeout":      func(m *monitor.Monitor) { m.Timeout = monitor.Duration(time.Hour) },
		"slow past it":        func(m *monitor.Monitor) { m.Slow = monitor.Duration(time.Minute) },
		"a quorum below none": func(m *monitor.Monitor) { m.Quorum = -1 },
		"no status":           func(m *monitor.Monitor) { m.Expect.Status = []string{"2xy"} },
		"no expression":       func(m *monitor.Monitor) { m.Expect.Matches = []string{"("} },
		"no path":             func(m *monitor.Monitor) { m.Expect.JSON = []monitor.JSONCondition{{Path: "a[b]"}} },
		"a header of lines":   func(m *monitor.Monitor) { m.Headers = map[string]string{"A": "b\r\nc: d"} },
		"no header":           func(m *monitor.Monitor) { m.Expect.Headers = map[string]string{"a b": ""} },
		"a tunnel":            func(m *monitor.Monitor) { m.Method = "CONNECT" },
		"a title of lines":    func(m *monitor.Monitor) { m.Title = "a\nb" },
	} {
		one := valid()
		change(&one)
		if err := one.Check(); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	one := valid()
	if err := one.Check(); err != nil {
		t.Error(err)
	}
}
