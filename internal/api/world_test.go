package api_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/fault"
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

// keyring knows real keys; functions may invoke, and nothing else.
type keyring struct{ *iam.Authority }

func (k keyring) Authorize(ctx context.Context, action, resource string, _ map[string][]string) error {
	who, ok := iam.Caller(ctx)
	if !ok || !who.Root() && action != "lambda:InvokeFunction" {
		return fault.Coded(fault.Denied, "AccessDeniedException", "User: %s is not authorized to perform: %s on resource: %s", who.ARN, action, resource)
	}
	return nil
}

// world is an endpoint with real keys and what it recorded.
type world struct {
	url   string
	keys  *iam.Authority
	trail *trail
}

// serve starts an endpoint; what s lacks is filled in.
func serve(t *testing.T, s *api.Server) *world {
	t.Helper()
	keys, err := iam.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	keys.Replace("s-dev", []string{caller})
	w := &world{keys: keys, trail: &trail{}}
	s.Authority, s.Trail, s.Region = keyring{keys}, w.trail, "us-east-1"
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
