package api

import (
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/trace"
)

// trace begins the span of a call that its caller's trace comes with, which the SDKs
// of functions send, and puts it into the context: a message that the call makes
// carries it on. What it returns ends the span.
func (s *Server) trace(c *call) (end func(error)) {
	header := c.r.Header.Get(trace.HeaderName)
	if _, ok := trace.Parse(header); !ok {
		return func(error) {}
	}
	span := s.Traces.Begin(header, trace.KindCall, "")
	c.at = trace.With(c.at, span.Header())
	return func(err error) {
		failed := err != nil && fault.KindOf(err) == fault.Internal
		if !span.Kept(failed) {
			return
		}
		span.Name(c.service.Scope + "." + c.operation)
		about := []logs.Field{{Name: "call.request", Value: c.id}}
		for _, n := range c.needs {
			if n.Resource != "*" {
				about = append(about, logs.Field{Name: "resource", Value: n.Resource})
				break
			}
		}
		if err != nil {
			about = append(about, logs.Field{Name: trace.FieldError, Value: failureOf(err, c.id).code})
		}
		span.End(err != nil, about...)
	}
}
