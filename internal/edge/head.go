package edge

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/dropstack/dropstack/internal/edge/origin"
)

// head has the last word on an answer's status and headers, whoever gives it. An
// answer that is to be another is dropped; settle then gives that one.
func (v *visit) head(status int) (int, bool) {
	switch {
	case !v.told && v.body.state().explains(status): // whatever became of the request, this is why
		return status, true
	case !v.final && v.site.errorPage(status) != nil:
		v.errorPage = v.site.errorPage(status)
		return status, true
	case v.errorPage != nil && status == http.StatusOK:
		status = cmp.Or(v.errorPage.As, v.errorPage.Status)
	}
	h := v.Header()
	v.cacheWord(status)
	if v.lane != nil && v.lane.Respond != nil {
		v.respond(v.lane.Respond)
	}
	if _, said := h["Content-Type"]; !said && v.lane != nil && !v.lane.inside {
		h["Content-Type"] = nil // the server does not guess: what nobody calls HTML must not become it
	}
	v.alternative(h)
	h["Via"] = append(slices.Clip(h["Via"]), v.via())
	h["X-Amz-Cf-Pop"], h["X-Amz-Cf-Id"] = []string{Location}, []string{v.record.Request} // an origin may be a distribution too
	return status, false
}

// cacheWord sets X-Cache. The cache has its own word; an origin's has none here.
func (v *visit) cacheWord(status int) {
	h := v.Header()
	word := v.record.Result
	switch {
	case word != "": // it has been settled before
	case !v.passes && len(h["X-Cache"]) > 0:
		return
	case status >= http.StatusBadRequest:
		word = "Error"
	default:
		word = "Miss"
	}
	h["X-Cache"] = []string{word + " from cloudfront"}
}

// errorPage is what the distribution has for a status, if it has a page.
func (d *site) errorPage(status int) *ErrorPage {
	if status < http.StatusBadRequest {
		return nil
	}
	for i := range d.Errors {
		if e := &d.Errors[i]; e.Status == status && e.Path != "" {
			return e
		}
	}
	return nil
}

// settle gives the answer that takes the place of a dropped one.
func (s *Server) settle(v *visit) {
	status := v.dropped
	if status == 0 {
		return
	}
	v.again()
	forget(v.Header())
	if body := v.body.state(); !v.told && body.explains(status) {
		v.told = true
		if body.over {
			v.overLimit("Too large", overLimit(v.body.limit))
		} else {
			v.record.Detail = "ClientCommError"
			v.refused(v.body.broken(body.err))
		}
		if v.dropped == 0 { // there is no page for that
			return
		}
		v.again()
		forget(v.Header())
	}
	v.final = true
	v.askPage()
	l := v.site.behaviour(http.MethodGet, v.in.URL.Path)
	if l == nil || l.keys != nil { // nobody has a signature for that
		v.fail(v.errorPage.Status, "Something broke", "The page that should say more is not there.")
		return
	}
	v.lane, v.passes = l, false
	result := cmp.Or(v.record.Result, "Error")
	v.record.Result = ""
	s.answer(v)
	v.record.Result = result
}

// askPage makes the request one for the error page.
func (v *visit) askPage() {
	out := v.in.WithContext(origin.With(v.in.Context(), v.asked))
	u := *v.in.URL
	u.Path, u.RawPath, u.RawQuery = v.errorPage.Path, "", ""
	out.URL, out.Body, out.ContentLength, out.TransferEncoding = &u, http.NoBody, 0, nil
	if out.Method != http.MethodHead {
		out.Method = http.MethodGet
	}
	out.Header = v.in.Header.Clone()
	if v.record.Refused { // what was blocked is not to reach an origin with the page's request either
		clear(out.Header)
		out.Trailer = nil
	}
	for _, name := range []string{
		"Content-Type", "Content-Length", "Content-Encoding", "Expect", "Range", "Upgrade", "Connection",
		"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range",
	} {
		out.Header.Del(name)
	}
	v.in, v.socket = out, false
}
