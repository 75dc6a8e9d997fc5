package origin

import (
	"maps"
	"net/http"
	"slices"
)

// Group asks Second when First does not answer, or answers with one of Statuses.
// That is for GET, HEAD and OPTIONS; other requests have First alone, because who can
// tell how far they got.
type Group struct {
	First, Second http.Handler
	Statuses      []int
}

// ServeHTTP implements http.Handler.
func (g *Group) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
	default:
		g.First.ServeHTTP(w, r)
		return
	}
	try := &attempt{to: w, header: http.Header{}, statuses: g.Statuses}
	g.ask(try, r)
	if !try.failed {
		try.WriteHeader(http.StatusOK) // an empty answer
		return
	}
	From(r.Context()).Failed("") // the second speaks for itself
	again := r.WithContext(r.Context())
	again.Body, again.ContentLength = http.NoBody, 0
	g.Second.ServeHTTP(w, again)
}

// ask lets the first origin answer. An answer that is not used may break off.
func (g *Group) ask(try *attempt, r *http.Request) {
	defer func() {
		if cause := recover(); cause != nil && (!try.failed || r.Context().Err() != nil) {
			panic(cause)
		}
	}()
	g.First.ServeHTTP(try, r)
}

// attempt passes an answer on unless it is one that the second origin has to better.
// Its headers are its own until then.
type attempt struct {
	to       http.ResponseWriter
	header   http.Header
	statuses []int
	sent     bool
	failed   bool
}

func (a *attempt) Header() http.Header {
	if a.sent {
		return a.to.Header() // for trailers
	}
	return a.header
}

func (a *attempt) unanswered(Failure) { a.failed = true }

func (a *attempt) WriteHeader(status int) {
	switch {
	case a.sent || a.failed:
	case status < 200 && status != http.StatusSwitchingProtocols: // of an answer that may not be used
	case slices.Contains(a.statuses, status):
		a.failed = true
	default:
		a.sent = true
		maps.Copy(a.to.Header(), a.header)
		a.to.WriteHeader(status)
	}
}

func (a *attempt) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.failed {
		return len(p), nil
	}
	return a.to.Write(p)
}

// FlushError sends what has been written of an answer that is passed on.
func (a *attempt) FlushError() error {
	a.WriteHeader(http.StatusOK)
	if a.failed {
		return nil
	}
	return http.NewResponseController(a.to).Flush()
}

// Unwrap lets a switch of protocols reach the connection.
func (a *attempt) Unwrap() http.ResponseWriter { return a.to }
