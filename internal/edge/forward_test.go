package edge

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/edge/cache"
)

var (
	everything = cache.Selection{Mode: cache.All}
	nothing    = cache.Selection{Mode: cache.None}
)

func only(names ...string) cache.Selection { return cache.Selection{Mode: cache.Only, Names: names} }

func but(names ...string) cache.Selection { return cache.Selection{Mode: cache.Except, Names: names} }

func TestUnion(t *testing.T) {
	same := func(s string) string { return s }
	for _, c := range []struct {
		a, b cache.Selection
		want string // of a, b and c
	}{
		{nothing, nothing, ""},
		{cache.Selection{}, cache.Selection{}, ""},
		{only("a"), nothing, "a"},
		{only("a"), only("b"), "ab"},
		{but("a"), nothing, "bc"},
		{but("a"), only("a"), "abc"},
		{but("a", "b"), but("b", "c"), "ac"},
		{everything, only("a"), "abc"},
		{everything, but("a"), "abc"},
	} {
		for _, p := range []picker{union(c.a, c.b, same), union(c.b, c.a, same)} {
			got := ""
			for _, name := range []string{"a", "b", "c"} {
				if p.takes(name) {
					got += name
				}
			}
			if got != c.want {
				t.Errorf("%+v and %+v: got %q, want %q", c.a, c.b, got, c.want)
			}
		}
	}
}

func TestForwardedHeaders(t *testing.T) {
	client := http.Header{
		"Accept": {"text/html"}, "Accept-Encoding": {"gzip, br;q=0.5, zstd;q=0"}, "Accept-Language": {"de"}, "Authorization": {"Bearer t"}, "Cookie": {"a=1; b=2", "c=3"},
		"User-Agent": {"agent"}, "Range": {"bytes=0-1"}, "If-None-Match": {`"e"`}, "Content-Type": {"text/plain"}, "X-Own": {"1"},
		"X-Dropstack-Owner": {"1"}, "Cloudfront-Forwarded-Proto": {"https"}, "Sec-Websocket-Key": {"k"}, "Origin": {"https://x"},
	}
	const fixed = "Content-Type If-None-Match Range User-Agent"
	for name, c := range map[string]struct {
		b      Behaviour
		method string
		socket bool
		want   string // names, of which Cookie has its value
		agent  string
	}{
		"nothing":               {Behaviour{Cache: &cache.Policy{}}, "GET", false, "Accept-Encoding=gzip " + fixed, "Amazon CloudFront"},
		"keyed":                 {Behaviour{Cache: &cache.Policy{Headers: only("accept-language"), Cookies: only("b", "c")}}, "GET", false, "Accept-Encoding=gzip Accept-Language Cookie=b=2; c=3 " + fixed, "Amazon CloudFront"},
		"forwarded besides":     {Behaviour{Cache: &cache.Policy{Headers: only("Accept-Language")}, Forward: &Forward{Headers: only("X-Own"), Cookies: but("a")}}, "GET", false, "Accept-Encoding=gzip Accept-Language Cookie=b=2; c=3 " + fixed + " X-Own", "Amazon CloudFront"},
		"all":                   {Behaviour{Cache: &cache.Policy{}, Forward: &Forward{Headers: everything, Cookies: everything}}, "GET", false, "Accept Accept-Encoding=gzip, br;q=0.5, zstd;q=0 Accept-Language Authorization Cookie=a=1; b=2|c=3 Origin Sec-Websocket-Key X-Own " + fixed, "agent"},
		"encodings":             {Behaviour{Cache: &cache.Policy{Encodings: []string{"zstd", "br", "gzip"}}}, "GET", false, "Accept-Encoding=br,gzip " + fixed, "Amazon CloudFront"},
		"no encodings":          {Behaviour{Cache: &cache.Policy{Encodings: []string{}}}, "GET", false, fixed, "Amazon CloudFront"},
		"writing":               {Behaviour{Cache: &cache.Policy{}}, "POST", false, "Accept-Encoding=gzip Authorization " + fixed, "Amazon CloudFront"},
		"the agent":             {Behaviour{Forward: &Forward{Headers: only("User-Agent")}}, "GET", false, "Accept-Encoding=gzip " + fixed, "agent"},
		"WebSocket":             {Behaviour{Cache: &cache.Policy{}}, "GET", true, "Accept-Encoding=gzip Origin Sec-Websocket-Key " + fixed, "Amazon CloudFront"},
		"what only we may say":  {Behaviour{Forward: &Forward{Headers: only("X-Dropstack-Owner", "CloudFront-Forwarded-Proto")}}, "GET", false, "Accept-Encoding=gzip " + fixed, "Amazon CloudFront"},
		"all but some":          {Behaviour{Forward: &Forward{Headers: but("x-own", "Accept", "Authorization", "Sec-WebSocket-Key")}}, "GET", false, "Accept-Encoding=gzip, br;q=0.5, zstd;q=0 Accept-Language Origin " + fixed, "agent"},
		"a cookie, not another": {Behaviour{Forward: &Forward{Cookies: only("z")}}, "GET", false, "Accept-Encoding=gzip " + fixed, "Amazon CloudFront"},
	} {
		f := forwards(&c.b, false)
		got := http.Header{}
		f.pickHeaders(got, client, c.method, c.socket)
		if got.Get("User-Agent") != c.agent {
			t.Errorf("%s: got User-Agent %q", name, got.Get("User-Agent"))
		}
		var names []string
		for _, n := range slices.Sorted(maps.Keys(got)) {
			if n == "Cookie" || n == "Accept-Encoding" {
				n += "=" + strings.Join(got[n], "|")
			}
			names = append(names, n)
		}
		want := []string{}
		for _, n := range strings.Split(c.want, " ") { // cookies have spaces of their own
			if last := len(want) - 1; last >= 0 && (strings.HasSuffix(want[last], ";") || strings.HasSuffix(want[last], ",")) {
				want[last] += " " + n
				continue
			}
			want = append(want, n)
		}
		slices.Sort(want)
		slices.Sort(names)
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestForwardedQuery(t *testing.T) {
	const query = "a=1&b=%31+2&%61=3&c&=x&&b;d=1"
	for name, c := range map[string]struct {
		s    cache.Selection
		want string
	}{
		"all":  {everything, query},
		"none": {nothing, ""},
		"only": {only("a"), "a=1&%61=3"},
		"but":  {but("a"), "b=%31+2&c&=x&b;d=1"},
	} {
		f := forwards(&Behaviour{Forward: &Forward{Query: c.s}}, false)
		if got := f.pickQuery(query); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestAcceptedEncodings(t *testing.T) {
	for line, want := range map[string]bool{
		"gzip": true, "GZIP": true, "deflate, gzip;q=1.0": true, "gzip;q=0": false, "gzip; q=0.000": false, "gzip;q=0.001": true, "br": false, "": false, "*": false,
	} {
		if got := acceptsEncoding([]string{line}, "gzip"); got != want {
			t.Errorf("%q: got %v", line, got)
		}
	}
}

// TestWhatOriginsAreToldIsKeyed: a response that may depend on it must not be stored
// for everybody.
func TestWhatOriginsAreToldIsKeyed(t *testing.T) {
	for name, c := range map[string]struct {
		inside bool
		b      Behaviour
		want   []string
	}{
		"an API":                         {true, Behaviour{Cache: &cache.Policy{}}, []string{"Host", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Dropstack-Owner"}},
		"elsewhere":                      {false, Behaviour{Cache: &cache.Policy{}}, nil},
		"elsewhere, with the host":       {false, Behaviour{Cache: &cache.Policy{}, Forward: &Forward{Headers: everything}}, []string{"Host", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port"}},
		"elsewhere, all but the host":    {false, Behaviour{Cache: &cache.Policy{}, Forward: &Forward{Headers: but("Host")}}, nil},
		"elsewhere, with the protocol":   {false, Behaviour{Cache: &cache.Policy{}, Forward: &Forward{Headers: only("X-Forwarded-Proto")}}, []string{"X-Forwarded-Proto"}},
		"elsewhere, with its own header": {false, Behaviour{Cache: &cache.Policy{Headers: only("Accept")}}, []string{"Accept"}},
	} {
		l := &lane{inside: c.inside, forward: forwards(&c.b, c.inside)}
		if got := l.keyed(c.b.Cache); !slices.Equal(got.Headers.Names, c.want) || len(c.want) > 0 && got.Headers.Mode != cache.Only {
			t.Errorf("%s: got %+v, want %q", name, got.Headers, c.want)
		}
	}
}

func TestDevices(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148":     "mobile ios",
		"Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X) AppleWebKit/605.1.15":                            "tablet ios",
		"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36": "mobile android",
		"Mozilla/5.0 (Linux; Android 14; SM-X900) AppleWebKit/537.36 Chrome/120.0 Safari/537.36":        "tablet android",
		"Mozilla/5.0 (X11; Linux x86_64) Firefox/120.0":                                                 "desktop",
		"Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/537.36":                                   "smarttv",
		"curl/8": "desktop",
	} {
		var got []string
		for _, kind := range []string{"Mobile", "Tablet", "Desktop", "Smarttv", "Ios", "Android"} {
			if is("Cloudfront-Is-"+kind+"-Viewer", agent) == "true" {
				got = append(got, strings.ToLower(kind))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %v, want %s", agent, got, want)
		}
	}
}
