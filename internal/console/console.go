// Package console is what the platform serves to people: pages over the same public
// calls that everybody has, and the APIs of Prometheus and Alertmanager beside them.
//
//	/                  the pages: one document, one script, one stylesheet, embedded
//	/session           signing in and out; who is signed in
//	/call/SERVICE/…    a call of the AWS endpoint, signed with the key of who is signed in
//	/api/v1/, /api/v2/ Prometheus, Alertmanager
//	/api/tail          records of logs as they are written, as server-sent events
//	/metrics, /healthz, /readyz, /status/, /probe/
//
// The pages can do nothing that their reader's access key cannot: a call goes through
// the AWS endpoint's own handler, which verifies, authorises and records it.
//
// Who may is decided once, in Access. A session takes two secrets: a cookie that
// scripts cannot read, and a token that the pages keep in their origin's storage and
// send as a header. The cookie alone would not do: browsers send it to every port of
// this host, where anybody's function answers, and let the pages of those functions
// make requests with it. Sessions and one-time links are kept in a key-value bucket
// under the hashes of their secrets:
//
//	session.HASH   whose access key, the token's hash, until when
//	link.HASH      whose access key, until when; used once
//
// A session ends with its access key: what is disabled counts from the next request on.
package console

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/nats-io/nats.go/jetstream"
)

// Authority knows access keys and what their holders may do.
type Authority interface {
	Verify(r *http.Request, body []byte) (who iam.Principal, service, region string, err error)
	Holder(accessKeyID, token string) (iam.Principal, error)
	Authenticate(accessKeyID, secret, token string) (iam.Principal, error)
	Secret(accessKeyID, token string) (string, error)
	Authorize(ctx context.Context, action, resource string, conditions map[string][]string) error
}

// Server is the console. A handler that is nil is answered with 404.
type Server struct {
	Authority Authority
	Sessions  jetstream.KeyValue // a bucket of Bucket's, on an engine that syncs
	AWS       http.Handler       // the AWS endpoint
	Record    func(ctx context.Context, who iam.Principal, e audit.Event) error
	Health    http.Handler // of /healthz and /readyz

	Metrics      http.Handler // of /metrics
	Prometheus   http.Handler // of /api/v1/
	Alertmanager http.Handler // of /api/v2/
	Tail         http.Handler // of /api/tail
	Status       http.Handler // of /status/
	Probe        http.Handler // of /probe/

	Loopback  bool      // nobody but this machine reaches the port
	Endpoints Endpoints // of the platform
	Region    string
	Log       *slog.Logger

	attempts attempts
}

// Endpoints are the platform's URLs.
type Endpoints struct {
	HTTP    string `json:"http"`
	AWS     string `json:"aws"`
	Console string `json:"console"`
}

// Handler is everything that the console's port answers.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mount := func(pattern string, h http.Handler, a Access) {
		if h != nil {
			mux.Handle(pattern, s.guard(a, h))
		}
	}
	mount("/healthz", s.Health, Anybody)
	mount("/readyz", s.Health, Anybody)
	mount("/status/", s.Status, Anybody)
	mount("/probe/", s.Probe, Anybody) // has keys of its own
	mount("/metrics", s.Metrics, Access{Local: true, Action: "dropstack:ReadMetrics"})
	mount("/api/v1/", s.Prometheus, Access{Local: true, Action: "dropstack:ReadMetrics", Change: "dropstack:WriteMetrics"})
	mount("/api/v2/", s.Alertmanager, Access{Action: "dropstack:ReadAlerts", Change: "dropstack:ManageAlerts"})
	mount("/api/tail", s.Tail, Access{Action: "logs:StartLiveTail"})

	mount("GET /session", http.HandlerFunc(s.session), Access{})
	mount("POST /session", http.HandlerFunc(s.signIn), Anybody)
	mount("DELETE /session", http.HandlerFunc(s.signOut), Anybody)
	mount("POST /session/presign", http.HandlerFunc(s.presign), Access{})
	mount("/call/{service}/", http.HandlerFunc(s.call), Access{})
	mount("/", pages(), Anybody)
	return s.secured(mux)
}
