package instance

import (
	"bytes"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/dropstack/dropstack/internal/logs"
)

const (
	maxLine = 256 << 10
	maxTail = 4 << 10
)

// journal is the log stream of one instance: what its process writes, with the
// request it was working on, and the platform's own lines around it.
type journal struct {
	group, stream string
	to            logs.Appender

	mu      sync.Mutex
	request string
	tail    []byte // of the running invocation
	pipes   []*pipe
	scratch []byte
}

// pipe is one output of the process.
type pipe struct {
	file    *os.File
	raw     syscall.RawConn
	partial []byte // a line without its end yet
	drain   func(fd uintptr)
}

// follow reads an output until its end, in a goroutine of group.
func (j *journal) follow(group *sync.WaitGroup, file *os.File) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	p := &pipe{file: file, raw: raw}
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
			j.line(string(p.partial))
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
		j.line(string(p.partial))
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

// line records one line; the lock is held.
func (j *journal) line(message string) {
	j.to.Append(logs.Record{Time: time.Now(), Group: j.group, Stream: j.stream, Request: j.request, Message: message})
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

// begin opens an invocation.
func (j *journal) begin(request, version string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.drain() // what belongs to the time before
	j.request, j.tail = request, j.tail[:0]
	j.line("START RequestId: " + request + " Version: " + version)
}

// end closes the invocation and returns its last 4 KB. More lines may come
// before END; report makes the last one when all else is recorded.
func (j *journal) end(more []string, report string) []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.drain()
	for _, line := range more {
		j.line(line)
	}
	j.line("END RequestId: " + j.request)
	j.line(report)
	j.request = ""
	return append([]byte(nil), j.tail[max(0, len(j.tail)-maxTail):]...)
}

// note records a line outside of any invocation.
func (j *journal) note(message string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.line(message)
}
