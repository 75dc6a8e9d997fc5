package edge

import (
	"crypto/tls"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
)

// Secure is what the edge needs of whoever keeps its certificates.
type Secure interface {
	// Challenge answers an authority that validates a name by HTTP, and reports
	// whether the request was one of those.
	Challenge(w http.ResponseWriter, r *http.Request) bool
	// Covers reports whether a connection, which came in at an address of ours, may be
	// used for a host.
	Covers(conn *tls.ConnectionState, local net.Addr, host string) bool
}

// Site is what a distribution says of one of its host names.
type Site struct {
	Alias        string // that matches: the name, or "*." and all but its first label; "": only the default distribution answers
	Certificate  string // ARN or name of one of the operator's own; "": none is named
	Minimum      string // version of TLS, as CloudFront names them
	Distribution string // its ARN
}

// Site is the distribution that answers for a host name, unless it is disabled.
func (s *Server) Site(host string) (Site, bool) {
	now := s.snapshot()
	d, alias := now.find(host), host
	if d == nil {
		d, alias = now.other, ""
	}
	if d == nil || d.Disabled {
		return Site{}, false
	}
	if alias != "" && host != d.Domain && !slices.Contains(d.Aliases, host) {
		_, parent, _ := strings.Cut(host, ".")
		alias = "*." + parent
	}
	site := Site{Alias: alias, Distribution: arn.Distribution(d.ID)}
	if c := d.Certificate; c != nil {
		site.Certificate, site.Minimum = c.ID, c.Minimum
	}
	return site, true
}

// Aliases are the host names of all distributions that are not disabled.
func (s *Server) Aliases() []string {
	var all []string
	for _, list := range s.snapshot().stacks {
		for i := range list {
			if d := list[i]; !d.Disabled {
				all = append(all, d.Aliases...)
			}
		}
	}
	return all
}

// challenged answers an authority's validation, which no distribution is to see.
func (s *Server) challenged(w http.ResponseWriter, r *http.Request) bool {
	return s.Secure != nil && strings.HasPrefix(r.URL.Path, "/.well-known/acme-challenge/") && s.Secure.Challenge(w, r)
}

// misdirected reports whether a request came by a connection that was opened for
// another name, whose certificate does not cover the host: one that a client shares
// wrongly, or somebody who hides behind a name that is let through. Trusted proxies
// name what they like.
func (s *Server) misdirected(v *visit) bool {
	r := v.in
	if r.TLS == nil || s.Secure == nil || v.proxied {
		return false
	}
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return !s.Secure.Covers(r.TLS, local, hostOf(r.Host))
}
