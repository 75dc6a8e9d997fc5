package instance

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/dropstack/dropstack/internal/logs"
)

const (
	maxLine = 256 << 10
	maxTail = 4 << 10
)

// journal is the log stream of one instance: what its processes write, with the
// request it was working on, and the platform's own lines around it. The same is
// told to the extensions that subscribed to it.
type journal struct {
	group, stream string
	version       string // of the function
	to            logs.Appender
	json          bool // platform events are JSON, and lines have levels
	least         int  // of the function's lines to keep, with json

	mu        sync.Mutex
	telemetry *telemetry // of the running process; nil: none
	request   string
	tail      []byte // of the running invocation
	pipes     []*pipe
	scratch   []byte
}

// pipe is one output of a process.
type pipe struct {
	file    *os.File
	kind    string // whose: function or extension
	raw     syscall.RawConn
	partial []byte // a line without its end yet
	drain   func(fd uintptr)
}

// follow reads an output until its end, in a goroutine of group.
func (j *journal) follow(group *sync.WaitGroup, file *os.File, kind string) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	p := &pipe{file: file, kind: kind, raw: raw}
	p.drain = func(fd uintptr) {
		for total := 0; total < 256<<10; { // a pipe holds 64 KB; a process may write on
			n := j.read(p, fd)
			if n <= 0 {
				return
			}
			total += n
		}
	}
	j.mu.Lock()
	j.pipes = append(j.pipes, p)
	j.mu.Unlock()
	group.Go(func() {
		_ = raw.Read(func(fd uintptr) (done bool) {
			for {
				j.mu.Lock()
				n := j.read(p, fd)
				j.mu.Unlock()
				if n <= 0 {
					return n == 0
				}
			}
		})
		j.mu.Lock()
		defer j.mu.Unlock()
		j.endLine(p)
		file.Close()
	})
	return nil
}

// read moves what the pipe holds into the log. It returns 0 at the end of the
// output and -1 if nothing is there now. Reading and recording under one lock is
// what lets drain give every line to the right request.
func (j *journal) read(p *pipe, fd uintptr) int {
	if j.scratch == nil {
		j.scratch = make([]byte, 16<<10)
	}
	for {
		n, err := syscall.Read(int(fd), j.scratch)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return -1
		case err != nil || n == 0:
			return 0
		}
		j.split(p, j.scratch[:n])
		return n
	}
}

func (j *journal) split(p *pipe, b []byte) {
	for len(b) > 0 {
		line, rest, ended := bytes.Cut(b, []byte("\n"))
		if room := maxLine - len(p.partial); len(line) > room {
			line, rest, ended = b[:room], b[room:], true
		}
		p.partial = append(p.partial, line...)
		if ended {
			j.written(p.kind, string(p.partial))
			p.partial = p.partial[:0]
		}
		b = rest
	}
	if cap(p.partial) > 64<<10 && len(p.partial) == 0 {
		p.partial = nil
	}
}

func (j *journal) endLine(p *pipe) {
	if len(p.partial) > 0 {
		j.written(p.kind, string(p.partial))
		p.partial = p.partial[:0]
	}
}

// drain records everything that the process has written so far. What it wrote
// before it answered is in the pipes by then.
func (j *journal) drain() {
	for _, p := range j.pipes {
		_ = p.raw.Control(p.drain)
		j.endLine(p)
	}
}

// written records a line of a process; the lock is held.
func (j *journal) written(kind, text string) {
	if j.telemetry.listening() {
		j.telemetry.tell(kind, kind, envelope(time.Now(), kind, j.record(text)))
	}
	if j.json && kind == "function" && levelOf(text) < j.least {
		return
	}
	j.line(text)
}

// record is a line as the Telemetry API has it: with JSON logs, JSON is not
// encoded once more.
func (j *journal) record(text string) any {
	if j.json && strings.HasPrefix(text, "{") && json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return text
}

// line records one line; the lock is held.
func (j *journal) line(message string, fields ...logs.Field) {
	j.to.Append(logs.Record{Time: time.Now(), Group: j.group, Stream: j.stream, Request: j.request, Message: message, Fields: fields})
	if j.request == "" {
		return
	}
	if len(message) > maxTail {
		message = message[len(message)-maxTail:]
	}
	j.tail = append(append(j.tail, message...), '\n')
	if len(j.tail) > 4*maxTail {
		j.tail = append(j.tail[:0], j.tail[len(j.tail)-maxTail:]...)
	}
}

// attach has what happens told to t.
func (j *journal) attach(t *telemetry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.telemetry = t
}

// platform records an event of ours: as a line of text, if it has one, or as
// JSON if it matters enough to be in the log.
func (j *journal) platform(kind string, record any, text string, matters bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.event(kind, record, text, matters)
}

// event is platform with the lock held.
func (j *journal) event(kind string, record any, text string, matters bool, fields ...logs.Field) {
	var body []byte
	if j.json && matters || j.telemetry.listening() {
		body = envelope(time.Now(), kind, record)
		j.telemetry.tell("platform", kind, body)
	}
	switch {
	case j.json && matters:
		j.line(string(body), fields...)
	case !j.json && text != "":
		j.line(text, fields...)
	}
}

// begin opens an invocation.
func (j *journal) begin(request, trace string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.drain() // what belongs to the time before
	j.request, j.tail = request, j.tail[:0]
	line, fields := "START RequestId: "+request+" Version: "+j.version, marked("START", trace)
	if j.json || j.telemetry.listening() {
		j.event("platform.start", invokeStart{request, j.version, traced(trace)}, line, true, fields...)
		return
	}
	j.line(line, fields...)
}

// end closes the invocation and returns its last 4 KB. What went wrong comes
// before END; the report makes the last line when all else is recorded. In JSON
// there is no END, and runtimeDone is worth a line only if something went wrong.
func (j *journal) end(more []string, r *report) []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.drain()
	if len(more) > 0 {
		j.fault(more)
	}
	if j.json {
		if r.status != "success" {
			j.line(string(r.done()))
		}
		j.line(string(r.report()), r.fields()...)
	} else {
		j.line("END RequestId: "+j.request, marked("END", r.trace)...)
		j.line(r.line(), r.fields()...)
	}
	j.request = ""
	return append([]byte(nil), j.tail[max(0, len(j.tail)-maxTail):]...)
}

// fault records what the platform has to say of a failed invocation.
func (j *journal) fault(lines []string) {
	body := envelope(time.Now(), "platform.fault", strings.Join(lines, " "))
	j.telemetry.tell("platform", "platform.fault", body)
	if j.json {
		j.line(string(body))
		return
	}
	for _, line := range lines {
		j.line(line)
	}
}

// closes are the events of an invocation's end, for when they are due; nothing if
// nobody listens.
func (j *journal) closes(r *report) aftermath {
	j.mu.Lock()
	defer j.mu.Unlock()
	t := j.telemetry
	if !t.listening() {
		return aftermath{}
	}
	return aftermath{
		done: func() { t.tell("platform", "platform.runtimeDone", r.done()) },
		report: func() {
			t.tell("platform", "platform.end", envelope(time.Now(), "platform.end", requestEnd{r.id}))
			t.tell("platform", "platform.report", r.report())
		},
	}
}

// note records a line of the platform outside of any event.
func (j *journal) note(message string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.line(message)
}
