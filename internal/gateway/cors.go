package gateway

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// defaultHeaders are what the Serverless Framework allows unless told otherwise.
var defaultHeaders = []string{
	"Content-Type", "X-Amz-Date", "Authorization", "X-Api-Key",
	"X-Amz-Security-Token", "X-Amz-User-Agent", "X-Amzn-Trace-Id",
}

// preflight answers OPTIONS on one resource of a REST API, as the mock
// integration that the Serverless Framework deploys does: always 200, always the
// same headers but for the origin.
type preflight struct{ CORS }

// addCORS makes the preflight answers of a REST API; the routes of one path share
// one.
func addCORS(m *matcher, routes []Route) {
	for _, r := range routes {
		if r.CORS == nil {
			continue
		}
		found, ok := m.find(r.Method, r.Path)
		if !ok || found.resource.path != r.Path {
			continue
		}
		p := found.resource.cors
		if p == nil {
			p = &preflight{CORS{Methods: []string{"OPTIONS"}}}
			found.resource.cors = p
		}
		p.merge(r)
	}
}

func (p *preflight) merge(r Route) {
	own := r.CORS.Methods
	if len(own) == 0 {
		own = []string{r.Method}
	}
	for _, m := range own {
		if m == "ANY" {
			p.Methods = union(p.Methods, []string{"DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"})
			continue
		}
		p.Methods = union(p.Methods, []string{m})
	}
	p.Origins = union(p.Origins, or(r.CORS.Origins, []string{"*"}))
	p.Headers = union(p.Headers, or(r.CORS.Headers, defaultHeaders))
	p.ExposeHeaders = union(p.ExposeHeaders, r.CORS.ExposeHeaders)
	p.AllowCredentials = p.AllowCredentials || r.CORS.AllowCredentials
	p.MaxAgeSeconds = max(p.MaxAgeSeconds, r.CORS.MaxAgeSeconds)
}

func union(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}

func or(a, b []string) []string {
	if len(a) > 0 {
		return a
	}
	return b
}

func (p *preflight) answer(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	origin := r.Header.Get("Origin")
	switch {
	case len(p.Origins) == 1 && !strings.Contains(strings.TrimPrefix(p.Origins[0], "*"), "*"):
		h.Set("Access-Control-Allow-Origin", p.Origins[0])
	case originAllowed(p.Origins, origin):
		h.Set("Access-Control-Allow-Origin", origin)
	}
	h.Set("Access-Control-Allow-Headers", strings.Join(p.Headers, ","))
	h.Set("Access-Control-Allow-Methods", strings.Join(p.Methods, ","))
	if len(p.ExposeHeaders) > 0 {
		h.Set("Access-Control-Expose-Headers", strings.Join(p.ExposeHeaders, ","))
	}
	if p.AllowCredentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if p.MaxAgeSeconds > 0 {
		h.Set("Access-Control-Max-Age", strconv.Itoa(p.MaxAgeSeconds))
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
}

// originAllowed compares whole origins; "*" stands for any run of characters.
func originAllowed(allowed []string, origin string) bool {
	if origin == "" {
		return false
	}
	for _, a := range allowed {
		head, tail, wild := strings.Cut(a, "*")
		if a == origin || wild && len(origin) >= len(a)-1 && strings.HasPrefix(origin, head) && strings.HasSuffix(origin, tail) {
			return true
		}
	}
	return false
}

// apiCORS is the CORS setting of an HTTP API or a function URL with its defaults
// filled in. The gateway answers preflights itself. An HTTP API overrules whatever
// CORS headers functions return (AWS: "Configure CORS for HTTP APIs"); a function
// URL sends its own besides the function's, duplicates and all ("Cross-origin
// resource sharing (CORS)" of function URLs).
type apiCORS struct {
	CORS
	adds bool
}

func newAPICORS(api API) *apiCORS {
	if api.CORS == nil {
		return nil
	}
	c := &apiCORS{CORS: *api.CORS, adds: api.Kind == URL}
	c.Origins = or(c.Origins, []string{"*"})
	c.Headers = or(c.Headers, defaultHeaders)
	if len(c.Methods) == 0 {
		c.Methods = []string{"OPTIONS"}
		for _, r := range api.Routes {
			m := []string{r.Method}
			if r.Method == "ANY" {
				m = []string{"DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"}
			}
			c.Methods = union(c.Methods, m)
		}
	}
	return c
}

// isPreflight tells a browser's question from an ordinary OPTIONS request.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// preflight answers 204, a function URL 200; an origin that is not allowed gets no
// CORS headers, which is the browser's sign to refuse.
func (c *apiCORS) preflight(w http.ResponseWriter, r *http.Request, kind string) {
	if c.origin(w.Header(), r) {
		h := w.Header()
		h.Set("Access-Control-Allow-Methods", strings.Join(c.Methods, ","))
		h.Set("Access-Control-Allow-Headers", strings.Join(c.Headers, ","))
		if c.MaxAgeSeconds > 0 {
			h.Set("Access-Control-Max-Age", strconv.Itoa(c.MaxAgeSeconds))
		}
	}
	if kind == URL {
		w.WriteHeader(http.StatusOK)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// apply puts the API's CORS headers in the place of the function's, or beside
// them.
func (c *apiCORS) apply(h http.Header, r *http.Request) {
	own := http.Header{}
	c.origin(own, r)
	if !c.adds {
		for name := range h {
			if strings.HasPrefix(name, "Access-Control-") {
				delete(h, name)
			}
		}
	}
	for name, values := range own {
		h[name] = append(h[name], values...)
	}
}

func (c *apiCORS) origin(h http.Header, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	if slices.Contains(c.Origins, "*") {
		h.Set("Access-Control-Allow-Origin", "*")
	} else {
		h.Add("Vary", "Origin")
		if !originAllowed(c.Origins, origin) {
			return false
		}
		h.Set("Access-Control-Allow-Origin", origin)
	}
	if c.AllowCredentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if len(c.ExposeHeaders) > 0 {
		h.Set("Access-Control-Expose-Headers", strings.Join(c.ExposeHeaders, ","))
	}
	return true
}
