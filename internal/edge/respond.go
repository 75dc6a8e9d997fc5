package edge

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/pattern"
)

// respond makes the changes of the behaviour's response headers policy.
func (v *visit) respond(p *Respond) {
	h := v.Header()
	for _, name := range p.Remove {
		h.Del(name)
	}
	for _, own := range p.Headers {
		if own.Override || h.Get(own.Name) == "" {
			h.Set(own.Name, own.Value)
		}
	}
	if p.CORS != nil {
		p.CORS.allow(h, v.in)
	}
	if p.Timing > 0 && (rand.Float64()*100 < p.Timing || v.in.Header.Get("Pragma") == "server-timing") {
		h["Server-Timing"] = append(slices.Clip(h["Server-Timing"]), v.timing(h.Get("X-Cache")))
	}
}

// preflight answers a browser that asks what a page of another origin may do, where
// the policy's word counts more than the origin's.
func (v *visit) preflight(p *Respond) bool {
	if p == nil || p.CORS == nil || !p.CORS.Override || !isPreflight(v.in) {
		return false
	}
	v.WriteHeader(http.StatusNoContent) // the headers come with the head
	return true
}

func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && len(r.Header["Origin"]) > 0 && len(r.Header["Access-Control-Request-Method"]) > 0
}

// allow sets what CORS has to say about a request, over the origin's own words or
// where it has none.
func (c *CORS) allow(h http.Header, r *http.Request) {
	from := r.Header.Get("Origin")
	if from == "" || !c.Override && h.Get("Access-Control-Allow-Origin") != "" {
		return
	}
	for _, name := range []string{"Origin", "Methods", "Headers", "Credentials"} {
		h.Del("Access-Control-Allow-" + name)
	}
	h.Del("Access-Control-Expose-Headers")
	h.Del("Access-Control-Max-Age")
	anybody := slices.Contains(c.Origins, "*")
	if !anybody || c.Credentials {
		addVary(h, "Origin")
	}
	if !anybody && !slices.ContainsFunc(c.Origins, func(o string) bool { return pattern.Glob(o, from) }) {
		return
	}
	if anybody && !c.Credentials {
		from = "*"
	}
	h.Set("Access-Control-Allow-Origin", from)
	if c.Credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if len(c.Expose) > 0 {
		h.Set("Access-Control-Expose-Headers", strings.Join(c.Expose, ", "))
	}
	if !isPreflight(r) {
		return
	}
	h.Set("Access-Control-Allow-Methods", strings.Join(expand(c.Methods, "ALL", methods...), ", "))
	if asked := r.Header.Get("Access-Control-Request-Headers"); slices.Contains(c.Headers, "*") && asked != "" {
		h.Set("Access-Control-Allow-Headers", asked) // "*" would leave Authorization out
	} else if len(c.Headers) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.Join(c.Headers, ", "))
	}
	if c.MaxAge > 0 {
		h.Set("Access-Control-Max-Age", strconv.Itoa(int(c.MaxAge/time.Second)))
	}
}

// expand puts all in the place of the word for all.
func expand(list []string, word string, all ...string) []string {
	if slices.Contains(list, word) {
		return all
	}
	return list
}

func addVary(h http.Header, name string) {
	for _, line := range h["Vary"] {
		for had := range strings.SplitSeq(line, ",") {
			if had = strings.TrimSpace(had); had == "*" || strings.EqualFold(had, name) {
				return
			}
		}
	}
	h["Vary"] = append(slices.Clip(h["Vary"]), name) // a stored response's lines are everybody's
}

// timing is a Server-Timing header in CloudFront's words.
func (v *visit) timing(xcache string) string {
	parts := []string{"cdn-cache-miss"}
	switch {
	case strings.HasPrefix(xcache, "Hit"):
		parts[0] = "cdn-cache-hit"
	case strings.HasPrefix(xcache, "RefreshHit"):
		parts[0] = "cdn-cache-refresh"
	default:
		parts = append(parts, fmt.Sprintf("cdn-upstream-fbl;dur=%d", time.Since(v.record.Time).Milliseconds()))
	}
	return strings.Join(append(parts, `cdn-pop;desc="`+Location+`"`, `cdn-rid;desc="`+v.record.Request+`"`), ",")
}
