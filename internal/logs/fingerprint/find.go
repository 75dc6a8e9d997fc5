package fingerprint

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/logs"
)

// functionGroup begins the names of functions' groups.
const functionGroup = "/aws/lambda/"

// Finder finds errors in the records of functions. What belongs to one error may come
// in several lines, so records of a stream have to come in their order.
type Finder struct {
	streams map[string]*state // by group and stream
}

// state is what is known of a stream's last lines.
type state struct {
	open     *Occurrence // whose stack may go on
	goStack  bool        // that of Go: frames in two lines
	label    string      // first line of such a frame
	request  string      // in which an error was found already
	reported bool
}

// maxStates bounds the streams that are remembered.
const maxStates = 2000

// Find takes a record in, and returns the errors that are complete by it.
func (f *Finder) Find(r *logs.Record) []Occurrence {
	function, ok := strings.CutPrefix(r.Group, functionGroup)
	if !ok {
		return nil
	}
	key := r.Group + "\x00" + r.Stream
	s := f.streams[key]
	if s == nil {
		if !suspicious(r.Message) {
			return nil
		}
		if f.streams == nil || len(f.streams) >= maxStates {
			f.streams = map[string]*state{} // errors half told lose the rest of their stacks
		}
		s = &state{}
		f.streams[key] = s
	}
	var done []Occurrence
	if s.open != nil && s.goesOn(r) {
		return nil
	}
	if s.open != nil {
		done = append(done, *s.open)
		s.open = nil
	}
	if isEnd(r) {
		delete(f.streams, key)
		return done
	}
	o, more, ok := read(r)
	switch {
	case !ok:
	case o.platform && s.reported && s.request == r.Request: // the function has said why itself
	default:
		o.Function, o.Version, o.Time = function, version(r.Stream), r.Time
		o.Request, o.Group, o.Stream = r.Request, r.Group, r.Stream
		s.request, s.reported = r.Request, true
		if !more {
			done = append(done, o.Occurrence)
			break
		}
		s.open, s.goStack, s.label = &o.Occurrence, o.goStack, ""
	}
	if s.open == nil && !s.reported {
		delete(f.streams, key)
	}
	return done
}

// Flush returns what may still go on.
func (f *Finder) Flush() (done []Occurrence) {
	for _, s := range f.streams {
		if s.open != nil {
			done = append(done, *s.open)
			s.open = nil
		}
	}
	return done
}

// isEnd says whether nothing of an invocation comes any more.
func isEnd(r *logs.Record) bool {
	for _, field := range r.Fields {
		if field.Name == logs.FieldType {
			return field.Value == "REPORT"
		}
	}
	return strings.HasPrefix(r.Message, "REPORT RequestId: ")
}

// suspicious says whether a line may be of an error; it is asked for every line.
func suspicious(message string) bool {
	return strings.Contains(message, "rror") || strings.Contains(message, "ERROR") || strings.HasPrefix(message, "panic: ") ||
		strings.HasPrefix(message, "fatal") || strings.Contains(message, `"fatal"`) || strings.Contains(message, "FATAL") ||
		strings.Contains(message, "CRITICAL") || strings.Contains(message, "Task timed out")
}

var goLabel = regexp.MustCompile(`^[\w./*()\[\]·-]+\(.*\)$|^created by `)

// goesOn takes a line that is of the open error's stack.
func (s *state) goesOn(r *logs.Record) bool {
	o, text := s.open, r.Message
	if r.Request != o.Request {
		return false
	}
	if !s.goStack {
		if !strings.HasPrefix(strings.TrimLeft(text, " \t"), "at ") || text == strings.TrimLeft(text, " \t") {
			return false
		}
		o.Stack = append(o.Stack, strings.TrimSpace(text))
		return true
	}
	switch {
	case text == "", strings.HasPrefix(text, "goroutine "), strings.HasPrefix(text, "[signal "), strings.HasPrefix(text, "exit status "), strings.HasPrefix(text, "panic: "), strings.HasPrefix(text, "\tpanic: "):
		return true
	case strings.HasPrefix(text, "\t") && s.label != "":
		if m := goPlace.FindStringSubmatch(text); m != nil && len(o.Stack) < maxStack {
			o.Stack = append(o.Stack, m[1]+":"+m[2]+" "+s.label)
		}
		s.label = ""
		return true
	case goLabel.MatchString(text):
		s.label, _, _ = strings.Cut(strings.TrimPrefix(text, "created by "), "(0x")
		s.label = strings.TrimSuffix(s.label, "()")
		if i := strings.LastIndex(s.label, "({"); i > 0 {
			s.label = s.label[:i]
		}
		if i := strings.LastIndex(s.label, "(..."); i > 0 {
			s.label = s.label[:i]
		}
		return true
	}
	return false
}

var goPlace = regexp.MustCompile(`^\t(\S+\.go):(\d+)`)

// version is that in a stream's name, YYYY/MM/DD/[VERSION]<hex>.
func version(stream string) string {
	_, rest, _ := strings.Cut(stream, "[")
	v, _, _ := strings.Cut(rest, "]")
	return v
}

// reading is an error as a line tells it.
type reading struct {
	Occurrence
	platform bool // it is the platform that says so
	goStack  bool
}

var (
	nodeLine  = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T[0-9:.]+Z\t(?:[0-9a-zA-Z-]+|undefined)\t(ERROR|FATAL)\t(?s:(.*))$`)
	goLogLine = regexp.MustCompile(`^\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2}(?:\.\d+)? (\{.*\})$`)
	timedOut  = regexp.MustCompile(`Task timed out after [0-9.]+ seconds$`)
	exited    = regexp.MustCompile(`^RequestId: \S+ Error: (.+)$`)
	typed     = regexp.MustCompile(`^(?:Uncaught )?([A-Za-z_$][\w$.]*(?:Error|Exception|Rejection|Fault)?)(?: \[\w+\])?: (?s:(.*))$`)
	bracketed = regexp.MustCompile(`^\[(ERROR|CRITICAL|FATAL)\]\t?\s*(?s:(.*))$`)
)

// read reads a line. more says that lines of its stack may follow.
func read(r *logs.Record) (o reading, more, ok bool) {
	text := r.Message
	if !suspicious(text) {
		return o, false, false
	}
	if strings.HasPrefix(text, "{") {
		return readJSON([]byte(text))
	}
	if m := goLogLine.FindStringSubmatch(text); m != nil {
		return readJSON([]byte(m[1]))
	}
	if m := nodeLine.FindStringSubmatch(text); m != nil {
		return readNode(m[2])
	}
	if message, is := strings.CutPrefix(text, "panic: "); is {
		o.Type, o.Message, o.goStack = "panic", message, true
		if strings.HasPrefix(message, "runtime error: ") {
			o.Type = "runtime.Error"
		}
		return o, true, true
	}
	if message, is := strings.CutPrefix(text, "fatal error: "); is {
		o.Type, o.Message, o.goStack = "fatal error", message, true
		return o, true, true
	}
	if m := bracketed.FindStringSubmatch(text); m != nil { // Python's
		o.Type, o.Message = kindOf(m[2])
		return o, false, true
	}
	switch m := exited.FindStringSubmatch(text); {
	case timedOut.MatchString(text):
		o.Type, o.Message, o.platform = "Sandbox.Timedout", timedOut.FindString(text), true
	case m != nil:
		o.Type, o.Message, o.platform = "Runtime.ExitError", m[1], true
	default:
		return o, false, false
	}
	return o, false, true
}

// readNode reads what the Node client prints of console.error: an error that it has
// caught as JSON behind a tab, or whatever the function printed.
func readNode(text string) (o reading, more, ok bool) {
	if at := strings.Index(text, "\t{"); at >= 0 {
		if o, _, ok := readJSON([]byte(text[at+1:])); ok {
			return o, false, true
		}
	}
	lines := strings.FieldsFunc(text, func(c rune) bool { return c == '\r' || c == '\n' })
	if len(lines) == 0 {
		return o, false, false
	}
	o.Type, o.Message = kindOf(lines[0])
	for _, l := range lines[1:] {
		if l = strings.TrimSpace(l); strings.HasPrefix(l, "at ") {
			o.Stack = append(o.Stack, l)
		}
	}
	return o, len(o.Stack) == 0, true
}

// kindOf parts "TypeError: x is not a function" in two. What has no type is an error.
func kindOf(line string) (kind, message string) {
	line, _, _ = strings.Cut(line, "\r")
	line, _, _ = strings.Cut(line, "\n")
	if m := typed.FindStringSubmatch(strings.TrimSpace(line)); m != nil && strings.ContainsAny(m[1], "EFRe") {
		return m[1], m[2]
	}
	return "", strings.TrimSpace(line)
}

// document is what is looked for in a line of JSON; loggers have several names for one
// thing.
type document struct {
	Level      string          `json:"level"`
	Severity   string          `json:"severity"`
	ErrorType  string          `json:"errorType"`
	ErrorMsg   string          `json:"errorMessage"`
	StackTrace json.RawMessage `json:"stackTrace"`
	Trace      json.RawMessage `json:"trace"`
	Stack      json.RawMessage `json:"stack"`
	Message    json.RawMessage `json:"message"`
	Msg        string          `json:"msg"`
	Error      json.RawMessage `json:"error"`
	Err        json.RawMessage `json:"err"`
	Type       string          `json:"type"`
	Record     json.RawMessage `json:"record"`
}

func readJSON(text []byte) (o reading, more, ok bool) {
	var d document
	if json.Unmarshal(text, &d) != nil {
		return o, false, false
	}
	if d.Type == "platform.fault" {
		return readFault(d.Record)
	}
	if strings.HasPrefix(d.Type, "platform.") {
		return o, false, false
	}
	if d.ErrorType != "" || d.ErrorMsg != "" {
		o.Type, o.Message = d.ErrorType, d.ErrorMsg
		o.Stack = stackOf(d.StackTrace, d.Trace, d.Stack)
		return o, false, true
	}
	level := strings.ToUpper(d.Level + d.Severity)
	if level != "ERROR" && level != "FATAL" && level != "CRITICAL" && level != "PANIC" {
		return o, false, false
	}
	if len(d.Message) > 0 && d.Message[0] == '{' { // the Node client's, of an error
		if inner, _, ok := readJSON(d.Message); ok {
			return inner, false, true
		}
	}
	o.Message = plain(d.Message)
	if o.Message == "" {
		o.Message = d.Msg
	}
	for _, e := range []json.RawMessage{d.Error, d.Err} {
		if len(e) > 0 && e[0] == '{' {
			var inner struct {
				Type, Name, Message, Stack string
			}
			if json.Unmarshal(e, &inner) == nil {
				o.Type = inner.Type + inner.Name
				o.Message += ": " + inner.Message
				o.Stack = stackOf(json.RawMessage(strconv.Quote(inner.Stack)))
			}
		} else if text := plain(e); text != "" {
			o.Message += ": " + text
		}
	}
	if o.Stack == nil {
		o.Stack = stackOf(d.StackTrace, d.Stack)
	}
	return o, false, o.Message != ""
}

func readFault(record json.RawMessage) (o reading, more, ok bool) {
	text := plain(record)
	o.platform = true
	if m := timedOut.FindString(text); m != "" {
		o.Type, o.Message = "Sandbox.Timedout", m
		return o, false, true
	}
	m := exited.FindStringSubmatch(text)
	if m == nil {
		return o, false, false
	}
	o.Type, o.Message = "Runtime.ExitError", strings.TrimSuffix(m[1], " Runtime.ExitError")
	return o, false, true
}

// plain is a string in JSON, or "".
func plain(v json.RawMessage) string {
	var s string
	if json.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
}

// stackOf reads a stack: a list of lines, one text with lines, or the list of frames
// that the Go client makes.
func stackOf(candidates ...json.RawMessage) (list []string) {
	for _, v := range candidates {
		var lines []string
		var text string
		var frames []struct {
			Path  string
			Line  int
			Label string
		}
		switch {
		case len(v) == 0:
			continue
		case json.Unmarshal(v, &frames) == nil:
			for _, f := range frames {
				list = append(list, f.Path+":"+strconv.Itoa(f.Line)+" "+f.Label)
			}
			return list
		case json.Unmarshal(v, &text) == nil:
			lines = strings.Split(text, "\n")
		case json.Unmarshal(v, &lines) != nil:
			continue
		}
		for _, l := range lines {
			if l = strings.TrimSpace(l); strings.HasPrefix(l, "at ") || goFrame.MatchString(l) {
				list = append(list, l)
			}
		}
		if list != nil {
			return list
		}
	}
	return nil
}
