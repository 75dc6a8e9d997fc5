package bucket

// Settings are what a stack says of one of its buckets.
type Settings struct {
	Bucket string     `json:"bucket"`
	Policy string     `json:"policy,omitempty"` // "": what calls of the API put stays
	CORS   []CORSRule `json:"cors,omitempty"`   // none: likewise
}

// CORSRule says which pages of other origins may ask a bucket for what.
type CORSRule struct {
	ID      string   `json:"id,omitempty"`
	Methods []string `json:"methods"`
	Origins []string `json:"origins"`
	Headers []string `json:"headers,omitempty"`
	Expose  []string `json:"exposeHeaders,omitempty"`
	MaxAge  *int     `json:"maxAge,omitempty"` // seconds
}
