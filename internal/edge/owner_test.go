package edge

import (
	"net"
	"net/http"
	"testing"
)

func TestOwner(t *testing.T) {
	local := net.Addr(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080})
	for name, c := range map[string]struct {
		listener net.Addr
		peer     string
		host     string
		header   http.Header
		want     bool
	}{
		"curl":                          {local, "127.0.0.1:1", "127.0.0.1:8080", nil, true},
		"curl by name":                  {local, "127.0.0.1:1", "localhost:8080", nil, true},
		"curl by name, upper case":      {local, "127.0.0.1:1", "LocalHost:8080", nil, true},
		"curl, final dot":               {local, "127.0.0.1:1", "localhost.:8080", nil, true},
		"other loopback address":        {local, "127.8.9.1:1", "127.5.5.5", nil, true},
		"IPv6":                          {&net.TCPAddr{IP: net.IPv6loopback, Port: 1}, "[::1]:1", "[::1]:8080", nil, true},
		"IPv4 in IPv6":                  {local, "[::ffff:127.0.0.1]:1", "localhost", nil, true},
		"service's own name":            {local, "127.0.0.1:1", "drops-dev.localhost:8080", nil, true},
		"address typed in":              {local, "127.0.0.1:1", "localhost:8080", http.Header{"Sec-Fetch-Site": {"none"}}, true},
		"own page":                      {local, "127.0.0.1:1", "localhost:8080", http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {"http://localhost:8080"}}, true},
		"no listener known":             {nil, "127.0.0.1:1", "localhost", nil, false},
		"listener on every address":     {&net.TCPAddr{IP: net.IPv4zero, Port: 8080}, "127.0.0.1:1", "localhost", nil, false},
		"listener on a public address":  {&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 8080}, "127.0.0.1:1", "localhost", nil, false},
		"peer from outside":             {local, "192.0.2.7:1", "localhost", nil, false},
		"peer without address":          {local, "@", "localhost", nil, false},
		"rebound name":                  {local, "127.0.0.1:1", "evil.example:8080", nil, false},
		"name that only looks local":    {local, "127.0.0.1:1", "localhost.evil.example", nil, false},
		"name with an address in it":    {local, "127.0.0.1:1", "127.0.0.1.evil.example", nil, false},
		"no host":                       {local, "127.0.0.1:1", "", nil, false},
		"every address as host":         {local, "127.0.0.1:1", "0.0.0.0:8080", nil, false},
		"page of another site":          {local, "127.0.0.1:1", "localhost:8080", http.Header{"Sec-Fetch-Site": {"cross-site"}}, false},
		"page next door":                {local, "127.0.0.1:1", "localhost:8080", http.Header{"Sec-Fetch-Site": {"same-site"}}, false},
		"two answers, one bad":          {local, "127.0.0.1:1", "localhost:8080", http.Header{"Sec-Fetch-Site": {"none", "cross-site"}}, false},
		"old browser, other site":       {local, "127.0.0.1:1", "localhost:8080", http.Header{"Origin": {"https://evil.example"}}, false},
		"old browser, other port":       {local, "127.0.0.1:1", "localhost:8080", http.Header{"Origin": {"http://localhost:3000"}}, false},
		"old browser, content host":     {local, "127.0.0.1:1", "localhost:8080", http.Header{"Origin": {"http://content.localhost:8080"}}, false},
		"sandboxed page":                {local, "127.0.0.1:1", "localhost:8080", http.Header{"Origin": {"null"}}, false},
		"two origins, one bad":          {local, "127.0.0.1:1", "localhost:8080", http.Header{"Origin": {"http://localhost:8080", "null"}}, false},
		"content host, own page":        {local, "127.0.0.1:1", "content.localhost:8080", http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {"http://content.localhost:8080"}}, false},
		"through a proxy":               {local, "127.0.0.1:1", "localhost:8080", http.Header{"X-Forwarded-For": {"127.0.0.1"}}, false},
		"through a proxy, standard":     {local, "127.0.0.1:1", "localhost:8080", http.Header{"Forwarded": {"for=127.0.0.1"}}, false},
		"through a tunnel":              {local, "127.0.0.1:1", "localhost:8080", http.Header{"Via": {"1.1 tunnel"}}, false},
		"through a proxy, old spelling": {local, "127.0.0.1:1", "localhost:8080", http.Header{"X-Real-Ip": {"127.0.0.1"}}, false},
	} {
		r := &http.Request{RemoteAddr: c.peer, Host: c.host, Header: c.header}
		if got := isOwner(c.listener, r); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"*", "/", true},
		{"*", "/a/b", true},
		{"/a", "/a", true},
		{"/a", "/a/", false},
		{"/a", "/A", false},
		{"/a/*", "/a/", true},
		{"/a/*", "/a/b/c", true},
		{"/a/*", "/a", false},
		{"*.jpg", "/x/y.jpg", true},
		{"*.jpg", "/x/y.jpeg", false},
		{"/a*.jp?g", "/ab/c.jpeg", true},
		{"/?", "/a", true},
		{"/?", "/", false},
		{"/?", "/ab", false},
		{"/a*b*c", "/a1b2bc", true},
		{"/a*b*c", "/a1b2b", false},
		{"images/*", "/images/1", true},
		{"images/*", "/my/images/1", false},
		{"**", "/x", true},
		{"/a/*", "/b/../a/x", true},
		{"/private", "/x/../private", true},
		{"/a/*", "/a/../b", false},
		{"/a/", "/a/./", true},
	} {
		d := &site{lanes: []*lane{{Behaviour: &Behaviour{Path: c.pattern}}}}
		if got := d.behaviour("GET", c.path) != nil; got != c.want {
			t.Errorf("%q on %q: got %v, want %v", c.pattern, c.path, got, c.want)
		}
	}
}

func TestFileNames(t *testing.T) {
	long := make([]byte, 400)
	for i := range long {
		long[i] = 'x'
	}
	for given, want := range map[string]string{
		"photo.jpg":              "photo.jpg",
		`C:\Users\me\photo.jpg`:  "photo.jpg",
		"../../etc/passwd":       "passwd",
		"..":                     "",
		"a/..":                   "",
		"":                       "",
		"dir/":                   "",
		"a\x00b\r\nc.txt":        "abc.txt",
		"gpj.\u202Eexe":          "gpj.exe",
		" spaces .txt ":          "spaces .txt",
		"bad\xffutf8":            "bad\uFFFDutf8",
		"größe 😀.png":            "größe 😀.png",
		string(long) + ".tar.gz": string(long[:252]) + ".gz",
		string(long[:254]) + "é": string(long[:254]),
	} {
		if got := fileName(given); got != want || len(got) > 255 {
			t.Errorf("%q: got %q, want %q", given, got, want)
		}
	}
}

func FuzzFileName(f *testing.F) {
	f.Add("a/b\\c\x00.txt")
	f.Fuzz(func(t *testing.T, given string) {
		got := fileName(given)
		if len(got) > 255 || got == ".." || got == "." || got != fileName(got) && len(got) < 255 {
			t.Errorf("%q: got %q, and again %q", given, got, fileName(got))
		}
	})
}
