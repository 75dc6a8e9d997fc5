package edge

import (
	"time"

	"github.com/dropstack/dropstack/internal/edge/cache"
)

// Origin is where a distribution's answers come from. One of Stack, API, URL, Bucket
// and Domain is set.
type Origin struct {
	ID     string `json:"id"`
	Stack  string `json:"stack,omitempty"`  // whose API answers
	API    string `json:"api,omitempty"`    // id of an API; Path begins with its stage
	URL    string `json:"url,omitempty"`    // id of a function URL
	Bucket string `json:"bucket,omitempty"` // objects by their keys
	Domain string `json:"domain,omitempty"` // host of any HTTP server
	Path   string `json:"path,omitempty"`   // goes before the path of every request; "/..." without a final slash

	Protocol  string   `json:"protocol,omitempty"`               // of a Domain: HTTPOnly, HTTPSOnly (also "") or MatchViewer
	HTTPPort  int      `json:"httpPort,omitempty"`               // of a Domain; 0: 80
	HTTPSPort int      `json:"httpsPort,omitempty"`              // likewise; 0: 443
	Headers   []Header `json:"headers,omitempty" audit:"hidden"` // that every request gets, over those of clients

	Attempts       int           `json:"attempts,omitempty"`       // to connect, 1 to 3; 0: 3
	ConnectTimeout time.Duration `json:"connectTimeout,omitempty"` // of each attempt, 1 to 10 s; 0: 10 s
	Timeout        time.Duration `json:"timeout,omitempty"`        // for the answer to begin, and between two reads of it; 0: 30 s
	KeepAlive      time.Duration `json:"keepAlive,omitempty"`      // of an idle connection; 0: 5 s
}

// Ways to reach a Domain.
const (
	HTTPOnly    = "http-only"
	HTTPSOnly   = "https-only"
	MatchViewer = "match-viewer"
)

// OriginGroup asks a second origin when the first does not answer, or answers with
// one of Statuses. Behaviours name it as they name an origin.
type OriginGroup struct {
	ID       string   `json:"id"`
	Members  []string `json:"members"` // ids of two origins
	Statuses []int    `json:"statuses"`
}

// Forward is what of a request goes to the origin besides what the cache selects:
// CloudFront's origin request policy.
type Forward struct {
	Query   cache.Selection `json:"query,omitzero"`
	Headers cache.Selection `json:"headers,omitzero"`
	Cookies cache.Selection `json:"cookies,omitzero"`
}

// Header is a header that the edge sets.
type Header struct {
	Name     string `json:"name"`
	Value    string `json:"value" audit:"hidden"` // by which an origin may know the edge
	Override bool   `json:"override,omitempty"`   // of responses: in place of the origin's own
}

// Respond is what the edge changes of responses: CloudFront's response headers
// policy. Security headers are Headers like others.
type Respond struct {
	Headers []Header `json:"headers,omitempty"`
	Remove  []string `json:"remove,omitempty"`
	CORS    *CORS    `json:"cors,omitempty"`
	Timing  float64  `json:"serverTiming,omitempty"` // percent of responses that have Server-Timing
}

// CORS answers for what other origins' pages may do.
type CORS struct {
	Origins     []string      `json:"origins"`
	Methods     []string      `json:"methods"`
	Headers     []string      `json:"headers"`
	Expose      []string      `json:"expose,omitempty"`
	Credentials bool          `json:"credentials,omitempty"`
	MaxAge      time.Duration `json:"maxAge,omitempty"`
	Override    bool          `json:"override,omitempty"` // in place of the origin's own
}
