package edge_test

import (
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/cache"
	"github.com/dropstack/dropstack/internal/fault"
)

// TestCheckOfEverything: each fault is found, and says what to do.
func TestCheckOfEverything(t *testing.T) {
	origin := func(change func(*edge.Origin)) func(*edge.Distribution) {
		return func(d *edge.Distribution) { change(&d.Origins[1]) }
	}
	first := func(change func(*edge.Behaviour)) func(*edge.Distribution) {
		return func(d *edge.Distribution) { change(&d.Behaviours[0]) }
	}
	respond := func(change func(*edge.Respond)) func(*edge.Distribution) {
		return first(func(b *edge.Behaviour) { b.Respond = &edge.Respond{}; change(b.Respond) })
	}
	policy := func(change func(*cache.Policy)) func(*edge.Distribution) {
		return first(func(b *edge.Behaviour) { b.Cache = &cache.Policy{MaxTTL: time.Hour}; change(b.Cache) })
	}
	for want, change := range map[string]func(*edge.Distribution){
		"domain \"A.example\" is not a host name":   func(d *edge.Distribution) { d.Domain = "A.example" },
		"root \"/index.html\" must be":              func(d *edge.Distribution) { d.Root = "/index.html" },
		"needs an id of its own":                    origin(func(o *edge.Origin) { o.ID = "files" }),
		"exactly one of":                            origin(func(o *edge.Origin) { o.Bucket = "b-b" }),
		"bucket \"B\" is not a bucket name":         func(d *edge.Distribution) { d.Origins[0].Bucket = "B" },
		"the platform's own":                        func(d *edge.Distribution) { d.Origins[0].Bucket = "dropstack-artifacts" },
		"its scheme goes into protocol":             origin(func(o *edge.Origin) { o.Domain = "https://x.example" }),
		"its port into httpPort":                    origin(func(o *edge.Origin) { o.Domain = "x.example:80" }),
		"must begin with / and not end with it":     origin(func(o *edge.Origin) { o.Path = "/v1/" }),
		"protocol \"tcp\" must be http-only":        origin(func(o *edge.Origin) { o.Protocol = "tcp" }),
		"httpPort 70000 must be from 1":             origin(func(o *edge.Origin) { o.HTTPPort = 70000 }),
		"attempts 4 must be from 1 to 3":            origin(func(o *edge.Origin) { o.Attempts = 4 }),
		"connectTimeout 11s must be from 1s to 10s": origin(func(o *edge.Origin) { o.ConnectTimeout = 11 * time.Second }),
		"timeout 1ms must be from 1s":               origin(func(o *edge.Origin) { o.Timeout = time.Millisecond }),
		"keepAlive 1h0m0s must be":                  origin(func(o *edge.Origin) { o.KeepAlive = time.Hour }),
		"\"cookie\" may not be set":                 origin(func(o *edge.Origin) { o.Headers = []edge.Header{{Name: "cookie"}} }),
		"\"x-amz-date\" may not be set":             origin(func(o *edge.Origin) { o.Headers = []edge.Header{{Name: "x-amz-date"}} }),
		"\"X-Dropstack-Owner\" may not be set":      origin(func(o *edge.Origin) { o.Headers = []edge.Header{{Name: "X-Dropstack-Owner", Value: "1"}} }),
		"cannot be written":                         origin(func(o *edge.Origin) { o.Headers = []edge.Header{{Name: "X-A", Value: "a\r\nb"}} }),
		"two different members":                     func(d *edge.Distribution) { d.Groups[0].Members = []string{"files", "files"} },
		"member \"none\" is not among":              func(d *edge.Distribution) { d.Groups[0].Members[1] = "none" },
		"which no origin has":                       func(d *edge.Distribution) { d.Groups[0].ID = "files" },
		"status 200 must be one of 400":             func(d *edge.Distribution) { d.Groups[0].Statuses = []int{200} },
		"needs statuses":                            func(d *edge.Distribution) { d.Groups[0].Statuses = nil },
		"method \"LOCK\" must be one of":            first(func(b *edge.Behaviour) { b.Allowed = []string{"LOCK"} }),
		"responses to POST cannot be stored":        first(func(b *edge.Behaviour) { b.Cached = []string{"POST"} }),
		"uploads are announced to an API":           first(func(b *edge.Behaviour) { b.Origin, b.Upload = "files", &edge.Upload{Bucket: "abc"} }),
		"viewer \"tls\" must be allow-all":          first(func(b *edge.Behaviour) { b.Viewer = "tls" }),
		"maxBody is -1":                             first(func(b *edge.Behaviour) { b.MaxBody = -1 }),
		"\"cookie\" cannot be skipped":              first(func(b *edge.Behaviour) { b.Firewall = &edge.Firewall{Skip: []string{"cookie"}} }),
		"key \"K\": it is not a public key":         first(func(b *edge.Behaviour) { b.Signers = []edge.PublicKey{{ID: "K", PEM: "x"}} }),
		"every key needs an id":                     first(func(b *edge.Behaviour) { b.Signers = []edge.PublicKey{{PEM: "x"}} }),
		"minTTL 2h0m0s is more than maxTTL 1h0m0s":  policy(func(p *cache.Policy) { p.MinTTL = 2 * time.Hour }),
		"defaultTTL -1s must be":                    policy(func(p *cache.Policy) { p.DefaultTTL = -time.Second }),
		"\"all\" would make every response another": policy(func(p *cache.Policy) { p.Headers.Mode = cache.All }),
		"encoding \"lzma\" must be br":              policy(func(p *cache.Policy) { p.Encodings = []string{"lzma"} }),
		"\"some\" must be none, all":                policy(func(p *cache.Policy) { p.Query.Mode = "some" }),
		"\"whitelist\" needs names":                 policy(func(p *cache.Policy) { p.Cookies.Mode = cache.Only }),
		"names go with":                             policy(func(p *cache.Policy) { p.Cookies.Names = []string{"a"} }),
		"forward: headers: \"a b\" is not a name": first(func(b *edge.Behaviour) {
			b.Forward = &edge.Forward{Headers: cache.Selection{Mode: cache.Only, Names: []string{"a b"}}}
		}),
		"header \"via\" may not be set":         respond(func(r *edge.Respond) { r.Headers = []edge.Header{{Name: "via", Value: "x"}} }),
		"\"X-A\" is there twice":                respond(func(r *edge.Respond) { r.Headers = []edge.Header{{Name: "x-a"}, {Name: "X-A"}} }),
		"header \"X-Cache\" may not be removed": respond(func(r *edge.Respond) { r.Remove = []string{"X-Cache"} }),
		"serverTiming 101 must be a percentage": respond(func(r *edge.Respond) { r.Timing = 101 }),
		"cors needs origins and methods":        respond(func(r *edge.Respond) { r.CORS = &edge.CORS{} }),
		"origin * with credentials would let": respond(func(r *edge.Respond) {
			r.CORS = &edge.CORS{Origins: []string{"*"}, Methods: []string{"GET"}, Credentials: true}
		}),
		"method \"get\" must be ALL or":    respond(func(r *edge.Respond) { r.CORS = &edge.CORS{Origins: []string{"*"}, Methods: []string{"get"}} }),
		"status 302 must be from 400":      func(d *edge.Distribution) { d.Errors = []edge.ErrorPage{{Status: 302}} },
		"status 404 is there twice":        func(d *edge.Distribution) { d.Errors = []edge.ErrorPage{{Status: 404}, {Status: 404}} },
		"\"404.html\", must be a path":     func(d *edge.Distribution) { d.Errors = []edge.ErrorPage{{Status: 404, Path: "404.html"}} },
		"404 cannot become 302":            func(d *edge.Distribution) { d.Errors = []edge.ErrorPage{{Status: 404, Path: "/x", As: 302}} },
		"404 cannot be stored for":         func(d *edge.Distribution) { d.Errors = []edge.ErrorPage{{Status: 404, TTL: -1}} },
		"minimum \"TLSv9\" must be one of": func(d *edge.Distribution) { d.Certificate = &edge.Certificate{Minimum: "TLSv9"} },
	} {
		d := all("web")
		d.Domain = "d1.cloudfront.localhost"
		d.Origins = []edge.Origin{{ID: "files", Bucket: "web-files"}, {ID: "other", Domain: "x.example", Timeout: 5 * time.Second}}
		d.Groups = []edge.OriginGroup{{ID: "pair", Members: []string{"files", "other"}, Statuses: []int{500}}}
		if err := edge.Check([]edge.Distribution{d}); err != nil {
			t.Fatal(err)
		}
		change(&d)
		if err := edge.Check([]edge.Distribution{d}); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
