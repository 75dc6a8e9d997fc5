package waf_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropstack/dropstack/internal/edge/waf"
)

func from(t testing.TB, f *waf.Firewall, r *http.Request, client string) bool {
	t.Helper()
	return f.Decide(t.Context(), &waf.Request{ACL: aclARN, HTTP: r, Client: netip.MustParseAddr(client)}).Block
}

func limited(rest string) string {
	return blocking(`{"RateBasedStatement":{"Limit":10,"EvaluationWindowSec":60,` + rest + `}}`)
}

func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := firewall(t, acl(t, limited(`"AggregateKeyType":"IP"`)))
		for i := range 10 {
			if from(t, f, get(), "203.0.113.1") {
				t.Fatalf("request %d was blocked", i+1)
			}
		}
		if !from(t, f, get(), "203.0.113.1") {
			t.Error("request 11 was let through")
		}
		if from(t, f, get(), "203.0.113.2") {
			t.Error("another client was blocked")
		}
		a := acl(t, limited(`"AggregateKeyType":"IP"`))
		a.Description = "changed"
		if err := f.Replace("s", []waf.WebACL{a}, nil, nil); err != nil {
			t.Fatal(err)
		}
		if !from(t, f, get(), "203.0.113.1") {
			t.Error("counting began anew when something else was changed")
		}
		time.Sleep(2 * time.Minute)
		if from(t, f, get(), "203.0.113.1") {
			t.Error("the client is blocked after two windows of quiet")
		}
	})
}

func TestRatesSlide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := firewall(t, acl(t, limited(`"AggregateKeyType":"IP"`)))
		blocked := 0
		for range 100 { // 12 a minute, evenly
			if from(t, f, get(), "203.0.113.1") {
				blocked++
			}
			time.Sleep(5 * time.Second)
		}
		if blocked < 70 {
			t.Errorf("%d of 100 requests were blocked at 12 a minute where 10 are the limit", blocked)
		}
		time.Sleep(5 * time.Minute)
		for range 100 { // 8 a minute
			if from(t, f, get(), "203.0.113.1") {
				t.Fatal("blocked at 8 a minute where 10 are the limit")
			}
			time.Sleep(7500 * time.Millisecond)
		}
	})
}

func TestRatesByOtherThings(t *testing.T) {
	forwarded := func(address string) *http.Request {
		r := get()
		if address != "" {
			r.Header.Set("X-Forwarded-For", address)
		}
		return r
	}
	named := func(name, value string) *http.Request {
		r := get()
		r.Header.Set(name, value)
		return r
	}
	config := `"ForwardedIPConfig":{"HeaderName":"X-Forwarded-For","FallbackBehavior":"NO_MATCH"}`
	login := `"ScopeDownStatement":` + search(`{"UriPath":{}}`, "STARTS_WITH", "/login")
	text := `"TextTransformations":[{"Priority":0,"Type":"LOWERCASE"}]`
	tests := []struct {
		name, rest string
		one, other *http.Request // are counted apart, and so is …
		same       *http.Request // … not from one, if there is such
	}{
		{"addresses of a header", `"AggregateKeyType":"FORWARDED_IP",` + config, forwarded("1.2.3.4, 5.6.7.8"), forwarded("5.6.7.8"), forwarded("1.2.3.4")},
		{"no address", `"AggregateKeyType":"FORWARDED_IP",` + config, forwarded("1.2.3.4"), forwarded("unknown"), nil},
		{"a constant", `"AggregateKeyType":"CONSTANT",` + login, request("GET", "/login", "", ""), get(), request("GET", "/login/2", "", "")},
		{"a header and the method", `"AggregateKeyType":"CUSTOM_KEYS","CustomKeys":[{"HTTPMethod":{}},{"Header":{"Name":"X-Key",` + text + `}}]`, named("X-Key", "a"), named("X-Key", "b"), named("X-Key", "A")},
		{"a header that there is not", `"AggregateKeyType":"CUSTOM_KEYS","CustomKeys":[{"Header":{"Name":"X-Key",` + text + `}}]`, named("X-Key", "a"), get(), nil},
		{"a cookie", `"AggregateKeyType":"CUSTOM_KEYS","CustomKeys":[{"Cookie":{"Name":"sid",` + text + `}},{"IP":{}}]`, named("Cookie", "sid=1"), named("Cookie", "sid=2"), named("Cookie", "x=y; sid=1")},
		{"an argument", `"AggregateKeyType":"CUSTOM_KEYS","CustomKeys":[{"QueryArgument":{"Name":"u",` + text + `}},{"UriPath":{` + text + `}}]`, request("GET", "/x?u=1", "", ""), request("GET", "/x?u=2", "", ""), request("GET", "/X?u=1&v=2", "", "")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := firewall(t, acl(t, limited(tt.rest)))
			for range 10 {
				if from(t, f, tt.one, "203.0.113.1") {
					t.Fatal("blocked below the limit")
				}
			}
			if from(t, f, tt.other, "203.0.113.1") {
				t.Error("another is counted with it")
			}
			if tt.same != nil && !from(t, f, tt.same, "203.0.113.1") {
				t.Error("the same is counted apart")
			}
		})
	}
}

func TestRatesForgetWhoIsQuiet(t *testing.T) {
	f := firewall(t, acl(t, limited(`"AggregateKeyType":"IP"`)))
	for range 11 {
		from(t, f, get(), "203.0.113.1")
	}
	r := request("GET", "/", "", "")
	for i := range waf.MaxRateKeys {
		from(t, f, r, fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255))
	}
	if from(t, f, get(), "203.0.113.1") {
		t.Error("a client is remembered behind as many others as are kept")
	}
}

// TestRateKeysAreSmall: what is counted by may be as long as a request, and memory is
// not.
func TestRateKeysAreSmall(t *testing.T) {
	f := firewall(t, acl(t, limited(`"AggregateKeyType":"CUSTOM_KEYS","CustomKeys":[{"Header":{"Name":"X-Key","TextTransformations":[{"Priority":0,"Type":"NONE"}]}}]`)))
	held := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := held()
	for i := range 2000 {
		r := get()
		r.Header.Set("X-Key", fmt.Sprint(strings.Repeat("x", 16<<10), i))
		from(t, f, r, "203.0.113.1")
	}
	if more := int64(held() - before); more > 4<<20 {
		t.Errorf("%d bytes are kept of 2000 clients", more)
	}
	runtime.KeepAlive(f)
}

// TestRatesOfIPv6: a client has a whole /64 to choose addresses from.
func TestRatesOfIPv6(t *testing.T) {
	for name, rest := range map[string]string{
		"by IP":                `"AggregateKeyType":"IP"`,
		"by a key that is one": `"AggregateKeyType":"CUSTOM_KEYS","CustomKeys":[{"IP":{}}]`,
	} {
		synctest.Test(t, func(t *testing.T) {
			f := firewall(t, acl(t, limited(rest)))
			for i := range 10 {
				if from(t, f, get(), fmt.Sprintf("2001:db8:1:2::%x", i+1)) {
					t.Fatalf("%s: request %d was blocked", name, i+1)
				}
			}
			if !from(t, f, get(), "2001:db8:1:2:ffff::1") {
				t.Errorf("%s: the eleventh address of a /64 was let through", name)
			}
			if from(t, f, get(), "2001:db8:1:3::1") {
				t.Errorf("%s: the next /64 was blocked", name)
			}
		})
	}
}
