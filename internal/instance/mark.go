package instance

import (
	"strconv"

	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/trace"
)

// marked are the fields of a line that the platform writes around an invocation:
// by its kind and its trace it is found without looking into the text.
func marked(kind, header string) []logs.Field {
	fields := make([]logs.Field, 1, 8) // a report's fit too
	fields[0] = logs.Field{Name: logs.FieldType, Value: kind}
	if root := trace.Root(header); root != "" {
		fields = append(fields, logs.Field{Name: logs.FieldTrace, Value: root})
	}
	return fields
}

// fields are the report's numbers with the names and in the units of Logs
// Insights: milliseconds, and bytes of which a megabyte has a million.
func (r *report) fields() []logs.Field {
	fields := append(marked("REPORT", r.trace),
		logs.Field{Name: logs.FieldDuration, Value: string(appendMS(nil, r.took))},
		logs.Field{Name: logs.FieldBilled, Value: strconv.FormatInt(r.billed(), 10)},
		logs.Field{Name: logs.FieldMemorySize, Value: strconv.FormatInt(int64(r.memoryMB)*1_000_000, 10)},
		logs.Field{Name: logs.FieldMemoryUsed, Value: strconv.FormatInt(int64(r.maxMemMB)*1_000_000, 10)},
	)
	if r.init > 0 {
		fields = append(fields, logs.Field{Name: logs.FieldInit, Value: string(appendMS(nil, r.init))})
	}
	return fields
}
