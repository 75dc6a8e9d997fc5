package edge

import (
	"net/http"
	"slices"
)

// staged is an API that tells which it is.
type staged interface{ Stage() (api, stage string) }

// aclOf is the web ACL that the stage of an API has of its own, "" being none.
func (s *Server) aclOf(h http.Handler) string {
	if of, ok := h.(staged); ok && s.ACLOf != nil {
		return s.ACLOf(of.Stage())
	}
	return ""
}

// stopped asks the web ACLs of the APIs that a behaviour leads to.
func (s *Server) stopped(v *visit, l *lane) bool {
	return slices.ContainsFunc(l.apis, func(api func() http.Handler) bool { return s.blocked(v, s.aclOf(api()), nil) })
}

// inFront finds the distribution whose web ACL stands in front of an API that a request
// asks for by another way: nobody is to get around it by an address. path is of the
// stage, or "" when it is not known; it finds what the behaviour has of its own.
func (s *Server) inFront(h http.Handler, method, path string) (acl string, own *Firewall) {
	of, ok := h.(staged)
	if !ok {
		return "", nil
	}
	id, _ := of.Stage()
	for _, d := range s.snapshot().guards {
		if !slices.ContainsFunc(d.lanes, func(l *lane) bool { return l.leads(id) }) {
			continue
		}
		if l := d.behaviour(method, path); path != "" && l != nil && l.leads(id) {
			own = l.Firewall
		}
		return d.WebACL, own
	}
	return "", nil
}

// leads says whether a behaviour's origin is the API with the id, or may be.
func (l *lane) leads(id string) bool {
	return slices.ContainsFunc(l.apis, func(api func() http.Handler) bool {
		of, ok := api().(staged)
		if !ok {
			return false
		}
		at, _ := of.Stage()
		return at == id
	})
}
