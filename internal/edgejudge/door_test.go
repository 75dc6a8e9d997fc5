package edgejudge

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/testkit"
)

// door is a running platform with the distributions that cases ask.
type door struct {
	*testkit.Platform
	url    string // of its HTTP listener
	client *http.Client
	origin *origin
}

// open starts a platform in front of the origin.
func open(t *testing.T, o *origin) *door {
	t.Helper()
	p := testkit.Start(t, testkit.Dir(t), "--services", "none")
	dir := t.TempDir()
	text := strings.NewReplacer("ORIGIN", o.URL, "DEAD", dead(t)).Replace(service)
	if err := os.WriteFile(filepath.Join(dir, "serverless.yml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := p.Run(t, "", "deploy", dir); code != 0 {
		t.Fatalf("deploy: %s%s", out, errs)
	}
	return &door{
		Platform: p, url: p.HTTP, origin: o,
		client: &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// dead is a URL at which nobody listens.
func dead(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// host is the name by which the distribution with the behaviour is asked.
func (d *door) host(at string) string {
	switch at {
	case "/brief", "/page":
		return strings.TrimPrefix(at, "/") + ".localhost"
	}
	return "site.localhost"
}

// invalidate asks for an explicit invalidation.
func (d *door) invalidate(host, path string) error {
	return fmt.Errorf("no way to invalidate %s of %s", path, host)
}

// service has a behaviour for every kind of policy. What is forwarded besides the
// key is what lets a case see whether more than the key counts.
const service = `service: judged
provider: {name: aws, runtime: nodejs20.x}
custom:
  dropstack:
    distributions:
      - name: site
        aliases: [site.localhost, second.localhost]
        webACL: none
        origins:
          - {id: origin, url: "ORIGIN", attempts: 1}
          - {id: slow, url: "ORIGIN", attempts: 1, timeout: 1s}
          - {id: dead, url: "DEAD", attempts: 1, connectTimeout: 1s}
        behaviours:
          - {path: /plain/*, origin: origin, forward: all, cache: {minTTL: 0, defaultTTL: 0, maxTTL: 365d, query: all}}
          - {path: /default/*, origin: origin, cache: {minTTL: 0, defaultTTL: 1d, maxTTL: 365d, query: all}}
          - {path: /min/*, origin: origin, cache: {minTTL: 1m, defaultTTL: 1m, maxTTL: 365d, query: all}}
          - {path: /clamp/*, origin: origin, cache: {minTTL: 0, defaultTTL: 0, maxTTL: 1m, query: all}}
          - {path: /query/*, origin: origin, cache: {defaultTTL: 0, query: [a, b]}}
          - {path: /noquery/*, origin: origin, cache: {defaultTTL: 0}}
          - {path: /cookie/*, origin: origin, cache: {defaultTTL: 0, query: all, cookies: [session]}}
          - {path: /header/*, origin: origin, cache: {defaultTTL: 0, query: all, headers: [X-Key, X-Other]}}
          - {path: /strict/*, origin: origin, cache: {defaultTTL: 0, query: all}}
          - {path: /compress/*, origin: origin, cache: {defaultTTL: 0, query: all, encodings: [br, gzip]}}
          - {path: /slow/*, origin: slow, cache: {defaultTTL: 0, query: all}}
          - {path: /dead/*, origin: dead, cache: {defaultTTL: 0, query: all}}
          - {path: /pass/*, origin: origin, forward: all}
          - {path: "*", origin: origin}
      - name: brief
        aliases: [brief.localhost]
        webACL: none
        origins: [{id: origin, url: "ORIGIN", attempts: 1}]
        behaviours:
          - {path: "*", origin: origin, cache: {defaultTTL: 0, query: all}}
        errors:
          - {status: 404, ttl: 1s}
      - name: page
        aliases: [page.localhost]
        webACL: none
        origins: [{id: origin, url: "ORIGIN", attempts: 1}]
        behaviours:
          - {path: "*", origin: origin, cache: {defaultTTL: 0, query: all}}
        errors:
          - {status: 500, path: /page/error, as: 503, ttl: 1m}
`
