package spec

import (
	"slices"
	"strings"
)

// corsHeaders are those that the Serverless Framework allows by default.
var corsHeaders = []string{"Content-Type", "X-Amz-Date", "Authorization", "X-Api-Key", "X-Amz-Security-Token", "X-Amz-User-Agent", "X-Amzn-Trace-Id"}

// restCORS reads cors of an http event; fillCORS makes it whole.
func (r *reader) restCORS(n *node, what string) *CORS {
	return r.cors(n, what, func(c *CORS) keys {
		origins := func(v *node) {
			for _, o := range r.strings(v, what+".origin") {
				for part := range strings.SplitSeq(o, ",") { // as the framework takes them
					c.Origins = append(c.Origins, strings.TrimSpace(part))
				}
			}
		}
		return keys{
			"origin": origins, "origins": origins, "cacheControl": nil,
			"headers":          func(v *node) { c.Headers = r.strings(v, what+".headers") },
			"methods":          func(v *node) { c.Methods = r.strings(v, what+".methods") },
			"allowCredentials": func(v *node) { c.AllowCredentials = r.boolean(v, what+".allowCredentials") },
			"maxAge":           func(v *node) { c.MaxAgeSeconds = r.integer(v, what+".maxAge", 0, 86400) },
		}
	})
}

// modernCORS reads provider.httpApi.cors and the cors of a function's URL.
func (r *reader) modernCORS(n *node, what string) *CORS {
	c := r.cors(n, what, func(c *CORS) keys {
		return keys{
			"allowedOrigins":         func(v *node) { c.Origins = r.strings(v, what+".allowedOrigins") },
			"allowedHeaders":         func(v *node) { c.Headers = r.strings(v, what+".allowedHeaders") },
			"allowedMethods":         func(v *node) { c.Methods = r.strings(v, what+".allowedMethods") },
			"exposedResponseHeaders": func(v *node) { c.ExposeHeaders = r.strings(v, what+".exposedResponseHeaders") },
			"allowCredentials":       func(v *node) { c.AllowCredentials = r.boolean(v, what+".allowCredentials") },
			"maxAge":                 func(v *node) { c.MaxAgeSeconds = r.integer(v, what+".maxAge", 0, 86400) },
		}
	})
	if c != nil && len(c.Origins) == 0 {
		c.Origins = []string{"*"}
	}
	return c
}

func (r *reader) cors(n *node, what string, known func(*CORS) keys) *CORS {
	c := &CORS{}
	if n.kind == boolean {
		if n.text == "false" {
			return nil
		}
	} else {
		r.object(n, what, known(c), effects{})
	}
	if len(c.Headers) == 0 {
		c.Headers = slices.Clone(corsHeaders)
	}
	for i, m := range c.Methods {
		c.Methods[i] = strings.ToUpper(m)
	}
	return c
}

// fillCORS settles what preflight requests are answered with. Those of a REST API
// are asked of a path, so the events of a path that have cors share it; an HTTP API
// has one for all.
func (r *reader) fillCORS() {
	byPath := map[string]*CORS{}
	all := []string{"OPTIONS"}
	for e := range r.events() {
		if e.HTTPAPI != nil {
			all = append(all, e.HTTPAPI.Method)
		}
		if e.HTTP == nil || e.HTTP.CORS == nil {
			continue
		}
		own := e.HTTP.CORS
		own.Methods = append(own.Methods, "OPTIONS", e.HTTP.Method)
		if before := byPath[e.HTTP.Path]; before != nil {
			before.merge(own)
			e.HTTP.CORS = before
			continue
		}
		byPath[e.HTTP.Path] = own
	}
	for _, c := range byPath {
		if c.Methods = each(c.Methods); len(c.Origins) == 0 {
			c.Origins = []string{"*"}
		}
	}
	if c := r.svc.HTTP.CORS; c != nil && len(c.Methods) == 0 {
		c.Methods = each(all)
	}
}

// merge adds what another event of the same path allows.
func (c *CORS) merge(o *CORS) {
	c.Origins = union(c.Origins, o.Origins)
	c.Headers = union(c.Headers, o.Headers)
	c.Methods = union(c.Methods, o.Methods)
	c.AllowCredentials = c.AllowCredentials || o.AllowCredentials
	if o.MaxAgeSeconds > 0 {
		c.MaxAgeSeconds = o.MaxAgeSeconds
	}
}

func union(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}

// each sorts methods, drops doubles and writes ANY out.
func each(used []string) []string {
	if slices.Contains(used, "ANY") {
		used = slices.Clone(methods[1:])
	}
	slices.Sort(used)
	return slices.Compact(used)
}
