package gateway

import (
	"net/http"
	"strconv"

	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/trace"
)

// trace begins the request's span, of the trace that it came in or of a new one, and
// has the function told of it.
func (s *server) trace(w http.ResponseWriter, r *request) {
	before := r.Header.Get(trace.HeaderName)
	if s.gateway.Traces == nil && before != "" {
		return
	}
	header := "Root=" + trace.Start(r.at).Root
	if s.gateway.Traces != nil {
		r.span = s.gateway.Traces.BeginAt(r.at, before, trace.KindAPI, "")
		header = r.span.Header()
		if s.api.Kind == REST {
			w.Header().Set(trace.HeaderName, "Root="+r.span.Trace())
		}
	}
	r.Request = r.WithContext(r.Context())
	r.Header = r.Header.Clone()
	r.Header.Set(trace.HeaderName, header)
}

// traced ends the span with what was answered.
func (r *request) traced() {
	if !r.span.Begun() {
		return
	}
	failed := r.sent.status >= http.StatusInternalServerError
	if !r.span.Kept(failed) {
		return
	}
	r.span.Name(r.target.Key())
	about := []logs.Field{
		{Name: "http.status", Value: strconv.Itoa(r.sent.status)},
		{Name: "api", Value: r.api.ID},
		{Name: "stage", Value: r.api.Stage},
		{Name: "api.request", Value: r.id},
	}
	if failed {
		about = append(about, logs.Field{Name: trace.FieldError, Value: strconv.Itoa(r.sent.status)})
	}
	if r.integrationError != "" {
		about = append(about, logs.Field{Name: "integration", Value: r.integrationError})
	}
	r.span.End(failed, about...)
}
