package edge

import (
	"net"
	"net/http"
	"strconv"
	"strings"
)

// insecure answers requests that came by HTTP where the behaviour wants HTTPS.
func (s *Server) insecure(v *visit, l *lane) bool {
	if v.secure {
		return false
	}
	switch l.Viewer {
	case RedirectToHTTPS:
		status := http.StatusMovedPermanently
		if v.in.Method != http.MethodGet && v.in.Method != http.MethodHead {
			status = http.StatusTemporaryRedirect // which keeps method and body
		}
		v.record.Result = "Redirect"
		v.Header().Set("Location", s.secureURL(v))
		v.Header().Set("Content-Length", "0")
		if v.in.ContentLength != 0 {
			v.closing()
		}
		v.WriteHeader(status)
		return true
	case OnlyHTTPS:
		v.refused(&refusal{http.StatusForbidden, "HTTPS only", "This address is served by HTTPS alone."})
		return true
	}
	return false
}

// secureURL is the request's address by HTTPS: on our own listener's port, or behind
// a trusted proxy on the usual one.
func (s *Server) secureURL(v *visit) string {
	host := v.in.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
		if strings.Contains(name, ":") {
			host = "[" + name + "]"
		}
	}
	if s.HTTPSPort != 0 && s.HTTPSPort != 443 && !v.proxied {
		host += ":" + strconv.Itoa(s.HTTPSPort)
	}
	return "https://" + host + v.target
}
