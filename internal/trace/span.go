package trace

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/logs"
)

// Group is the log group of spans.
const Group = "/dropstack/traces"

// Kinds of spans: what a request has passed.
const (
	KindEdge     = "edge"
	KindAPI      = "api"      // of the gateway
	KindFunction = "function" // one invocation
	KindCall     = "call"     // of an operation of the AWS endpoint
)

// Fields of a span's record, besides logs.FieldTrace and logs.FieldDuration. Those
// that a room adds follow them.
const (
	FieldSpan   = "span"
	FieldParent = "parent"
	FieldKind   = "kind"
	FieldName   = "name"
	FieldStatus = "status" // OK or Error
	FieldError  = "error"  // what went wrong
)

// The values of FieldStatus.
const (
	OK    = "ok"
	Error = "error"
)

// Traces records spans, and reads them. Its methods may be called at the same time,
// and those that record on nil, which records nothing.
type Traces struct {
	Logs   logs.Appender
	Reader Reader
	// Readable says whether the caller of ctx may read a log group: the lines of
	// others are withheld from Get.
	Readable func(ctx context.Context, group string) bool

	sampler sampler
}

// Span is something under way. It is one owner's: End is called once.
type Span struct {
	traces     *Traces
	header     Header // with the span as the parent
	parent     string
	kind, name string
	start      time.Time
}

// Begin opens a span of the trace of a header, or of a new one. What the header
// says was checked where it came in; one that is malformed begins a new trace.
func (t *Traces) Begin(header, kind, name string) Span {
	return t.BeginAt(time.Now(), header, kind, name)
}

// BeginAt is Begin for what has begun already.
func (t *Traces) BeginAt(start time.Time, header, kind, name string) Span {
	h, ok := Parse(header)
	if !ok {
		h = Start(start)
	}
	s := Span{traces: t, header: h, parent: h.Parent, kind: kind, name: name, start: start}
	s.header.Parent = newID()
	if h.Sampled == 0 {
		s.header.Sampled = t.decide(start)
	}
	return s
}

// Strange is the header of a client that may be anybody: it decides for its trace to
// be kept only so often; otherwise it is left open.
func (t *Traces) Strange(h Header, at time.Time) Header {
	if h.Sampled == '1' && t != nil && !t.sampler.grant(at) {
		h.Sampled = 0
	}
	return h
}

// decide says whether a trace is kept.
func (t *Traces) decide(at time.Time) byte {
	if t == nil {
		return '0'
	}
	return t.sampler.decide(at)
}

// Carry is the header that a message takes along: that of ctx, or of a new trace,
// which its receivers share then.
func (t *Traces) Carry(ctx context.Context) string {
	if header := From(ctx); header != "" {
		return header
	}
	now := time.Now()
	h := Start(now)
	h.Sampled = t.decide(now)
	return h.String()
}

// Begun says whether the span was opened.
func (s *Span) Begun() bool { return !s.start.IsZero() }

// Header is what is handed on: it names the span as the parent.
func (s *Span) Header() string { return s.header.String() }

// Trace is the ID of the span's trace.
func (s *Span) Trace() string { return s.header.Root }

// Name names what was not known at the beginning.
func (s *Span) Name(name string) { s.name = name }

// Kept says whether the span will be recorded, when it ends as said: who asks
// before it collects what it has to say is spared that for most requests.
func (s *Span) Kept(failed bool) bool {
	return s.traces != nil && (failed || s.header.Sampled == '1' || time.Since(s.start) >= slow)
}

// End closes the span and records it if it is kept. attributes say more about it;
// their names are not those of a span's own fields.
func (s *Span) End(failed bool, attributes ...logs.Field) {
	if !s.Kept(failed) {
		return
	}
	took := time.Since(s.start)
	status := OK
	if failed {
		status = Error
	}
	ms := strconv.FormatFloat(float64(took)/float64(time.Millisecond), 'f', 3, 64)
	fields := make([]logs.Field, 0, 7+len(attributes))
	fields = append(fields,
		logs.Field{Name: logs.FieldTrace, Value: s.header.Root},
		logs.Field{Name: FieldSpan, Value: s.header.Parent},
		logs.Field{Name: FieldKind, Value: s.kind},
		logs.Field{Name: FieldName, Value: s.name},
		logs.Field{Name: FieldStatus, Value: status},
		logs.Field{Name: logs.FieldDuration, Value: ms},
	)
	if s.parent != "" {
		fields = append(fields, logs.Field{Name: FieldParent, Value: s.parent})
	}
	s.traces.Logs.Append(logs.Record{
		Time: s.start, Group: Group, Stream: s.kind,
		Message: strings.Join([]string{s.kind, s.name, status, ms, "ms"}, " "),
		Fields:  append(fields, attributes...),
	})
}
