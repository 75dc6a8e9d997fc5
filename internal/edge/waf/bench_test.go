package waf_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/edge/waf"
)

// get is a request as a browser sends it.
func get() *http.Request {
	r := httptest.NewRequest("GET", "/api/v1/users/42/drops?page=2&sort=created&q=holiday+photos", nil)
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36")
	r.Header.Set("Accept-Language", "en-GB,en;q=0.9,de;q=0.8")
	r.Header.Set("Referer", "https://app.example.com/boards/7?tab=recent")
	r.Header.Set("Cookie", "session=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl; theme=dark; _ga=GA1.2.1034827.1698765432")
	return r
}

// document is about 2 KB of what an API is sent.
var document = func() string {
	var b strings.Builder
	b.WriteString(`{"items":[`)
	for i := range 9 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"id":"3f2b8c1e-77aa-4d0e-9a53-0c1de2a4b6f7","title":"Photos of the summer, it's a start","tags":["beach","family (all)"],"size":18322,"public":true,"note":"We'll sort them later; \"best of\" comes first & then the rest."}`)
	}
	b.WriteString(`]}`)
	return b.String()
}()

func BenchmarkPlainGet(b *testing.B) {
	f, r, client := &waf.Firewall{}, get(), netip.MustParseAddr("198.51.100.7")
	b.ReportAllocs()
	for b.Loop() {
		if f.Decide(b.Context(), &waf.Request{ACL: waf.Default, HTTP: r, Client: client}).Block {
			b.Fatal("blocked")
		}
	}
}

func BenchmarkJSONBody(b *testing.B) {
	f, client := &waf.Firewall{}, netip.MustParseAddr("198.51.100.7")
	b.ReportAllocs()
	for b.Loop() {
		r := get()
		post := httptest.NewRequest("POST", "/api/v1/drops", strings.NewReader(document))
		r.Method, r.Body, r.ContentLength = "POST", post.Body, int64(len(document))
		r.Header.Set("Content-Type", "application/json")
		if f.Decide(b.Context(), &waf.Request{ACL: waf.Default, HTTP: r, Client: client}).Block {
			b.Fatal("blocked")
		}
	}
}
