// Package edge is the front door: listeners, distributions, behaviours, uploads
// into buckets and downloads out of them.
package edge

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
	MaxBytes int64  `json:"maxBytes,omitempty"` // 0: no limit
}
