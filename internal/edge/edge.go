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

	"github.com/dropstack/dropstack/internal/engine"
)

// Distribution serves its aliases, or every host that nothing else claims.
type Distribution struct {
	Stack      string      `json:"stack"`
	ID         string      `json:"id"`
	Aliases    []string    `json:"aliases,omitempty"` // host names without port
	Default    bool        `json:"default,omitempty"`
	Behaviours []Behaviour `json:"behaviours"` // in order, first match wins
}

// Behaviour sends a path pattern to an origin. "*" is any run of characters, "/"
// included, "?" any one character; the query does not count.
type Behaviour struct {
	Path    string   `json:"path"`
	Methods []string `json:"methods,omitempty"` // empty: all
	Origin  string   `json:"origin"`            // stack whose API answers
	Upload  *Upload  `json:"upload,omitempty"`
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

	replacing sync.Mutex
	current   atomic.Pointer[snapshot]
}

// AccessRecord describes one request. It holds no query and no header that could
// carry a secret.
type AccessRecord struct {
	Time         time.Time     `json:"time"`
	Client       string        `json:"client"` // address, the one behind trusted proxies
	Method       string        `json:"method"`
	Host         string        `json:"host"`
	Path         string        `json:"path"`     // escaped, without the query
	Status       int           `json:"status"`   // 0: the connection ended before an answer
	BytesIn      int64         `json:"bytesIn"`  // of the body
	BytesOut     int64         `json:"bytesOut"` // of the body
	Took         time.Duration `json:"took"`
	Referrer     string        `json:"referrer,omitempty"` // without its query
	UserAgent    string        `json:"userAgent,omitempty"`
	Request      string        `json:"request"` // X-Amz-Cf-Id
	Distribution string        `json:"distribution,omitempty"`
	Stack        string        `json:"stack,omitempty"` // the origin that answered
}

// listenerKey holds the listener's address in a request's context.
type listenerKey struct{}

func withListener(r *http.Request) net.Addr {
	a, _ := r.Context().Value(listenerKey{}).(net.Addr)
	return a
}
