package sandbox

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/sandbox/guest"
)

// visitor is the platform's side of a sandbox's first process.
type visitor struct {
	process *handle
	conn    *net.UnixConn
	starved func() bool // whether the kernel killed something in the sandbox for its memory

	mu      sync.Mutex
	lastID  int
	waiting map[int]chan answered
	procs   map[int]*Process // by process id inside
	over    bool

	gone chan struct{} // closed when it is reaped and all its processes are told
}

type answered struct {
	guest.Reply
	files []*os.File
	who   int      // the process that was started, on this machine; or the guest
	proc  *Process // that a start started
}

var errGone = errors.New("the sandbox is gone")

// visit takes the platform's end of the socket over.
func visit(process *handle, socket *os.File, starved func() bool) (*visitor, error) {
	// Who speaks is told with what is said: it names processes that were started.
	err := unix.SetsockoptInt(int(socket.Fd()), unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	var conn net.Conn
	if err == nil {
		conn, err = net.FileConn(socket)
	}
	socket.Close()
	if err != nil {
		return nil, err
	}
	v := &visitor{
		process: process, conn: conn.(*net.UnixConn), starved: starved,
		waiting: map[int]chan answered{}, procs: map[int]*Process{}, gone: make(chan struct{}),
	}
	go v.listen()
	return v, nil
}

// ask sends a request with descriptors, which stay the caller's, and returns the
// answer and its descriptors.
func (v *visitor) ask(r guest.Request, fds []int) (answered, error) {
	ch := make(chan answered, 1)
	v.mu.Lock()
	v.lastID++
	r.ID = v.lastID
	if v.over {
		v.mu.Unlock()
		return answered{}, errGone
	}
	v.waiting[r.ID] = ch
	err := v.send(r, fds)
	v.mu.Unlock()
	if err != nil {
		return answered{}, err
	}
	a, ok := <-ch
	if !ok {
		return answered{}, errGone
	}
	if a.Error == "" {
		return a, nil
	}
	closeAll(a.files)
	if a.Errno != 0 {
		return answered{}, &refusal{a.Error, a.Errno}
	}
	return answered{}, errors.New(a.Error)
}

// refusal is an error of the guest's kernel calls.
type refusal struct {
	text  string
	errno syscall.Errno
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.errno }

// signal signals a process and its group. One that is gone hears nothing.
func (v *visitor) signal(pid int, sig syscall.Signal) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.procs[pid] != nil {
		_ = v.send(guest.Request{Signal: &guest.Signal{Pid: pid, Sig: sig}}, nil)
	}
}

// signalAll signals everybody in the sandbox but its first process.
func (v *visitor) signalAll(sig syscall.Signal) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.over {
		_ = v.send(guest.Request{Signal: &guest.Signal{Sig: sig}}, nil)
	}
}

// send writes a request; the lock is held.
func (v *visitor) send(r guest.Request, fds []int) error {
	doc := guest.Encode(&r)
	if len(doc) > guest.MaxMessage {
		return fmt.Errorf("arguments and environment of %d bytes are too much for a process", len(doc))
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	if _, _, err := v.conn.WriteMsgUnix(doc, oob, nil); err != nil {
		return fmt.Errorf("talk to the sandbox: %w", err)
	}
	return nil
}

// listen hears what the guest says, until it is gone.
func (v *visitor) listen() {
	buf, oob := make([]byte, 16<<10), make([]byte, unix.CmsgSpace(4*16)+unix.CmsgSpace(unix.SizeofUcred))
	for {
		n, oobn, _, _, err := v.conn.ReadMsgUnix(buf, oob)
		if err != nil || n == 0 {
			break
		}
		a := answered{files: files(oob[:oobn]), who: speaker(oob[:oobn])}
		if err := guest.Decode(buf[:n], &a.Reply); err != nil {
			closeAll(a.files)
			break
		}
		v.heard(a)
	}
	v.conn.Close()
	v.process.kill()
	v.process.wait()
	v.process.fd.Close()
	v.mu.Lock()
	v.over = true
	for _, ch := range v.waiting {
		close(ch)
	}
	v.waiting = nil
	procs := v.procs
	v.procs = nil
	v.mu.Unlock()
	for _, p := range procs {
		v.ends(p, Exit{Status: "signal: killed", Code: -1})
	}
	close(v.gone)
}

func (v *visitor) heard(a answered) {
	v.mu.Lock()
	if e := a.Exit; e != nil {
		p := v.procs[e.Pid]
		delete(v.procs, e.Pid)
		v.mu.Unlock()
		if p != nil { // an orphan's end is nobody's business
			v.ends(p, exitOf(e.Status))
		}
		return
	}
	ch := v.waiting[a.ID]
	delete(v.waiting, a.ID)
	if ch != nil && a.Pid != 0 { // its end may be the next thing we hear
		a.proc = &Process{guest: v, inner: a.Pid, done: make(chan struct{})}
		if a.who != v.process.pid { // it has not ended at once
			a.proc.Pid = a.who
		}
		v.procs[a.Pid] = a.proc
	}
	v.mu.Unlock()
	if ch != nil {
		ch <- a
	} else {
		closeAll(a.files)
	}
}

func (v *visitor) ends(p *Process, exit Exit) {
	if exit.Status == "signal: killed" && v.starved() {
		p.oom.Store(true)
	}
	p.ends(exit)
}

func exitOf(status syscall.WaitStatus) Exit {
	if status.Signaled() {
		text := "signal: " + status.Signal().String()
		if status.CoreDump() {
			text += " (core dumped)"
		}
		return Exit{Status: text, Code: -1}
	}
	return Exit{Status: fmt.Sprintf("exit status %d", status.ExitStatus()), Code: status.ExitStatus()}
}

func files(oob []byte) (list []*os.File) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			list = append(list, os.NewFile(uintptr(fd), "from the sandbox"))
		}
	}
	return list
}

func closeAll[T io.Closer](list []T) {
	for _, c := range list {
		c.Close()
	}
}

// speaker is the process that a message came from, or that it names.
func speaker(oob []byte) int {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0
	}
	for i := range messages {
		if who, err := unix.ParseUnixCredentials(&messages[i]); err == nil {
			return int(who.Pid)
		}
	}
	return 0
}
