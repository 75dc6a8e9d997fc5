// Package edge is the front door: listeners, distributions, behaviours, uploads
// into buckets and downloads out of them.
//
// A request finds its distribution by host name and its behaviour by path; the
// behaviour's origin, the API of a stack, answers. Two kinds of bytes never pass
// through the origin:
//
//   - On a behaviour with an Upload, files stream into a bucket first, and the
//     origin is asked with references in their place (upload.go).
//   - When the origin's answer names an object, the edge streams it (download.go).
//
// Headers that begin with X-Dropstack- are the edge's word to the origin; what
// clients send under those names is dropped. X-Dropstack-Owner says that the
// request comes from the person who runs this machine (owner.go).
package edge

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dropstack/dropstack/internal/edge/ban"
	"github.com/dropstack/dropstack/internal/edge/cache"
	"github.com/dropstack/dropstack/internal/edge/waf"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/trace"
)

// Distribution serves its own domain, its aliases, or every host that nothing else
// claims.
type Distribution struct {
	Stack       string        `json:"stack"`
	ID          string        `json:"id"`                // of templates "E" and 13 letters and digits, of custom.dropstack STACK-NAME
	Domain      string        `json:"domain,omitempty"`  // host name of its own, SOMETHING.cloudfront.localhost
	Aliases     []string      `json:"aliases,omitempty"` // host names without port
	Default     bool          `json:"default,omitempty"`
	Disabled    bool          `json:"disabled,omitempty"`
	Comment     string        `json:"comment,omitempty"`
	Root        string        `json:"root,omitempty"` // object that / stands for
	Origins     []Origin      `json:"origins,omitempty"`
	Groups      []OriginGroup `json:"originGroups,omitempty"`
	Behaviours  []Behaviour   `json:"behaviours"` // in order, first match wins
	Errors      []ErrorPage   `json:"errors,omitempty"`
	Log         *LogTo        `json:"log,omitempty"`
	WebACL      string        `json:"webACL,omitempty"` // ARN; DefaultWebACL; "": none
	Certificate *Certificate  `json:"certificate,omitempty"`
	HTTP3       bool          `json:"http3,omitempty"`
	// Declared is the DistributionConfig that a template or a call has made it of, in
	// the form of templates: for who asks for it. Nothing else reads it.
	Declared map[string]any `json:"declared,omitempty" audit:"hidden"`
}

// DefaultWebACL is the web ACL that comes with the platform.
const DefaultWebACL = "default"

// Behaviour sends a path pattern to an origin. "*" is any run of characters, "/"
// included, "?" any one character; the query does not count.
type Behaviour struct {
	Path    string   `json:"path"`
	Methods []string `json:"methods,omitempty"` // empty: all; a request with another looks for a later behaviour
	Allowed []string `json:"allowed,omitempty"` // empty: all; a request with another is refused with 403, as CloudFront does
	Origin  string   `json:"origin"`            // id of an origin or group; where the distribution has none of that id, the stack whose API answers
	Upload  *Upload  `json:"upload,omitempty"`

	Viewer   string        `json:"viewer,omitempty"`  // AllowAll (also ""), RedirectToHTTPS or OnlyHTTPS
	Cache    *cache.Policy `json:"cache,omitempty"`   // nil: nothing is stored, everything is forwarded
	Cached   []string      `json:"cached,omitempty"`  // methods besides GET and HEAD whose responses are stored: OPTIONS
	Forward  *Forward      `json:"forward,omitempty"` // nil: with a Cache what it selects, else everything
	Respond  *Respond      `json:"respond,omitempty"`
	Signers  []PublicKey   `json:"signers,omitempty"`  // whose signed URLs or cookies a request needs
	MaxBody  int64         `json:"maxBody,omitempty"`  // bytes of a request's body; 0: the origin's own limit
	Firewall *Firewall     `json:"firewall,omitempty"` // nil: as the web ACL says
}

// Protocols that clients of a behaviour may use.
const (
	AllowAll        = "allow-all"
	RedirectToHTTPS = "redirect-to-https"
	OnlyHTTPS       = "https-only"
)

// PublicKey checks signatures of private content (RSA 2048 or ECDSA P-256, as PEM).
type PublicKey struct {
	ID  string `json:"id"`
	PEM string `json:"pem"`
}

// Firewall is what a behaviour has of its own.
type Firewall struct {
	CRS  bool     `json:"crs,omitempty"`  // the OWASP Core Rule Set looks at requests too
	Skip []string `json:"skip,omitempty"` // what SQLi and XSS statements do not look at: "body", "query", "cookies", "headers", or "body.NAME" of one field of a form or JSON object
}

// ErrorPage is what clients get for an origin's error.
type ErrorPage struct {
	Status int           `json:"status"`
	Path   string        `json:"path,omitempty"` // of the page, asked like any other; "": the origin's own answer
	As     int           `json:"as,omitempty"`   // status that clients get with Path; 0: Status
	TTL    time.Duration `json:"ttl"`            // how long the error is stored; CloudFront's default is 10 s
}

// LogTo is where a distribution's access log objects go.
type LogTo struct {
	Bucket  string `json:"bucket"`
	Prefix  string `json:"prefix,omitempty"`
	Cookies bool   `json:"cookies,omitempty"`
}

// Certificate is how a distribution proves to be its aliases.
type Certificate struct {
	ID      string `json:"id,omitempty"`      // ARN or name of one of the operator's own; "": the platform gets one
	Minimum string `json:"minimum,omitempty"` // TLSv1.2_2021 ... as CloudFront names them; "": TLS 1.2
}

// Upload streams request bodies into a bucket before the origin is asked.
type Upload struct {
	Bucket   string `json:"bucket"`
	Prefix   string `json:"prefix,omitempty"`
	MaxBytes int64  `json:"maxBytes,omitempty"` // of the whole body; 0: no limit
}

// Limits of the edge; those of URL and headers are CloudFront's. What an operator may
// change is in Limits.
const (
	MaxURL      = 8192     // bytes of the path and query, escaped
	MaxHeaders  = 20480    // bytes of request line and headers
	MaxOrdinary = 10 << 20 // bytes of a body on an upload behaviour that is not a file
)

// Location is the edge's X-Amz-Cf-Pop.
const Location = "LOC1-P1"

// Origins are the APIs that behaviours lead to.
type Origins interface {
	// Handler serves a stack's API of a kind, "" being its main one. Paths are
	// relative to the stage.
	Handler(stack, kind string) (http.Handler, bool)
	// Stage serves one stage of the API with the id.
	Stage(id, stage string) (http.Handler, bool)
	// API serves the API with the id by paths that begin with its stage; of ids that
	// do not exist it says so.
	API(id string) http.Handler
	// URL serves the function URL with the id; of ids that do not exist it says so.
	URL(id string) http.Handler
}

// Cacher answers requests from stored responses, or asks their origins.
type Cacher interface {
	Serve(w http.ResponseWriter, q cache.Request) cache.Outcome
	Invalidate(ctx context.Context, zone string, paths []string) error
}

// Decider says what becomes of a request by a web ACL.
type Decider interface {
	Decide(ctx context.Context, q *waf.Request) waf.Verdict
}

// BanList says who is turned away. It is asked for every request.
type BanList interface {
	Banned(client netip.Addr) (ban.Ban, bool)
}

// Server is the front door. Its methods may be called at the same time.
type Server struct {
	Origins  Origins
	Objects  engine.ObjectStore
	Log      *slog.Logger
	Cache    Cacher  // optional: without it nothing is stored
	Firewall Decider // optional: without it web ACLs decide nothing
	Bans     BanList // optional
	// ACLOf is the web ACL of a stage of an API, "" being none: it is asked however
	// the API is reached, after that of a distribution. Optional.
	ACLOf func(api, stage string) string
	// Access is given one record of every request, after its last byte. It must
	// not block for long. Optional.
	Access func(AccessRecord)
	// Traces takes a span of each request that an origin is asked for. Optional: then
	// traces pass through.
	Traces *trace.Traces
	// Proxies are the addresses of reverse proxies in front of us, whose
	// X-Forwarded-* headers count.
	Proxies []netip.Prefix
	// HTTPSPort is where clients find the HTTPS listener; 0 and 443 are the usual
	// port.
	HTTPSPort int
	// HTTP3Port is where clients find HTTP/3, by UDP; 0: nowhere.
	HTTP3Port int
	// RootCAs are the authorities that vouch for origins; nil: those whom the system trusts.
	RootCAs *x509.CertPool
	Limits  Limits
	// Grace is how long requests may take to finish when Serve is told to stop;
	// 30 seconds unless set.
	Grace time.Duration
	// Secure keeps the certificates; needed for ServeTLS.
	Secure Secure

	replacing sync.Mutex
	current   atomic.Pointer[snapshot]
	gate      gate
	sockets   sockets
}

// listenerKey holds the listener's address in a request's context.
type listenerKey struct{}

func withListener(r *http.Request) net.Addr {
	a, _ := r.Context().Value(listenerKey{}).(net.Addr)
	return a
}
