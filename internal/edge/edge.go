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
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dropstack/dropstack/internal/edge/cache"
	"github.com/dropstack/dropstack/internal/engine"
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
	Declared map[string]any `json:"declared,omitempty"`
}

// DefaultWebACL is the web ACL that comes with the platform.
const DefaultWebACL = "default"

// Behaviour sends a path pattern to an origin. "*" is any run of characters, "/"
// included, "?" any one character; the query does not count.
type Behaviour struct {
	Path    string   `json:"path"`
	Methods []string `json:"methods,omitempty"` // empty: all
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

// Limits of the edge; those of URL and headers are CloudFront's.
const (
	MaxURL      = 8192              // bytes of the path and query, escaped
	MaxHeaders  = 20480             // bytes of request line and headers
	MaxOrdinary = 10 << 20          // bytes of a body on an upload behaviour that is not a file
	stall       = 60 * time.Second  // without a byte moving, in either direction
	keepAlive   = 120 * time.Second // between two requests of one connection
)

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

// Server is the front door. Its methods may be called at the same time.
type Server struct {
	Origins Origins
	Objects engine.ObjectStore
	Log     *slog.Logger
	// Access is given one record of every request, after its last byte. It must
	// not block for long. Optional.
	Access func(AccessRecord)
	// Proxies are the addresses of reverse proxies in front of us, whose
	// X-Forwarded-* headers count.
	Proxies []netip.Prefix
	// Grace is how long requests may take to finish when Serve is told to stop;
	// 30 seconds unless set.
	Grace time.Duration
	// Secure keeps the certificates; needed for ServeTLS.
	Secure Secure

	replacing sync.Mutex
	current   atomic.Pointer[snapshot]
}

// AccessRecord describes one request, in the fields of CloudFront's log.
type AccessRecord struct {
	Time           time.Time     `json:"time"`           // the request's last byte went out Took later
	Client         string        `json:"client"`         // address, the one behind trusted proxies
	Port           int           `json:"port,omitempty"` // of the peer
	Method         string        `json:"method"`
	Host           string        `json:"host"`             // as the client named it
	Path           string        `json:"path"`             // escaped, without the query
	Query          string        `json:"query,omitempty"`  // with the values of what is secret taken out
	Cookie         string        `json:"cookie,omitempty"` // only where the distribution's log asks for it
	Status         int           `json:"status"`           // 0: the connection ended before an answer
	BytesIn        int64         `json:"bytesIn"`          // of the request, head included
	BytesOut       int64         `json:"bytesOut"`         // of the response, head included
	Took           time.Duration `json:"took"`
	FirstByte      time.Duration `json:"firstByte"`
	Referrer       string        `json:"referrer,omitempty"` // without its query
	UserAgent      string        `json:"userAgent,omitempty"`
	ForwardedFor   string        `json:"forwardedFor,omitempty"` // X-Forwarded-For as it came
	Request        string        `json:"request"`                // X-Amz-Cf-Id
	Distribution   string        `json:"distribution,omitempty"` // id
	Domain         string        `json:"domain,omitempty"`       // of the distribution
	Stack          string        `json:"stack,omitempty"`        // the origin that answered
	Protocol       string        `json:"protocol"`               // http, https, ws, wss
	Version        string        `json:"version"`                // HTTP/1.1, HTTP/2.0 ...
	TLSVersion     string        `json:"tlsVersion,omitempty"`   // TLSv1.3
	TLSCipher      string        `json:"tlsCipher,omitempty"`    // TLS_AES_128_GCM_SHA256
	Result         string        `json:"result"`                 // Hit, RefreshHit, Miss, LimitExceeded, CapacityExceeded, Error, Redirect
	ResponseResult string        `json:"responseResult"`         // likewise, before the response went out
	Detail         string        `json:"detail"`                 // x-edge-detailed-result-type
	ContentType    string        `json:"contentType,omitempty"`
	ContentLength  int64         `json:"contentLength"` // -1: not said
	RangeStart     string        `json:"rangeStart,omitempty"`
	RangeEnd       string        `json:"rangeEnd,omitempty"`
	Rule           string        `json:"rule,omitempty"`   // of the web ACL that ended the request, or "ban"
	Labels         []string      `json:"labels,omitempty"` // that its rules have given
	// Refused says that the edge itself turned the request away (a ban, a rule, a
	// limit): it must not count against the client once more.
	Refused bool `json:"refused,omitempty"`
}

// listenerKey holds the listener's address in a request's context.
type listenerKey struct{}

func withListener(r *http.Request) net.Addr {
	a, _ := r.Context().Value(listenerKey{}).(net.Addr)
	return a
}
