package edgejudge

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/testkit"
)

// door is a running platform with the distributions that cases ask.
type door struct {
	*testkit.Platform
	url    string       // of its HTTP listener
	client *http.Client // keeps connections
	once   *http.Client // does not, because on one that has been kept it would try again by itself
	origin *origin
	calls  *api.Client
	files  int // that the platform has open, when it was last looked at
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
	keys, err := iam.ReadCredentials(filepath.Join(p.Dir, "credentials"))
	if err != nil {
		t.Fatal(err)
	}
	d := &door{
		Platform: p, url: p.HTTP, origin: o, calls: &api.Client{Endpoint: p.AWS},
		client: client(&http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}),
		once:   client(&http.Transport{DisableKeepAlives: true, DisableCompression: true}),
	}
	d.calls.Keys.AccessKeyID, d.calls.Keys.SecretAccessKey = keys.AccessKeyID, keys.SecretAccessKey
	t.Cleanup(d.client.CloseIdleConnections)
	return d
}

func client(t *http.Transport) *http.Client {
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
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

// invalidate asks for an explicit invalidation, as the command does.
func (d *door) invalidate(ctx context.Context, at, path string) error {
	name, _, _ := strings.Cut(d.host(at), ".")
	return d.calls.Call(ctx, "Invalidate", api.InvalidateInput{ID: "judged-dev-" + name, Paths: []string{path}}, nil)
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
