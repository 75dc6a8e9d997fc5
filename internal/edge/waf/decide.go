package waf

import (
	"net/http"
	"net/netip"
)

// Request is what a web ACL decides about.
type Request struct {
	ACL    string        // ARN, or "default"
	HTTP   *http.Request // the beginning of its Body may be read; Body then gives it once more
	Client netip.Addr
	ID     string   // X-Amz-Cf-Id
	CRS    bool     // the OWASP Core Rule Set looks at it too
	Skip   []string // what SQLi and XSS statements do not look at: "body", "query", "cookies", "headers", "body.NAME"
}

// Verdict is what becomes of a request.
type Verdict struct {
	Block  bool
	Rule   string      // that has ended it, as ACL/RULE or ACL/GROUP/RULE; "": the default action
	Labels []string    // that rules have given, whole
	Insert http.Header // for the origin
	// Of a blocked request: Status is 403 unless the rule has another.
	Status      int
	Header      http.Header
	ContentType string // of Body
	Body        []byte // nil: the edge's own page
}
