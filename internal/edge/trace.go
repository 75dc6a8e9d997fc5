package edge

import (
	"net/http"
	"strconv"

	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/trace"
)

// traceParent is the header of W3C Trace Context.
const traceParent = "Traceparent"

// trace begins the request's span and tells the origin of it. A trace that the client
// has begun goes on if its header is well formed; what is not is kept from the origin.
func (v *visit) trace(out http.Header) {
	if v.server.Traces == nil {
		return
	}
	h, ok := trace.Parse(v.in.Header.Get(trace.HeaderName))
	w3c, given := trace.ParseParent(v.in.Header.Get(traceParent))
	if !ok {
		h = w3c
	}
	if !v.span.Begun() {
		header := ""
		if h.Root != "" {
			header = v.server.Traces.Strange(h, v.record.Time).String()
		}
		v.span = v.server.Traces.BeginAt(v.record.Time, header, trace.KindEdge, "")
		v.record.Trace = v.span.Trace()
	}
	out[trace.HeaderName] = []string{v.span.Header()}
	switch {
	case given && !ok:
		own, _ := trace.Parse(v.span.Header())
		out[traceParent] = []string{own.TraceParent()}
	case !given:
		delete(out, traceParent)
		delete(out, "Tracestate")
	}
}

// traced ends the span. Of what the cache has answered there is nothing to see.
func (v *visit) traced(broken bool) {
	if !v.span.Begun() || v.record.Result == "Hit" {
		return
	}
	failed := broken || v.status >= http.StatusInternalServerError
	if !v.span.Kept(failed) {
		return
	}
	a := &v.record
	v.span.Name(a.Method + " " + a.Host + a.Path)
	about := []logs.Field{
		{Name: "http.status", Value: strconv.Itoa(v.status)},
		{Name: "edge.result", Value: a.Result},
		{Name: "edge.request", Value: a.Request},
	}
	if a.Distribution != "" {
		about = append(about, logs.Field{Name: "distribution", Value: a.Distribution})
	}
	if failed {
		about = append(about, logs.Field{Name: trace.FieldError, Value: strconv.Itoa(v.status) + " " + a.Detail})
	}
	v.span.End(failed, about...)
}
