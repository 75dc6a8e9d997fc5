package function

import (
	"cmp"
	"strconv"
	"time"

	"github.com/dropstack/dropstack/internal/instance"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/trace"
)

// traced ends an invocation's span with what came of it.
func traced(span *trace.Span, version, request, trigger string) func(instance.Outcome, error) {
	return func(out instance.Outcome, err error) {
		failed := err != nil || out.FunctionError != ""
		if !span.Kept(failed) {
			return
		}
		about := []logs.Field{{Name: logs.FieldRequest, Value: request}, {Name: "version", Value: version}, {Name: "trigger", Value: cmp.Or(trigger, TriggerAPI)}}
		if out.Init > 0 {
			about = append(about, logs.Field{Name: logs.FieldInit, Value: strconv.FormatFloat(float64(out.Init)/float64(time.Millisecond), 'f', 2, 64)})
		}
		switch {
		case err != nil:
			about = append(about, logs.Field{Name: trace.FieldError, Value: err.Error()})
		case failed:
			about = append(about, logs.Field{Name: trace.FieldError, Value: cmp.Or(out.ErrorType, "Unknown")})
		}
		span.End(failed, about...)
	}
}
