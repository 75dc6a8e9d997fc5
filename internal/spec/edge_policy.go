package spec

import "time"

// Cache says which responses may be used again, and for how long.
type Cache struct {
	Pos    Pos
	Origin bool   // as the origin's headers say: cache: true
	Name   string // of one of Amazon's policies, or of one of the service

	MinTTL, DefaultTTL, MaxTTL time.Duration `json:",omitzero"`
	Query, Headers, Cookies    Selection
	Encodings                  []string
}

// Forward says what of a request goes to the origin.
type Forward struct {
	Pos  Pos
	Name string // of one of Amazon's policies, or of one of the service

	Query, Headers, Cookies Selection
}

// Respond is what the edge changes of responses.
type Respond struct {
	Pos  Pos
	Name string // of one of Amazon's policies, or of one of the service

	Headers []Header
	Remove  []string
	CORS    *EdgeCORS
	Timing  float64 `json:",omitzero"` // percent of responses that have Server-Timing
}

// EdgeCORS answers for what other origins' pages may do.
type EdgeCORS struct {
	Origins, Methods, Headers, Expose []string
	Credentials                       bool
	MaxAge                            time.Duration `json:",omitzero"`
	Override                          bool
}

// Signer is a public key that checks signed URLs and cookies. Without a PEM it is
// the id of a key, or of a group of keys, among the resources.
type Signer struct {
	Pos     Pos
	ID, PEM string
}

// cache reads true, the name of a policy, or a policy.
func (r *reader) cache(n *node) *Cache {
	const what = "cache"
	c := &Cache{Pos: n.pos, MaxTTL: year}
	switch {
	case n.kind == boolean:
		if n.text != "true" {
			return nil
		}
		c.Origin = true
		return c
	case n.kind == text || isIntrinsic(n):
		return &Cache{Pos: n.pos, Name: r.value(n, what)}
	case n.kind == number:
		r.fail(n.pos, "cache must be true, the name of a cache policy such as CachingOptimized, or a map, not %s", n.text)
		return nil
	}
	ttl := func(into *time.Duration, key string) func(*node) {
		return func(v *node) { *into = r.duration(v, what+"."+key, 0, year) }
	}
	r.strict(n, what, keys{
		"minTTL": ttl(&c.MinTTL, "minTTL"), "defaultTTL": ttl(&c.DefaultTTL, "defaultTTL"), "maxTTL": ttl(&c.MaxTTL, "maxTTL"),
		"query":   func(v *node) { c.Query = r.selection(v, what+".query") },
		"cookies": func(v *node) { c.Cookies = r.selection(v, what+".cookies") },
		"headers": func(v *node) {
			if c.Headers = r.selection(v, what+".headers"); c.Headers.Mode != "none" && c.Headers.Mode != "whitelist" {
				r.fail(v.pos, "cache.headers must be a list of headers, or none: no two requests have all the same")
			}
		},
		"encodings": func(v *node) {
			r.each(v, what+".encodings", func(v *node) { c.Encodings = append(c.Encodings, r.choice(v, what+".encodings", "br", "gzip", "zstd")) })
		},
	})
	if c.MinTTL > c.DefaultTTL && c.DefaultTTL != 0 || max(c.MinTTL, c.DefaultTTL) > c.MaxTTL {
		r.fail(n.pos, "cache: minTTL is at most defaultTTL, and that at most maxTTL")
	}
	return c
}

// forward reads "all", the name of a policy, or a policy.
func (r *reader) forward(n *node) *Forward {
	const what = "forward"
	f := &Forward{Pos: n.pos}
	if n.kind == text && n.text == "all" {
		all := Selection{Mode: "all"}
		f.Query, f.Headers, f.Cookies = all, all, all
		return f
	}
	if n.scalar() || isIntrinsic(n) {
		f.Name = r.value(n, what)
		return f
	}
	r.strict(n, what, keys{
		"query":   func(v *node) { f.Query = r.selection(v, what+".query") },
		"headers": func(v *node) { f.Headers = r.selection(v, what+".headers") },
		"cookies": func(v *node) { f.Cookies = r.selection(v, what+".cookies") },
	})
	return f
}

// respond reads the name of a policy, or a policy.
func (r *reader) respond(n *node) *Respond {
	const what = "respond"
	p := &Respond{Pos: n.pos}
	if n.scalar() || isIntrinsic(n) {
		p.Name = r.value(n, what)
		return p
	}
	r.strict(n, what, keys{
		"headers":      func(v *node) { p.Headers = r.headers(v, what+".headers") },
		"remove":       func(v *node) { p.Remove = r.strings(v, what+".remove") },
		"cors":         func(v *node) { p.CORS = r.edgeCORS(v, what+".cors") },
		"serverTiming": func(v *node) { p.Timing = r.decimal(v, what+".serverTiming", 0, 100) },
	})
	return p
}

func (r *reader) edgeCORS(n *node, what string) *EdgeCORS {
	c := &EdgeCORS{Origins: []string{"*"}, Methods: []string{"GET", "HEAD"}, Headers: []string{"*"}}
	words := func(into *[]string, key string) func(*node) {
		return func(v *node) { *into = r.strings(v, what+"."+key) }
	}
	r.strict(n, what, keys{
		"origins": words(&c.Origins, "origins"), "methods": words(&c.Methods, "methods"),
		"headers": words(&c.Headers, "headers"), "expose": words(&c.Expose, "expose"),
		"credentials": func(v *node) { c.Credentials = r.boolean(v, what+".credentials") },
		"maxAge":      func(v *node) { c.MaxAge = r.duration(v, what+".maxAge", 0, year) },
		"override":    func(v *node) { c.Override = r.boolean(v, what+".override") },
	})
	return c
}

// signer reads {id, pem}, or the id of a key or a group of keys.
func (r *reader) signer(n *node) Signer {
	const what = "signer"
	s := Signer{Pos: n.pos}
	if n.scalar() || isIntrinsic(n) {
		s.ID = r.value(n, what)
		return s
	}
	r.strict(n, what, keys{
		"id":  func(v *node) { s.ID = r.value(v, what+".id") },
		"pem": func(v *node) { s.PEM = r.value(v, what+".pem") },
	})
	if n.kind == object && (s.ID == "" || s.PEM == "") {
		r.fail(n.pos, "a signer has an id and its public key as pem, or is the id of an AWS::CloudFront::KeyGroup")
	}
	return s
}
