package api_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/iam"
)

// trail keeps records in memory, or fails.
type trail struct {
	mu      sync.Mutex
	events  []audit.Event
	failing error // of Append
	closed  bool  // not healthy
}

func (t *trail) Append(_ context.Context, e audit.Event) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failing != nil {
		return t.failing
	}
	t.events = append(t.events, e)
	return nil
}

func (t *trail) Healthy() bool { return !t.closed }

// take returns what was recorded since the last time.
func (t *trail) take() []audit.Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	events := t.events
	t.events = nil
	return events
}

// invokes is the role of functions that may invoke, and nothing else.
var invokes = iam.DeclaredRole{Name: "invokes", Inline: map[string]string{
	"invoke": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"lambda:InvokeFunction","Resource":"*"}]}`,
}}

// world is an endpoint with real keys and what it recorded.
type world struct {
	url      string
	keys     *iam.Authority
	function iam.Credentials // of caller
	removed  iam.Credentials // of a function that is deployed no more
	trail    *trail
}

// deploy makes a function the only one, and starts an instance of it.
func (w *world) deploy(t *testing.T, function string) iam.Credentials {
	t.Helper()
	d := iam.Declaration{Roles: []iam.DeclaredRole{invokes}, Functions: map[string]string{function: arn.Role("/", invokes.Name)}}
	if err := w.keys.Replace("s-dev", d); err != nil {
		t.Fatal(err)
	}
	c, err := w.keys.Instance(function, "", "i-1")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// serve starts an endpoint; what s lacks is filled in.
func serve(t *testing.T, s *api.Server) *world {
	t.Helper()
	keys, err := iam.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{keys: keys, trail: &trail{}}
	w.removed, w.function = w.deploy(t, caller+"2"), w.deploy(t, caller)
	s.Authority, s.Trail, s.Region = keys, w.trail, "us-east-1"
	if s.Log == nil {
		s.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	if s.Objects == nil {
		s.Objects = &api.Objects{Store: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })}
	}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	w.url = srv.URL
	return w
}
