package cache

import "time"

// Policy says what of a request tells stored responses apart, and for how long
// they may be reused: CloudFront's cache policy (CachePolicyConfig).
type Policy struct {
	// A response with Cache-Control or Expires is fresh for as long as it says, within
	// MinTTL and MaxTTL; any other for DefaultTTL, at least MinTTL. With a MinTTL over
	// zero no-cache, no-store and private of the origin do not count, as with CloudFront.
	MinTTL     time.Duration `json:"minTTL,omitempty"`
	DefaultTTL time.Duration `json:"defaultTTL,omitempty"`
	MaxTTL     time.Duration `json:"maxTTL,omitempty"`

	Query   Selection `json:"query,omitzero"`
	Headers Selection `json:"headers,omitzero"` // None or Only
	Cookies Selection `json:"cookies,omitzero"`

	// Encodings that a client's Accept-Encoding is normalised to, and that responses
	// are stored in: "br", "gzip", "zstd".
	Encodings []string `json:"encodings,omitempty"`
}

// Selection is some of the parameters, headers or cookies of a request.
type Selection struct {
	Mode  string   `json:"mode,omitempty"`  // None, which "" means too, All, Only or Except
	Names []string `json:"names,omitempty"` // of Only and Except; of headers in any case
}

// Modes of a Selection.
const (
	None   = "none"
	All    = "all"
	Only   = "whitelist"
	Except = "allExcept"
)
