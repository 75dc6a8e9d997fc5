package console_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/dropstack/dropstack/internal/console"
)

func TestWhoMay(t *testing.T) {
	for name, loopback := range map[string]bool{"on loopback": true, "elsewhere": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(s *console.Server) { s.Loopback = loopback })
			nobody, reader := w.user("nobody", ""), w.user("reader", "dropstack:ReadMetrics")
			signedIn := map[string]*browser{"admin": w.admin()}
			for name, key := range map[string]struct{ id, secret string }{
				"nobody": {nobody.AccessKeyId, nobody.SecretAccessKey}, "reader": {reader.AccessKeyId, reader.SecretAccessKey},
			} {
				b, status, body := w.signIn(map[string]string{"accessKeyId": key.id, "secretAccessKey": key.secret})
				if status != http.StatusOK {
					t.Fatalf("%s cannot sign in: %d %s", name, status, body)
				}
				signedIn[name] = b
			}
			local := 200 // of what anybody reads on loopback
			if !loopback {
				local = 401
			}
			allowed := 200 // likewise, for somebody who has signed in and may not
			if !loopback {
				allowed = 403
			}
			for _, c := range []struct {
				what, method, path     string
				stranger, none, reader int
			}{
				{"the health check", "GET", "/healthz", 200, 200, 200},
				{"readiness", "GET", "/readyz", 200, 200, 200},
				{"the status page", "GET", "/status/", 200, 200, 200},
				{"a probe, which has a key of its own", "POST", "/probe/report", 200, 200, 200},
				{"the pages", "GET", "/", 200, 200, 200},
				{"metrics to scrape", "GET", "/metrics", local, allowed, 200},
				{"a question to Prometheus", "GET", "/api/v1/query?query=up", local, allowed, 200},
				{"a question by POST", "POST", "/api/v1/query_range", local, allowed, 200},
				{"series written by POST", "POST", "/api/v1/write", 401, 403, 403},
				{"Alertmanager", "GET", "/api/v2/alerts", 401, 403, 403},
				{"a silence", "POST", "/api/v2/silences", 401, 403, 403},
				{"records as they come", "GET", "/api/tail", 401, 403, 403},
				{"who is signed in", "GET", "/session", 401, 200, 200},
				{"a call", "POST", "/call/ssm/", 401, 200, 200}, // the endpoint decides
				{"a link to an object", "POST", "/session/presign", 401, 400, 400},
			} {
				for who, want := range map[string]int{"": c.stranger, "nobody": c.none, "reader": c.reader} {
					r := request(c.method, c.path, "")
					if who != "" {
						signedIn[who].sign(r)
					}
					if status, _, body := w.do(r); status != want {
						t.Errorf("%s, asked for by %q: %d %s, want %d", c.what, who, status, body, want)
					}
				}
			}
			for _, path := range []string{"/metrics", "/api/v1/query", "/api/v2/alerts", "/api/tail"} {
				if status, _, body := w.do(signedIn["admin"].sign(request("GET", path, ""))); status != 200 {
					t.Errorf("the administrator is answered %d %s for %s", status, body, path)
				}
			}
		})
	}
}

func TestProgramsSignInByTheirKey(t *testing.T) {
	w := newWorld(t, nil)
	key := w.user("grafana", "dropstack:*")
	r := request("GET", "/api/v2/alerts", "")
	r.SetBasicAuth(key.AccessKeyId, key.SecretAccessKey)
	if status, _, body := w.do(r); status != 200 || !strings.Contains(body, "user/grafana") {
		t.Errorf("basic authentication: %d %s", status, body)
	}
	r.SetBasicAuth(key.AccessKeyId, "guess")
	if status, header, _ := w.do(r); status != 401 || header.Get("WWW-Authenticate") == "" {
		t.Errorf("a wrong secret: %d, WWW-Authenticate %q", status, header.Get("WWW-Authenticate"))
	}

	const silence = `{"comment":"quiet"}`
	r = request("POST", "http://127.0.0.1:8090/api/v2/silences", silence)
	sum := sha256.Sum256([]byte(silence))
	keys := aws.Credentials{AccessKeyID: key.AccessKeyId, SecretAccessKey: key.SecretAccessKey}
	if err := v4.NewSigner().SignHTTP(t.Context(), keys, r, hex.EncodeToString(sum[:]), "dropstack", "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	if status, _, body := w.do(r); status != 200 || !strings.Contains(body, "user/grafana") {
		t.Errorf("a signature: %d %s", status, body)
	}
	r.Header.Set("X-Amz-Date", "20200101T000000Z")
	if status, _, _ := w.do(r); status != 401 {
		t.Errorf("a wrong signature: %d, want 401", status)
	}
}

func TestPagesOfOthersAreTurnedAway(t *testing.T) {
	w := newWorld(t, nil)
	b := w.admin()
	for _, c := range []struct {
		what   string
		change func(*http.Request)
		want   int
	}{
		{"the console's own page", func(r *http.Request) {
			r.Header.Set("Origin", "http://127.0.0.1:8090")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
		}, 200},
		{"a page of a function on another port", func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:8080") }, 403},
		{"the same without Origin", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, 403},
		{"a page of a stranger", func(r *http.Request) { r.Header.Set("Origin", "https://example.com") }, 403},
		{"a page in a sandbox", func(r *http.Request) { r.Header.Set("Origin", "null") }, 403},
		{"a name that was made to lead here", func(r *http.Request) { r.Host = "rebound.example.com:8090" }, 403},
		{"localhost", func(r *http.Request) { r.Host = "localhost:8090" }, 200},
		{"IPv6", func(r *http.Request) { r.Host = "[::1]:8090" }, 200},
		{"the cookie alone, as a form of another page sends it", func(r *http.Request) { r.Header.Del(console.Header) }, 401},
		{"the cookie with a guess", func(r *http.Request) { r.Header.Set(console.Header, "guess") }, 401},
		{"the token alone", func(r *http.Request) { r.Header.Del("Cookie") }, 401},
	} {
		for _, path := range []string{"/call/ssm/", "/session"} {
			method := "POST"
			if path == "/session" {
				method = "GET"
			}
			r := b.sign(request(method, path, "{}"))
			c.change(r)
			if status, _, body := w.do(r); status != c.want {
				t.Errorf("%s, %s: %d %s, want %d", c.what, path, status, body, c.want)
			}
		}
	}
	r := request("GET", "/api/v1/query?query=up", "")
	r.Host = "rebound.example.com"
	if status, _, _ := w.do(r); status != 403 {
		t.Errorf("a rebound name reads metrics: %d, want 403", status)
	}
	for name, value := range map[string]string{"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9", "Forwarded": "for=203.0.113.9", "Via": "1.1 proxy"} {
		r = request("GET", "/api/v1/query?query=up", "")
		r.Header.Set(name, value)
		if status, _, _ := w.do(r); status != 401 {
			t.Errorf("whoever comes through a proxy (%s) reads metrics: %d, want 401", name, status)
		}
	}
	w = newWorld(t, func(s *console.Server) { s.Loopback = false })
	r = request("GET", "/", "")
	r.Host = "console.example.com"
	if status, _, _ := w.do(r); status != 200 {
		t.Errorf("a console that others reach has a name: %d, want 200", status)
	}
}

func TestGuessingIsSlow(t *testing.T) {
	w := newWorld(t, nil)
	guess := map[string]string{"accessKeyId": w.keys.Admin().AccessKeyID, "secretAccessKey": "guess"}
	statuses := map[int]int{}
	for range 30 {
		_, status, _ := w.signIn(guess)
		statuses[status]++
	}
	if statuses[401] < 10 || statuses[401] > 12 || statuses[401]+statuses[429] != 30 {
		t.Errorf("30 guesses were answered %v; want 401 to about ten and then 429", statuses)
	}
	r := request("POST", "/session", `{"accessKeyId":"x"}`)
	r.Header.Set(console.Header, "new")
	if _, header, _ := w.do(r); header.Get("Retry-After") == "" {
		t.Error("who has to wait is not told how long")
	}
	r = request("POST", "/session", `{"accessKeyId":"x"}`)
	r.Header.Set(console.Header, "new")
	r.RemoteAddr = "192.0.2.7:1"
	if status, _, _ := w.do(r); status == 429 {
		t.Error("one client's guesses keep another from signing in")
	}
	if n := len(w.outcomes()); n != statuses[401]+1 {
		t.Errorf("%d records of %d attempts that were looked at", n, statuses[401]+1)
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	w := newWorld(t, nil)
	b := w.admin()
	for _, r := range []*http.Request{request("GET", "/", ""), request("GET", "/session", ""), b.sign(request("GET", "/session", "")), request("GET", "/nowhere", "")} {
		_, h, _ := w.do(r)
		csp := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: the policy %q lacks %q", r.URL, csp, want)
			}
		}
		if strings.Contains(csp, "unsafe") {
			t.Errorf("%s: the policy %q allows what stands in the document", r.URL, csp)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer"} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", r.URL, name, got, want)
			}
		}
	}
	_, h, _ := w.do(b.sign(request("GET", "/call/s3/bucket/page.html", "")))
	if csp := h.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "sandbox;") {
		t.Errorf("an object is served with %q: as a page of the console", csp)
	}
}
