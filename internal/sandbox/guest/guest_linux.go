package guest

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"

	"github.com/dropstack/dropstack/internal/sandbox/kernel"
)

// The program becomes a guest before most of its packages are initialised: of
// those whose imports are, Go takes the one whose path sorts first, and this one
// imports little.
func init() {
	switch {
	case len(os.Args) == 0:
	case os.Args[0] == Name:
		os.Exit(run())
	case os.Args[0] == SpawnerName:
		os.Exit(spawning())
	}
}

// guest is the running first process.
type guest struct {
	plan     *Build
	starts   chan *call
	confined chan error // tells once, when the thread that starts processes is prepared

	outside outside // with Build.Rootless
	inner   int     // the sandbox's mounts, with Build.Rootless

	mu      sync.Mutex // one writer; and a process's start is told before its end
	started *sync.Cond // with mu: there may be children to wait for
}

// call is a request and the descriptors that came with it.
type call struct {
	Request
	fds    []int
	detach func(Mount) (int, error) // nil: Detach
}

// take removes the next descriptor.
func (c *call) take() (int, error) {
	if len(c.fds) == 0 {
		return 0, errors.New("a descriptor is missing")
	}
	fd := c.fds[0]
	c.fds = c.fds[1:]
	return fd, nil
}

// maxFDs is how many descriptors may come with a message: SCM_MAX_FD of the kernel.
const maxFDs = 253

func run() int {
	runtime.LockOSThread()
	// Nobody may look into the first process or trace it: it keeps capabilities.
	_ = kernel.Prctl(kernel.SetDumpable, 0, 0)
	// A function of the same user may signal it, and must not end it.
	if err := kernel.DefaultSignals(); err != nil {
		return 1
	}
	g := &guest{starts: make(chan *call), confined: make(chan error)}
	g.started = sync.NewCond(&g.mu)
	go g.reap()
	buf, oob := make([]byte, MaxMessage), make([]byte, syscall.CmsgSpace(4*maxFDs))
	for {
		c := &call{}
		var over bool
		var err error
		if c.fds, over, err = receive(buf, oob, &c.Request); err != nil {
			return 1
		}
		if over {
			return 0 // the platform let go
		}
		if c.Start != nil {
			g.starts <- c
			continue
		}
		g.answer(c, func(c *call, _ *Reply) ([]int, error) { return g.do(c) })
	}
}

// receive waits for a message and its descriptors. It is over when the other end
// is closed.
func receive(buf, oob []byte, m message) (fds []int, over bool, err error) {
	n, oobn, _, _, err := syscall.Recvmsg(Socket, buf, oob, syscall.MSG_CMSG_CLOEXEC)
	for err == syscall.EINTR {
		n, oobn, _, _, err = syscall.Recvmsg(Socket, buf, oob, syscall.MSG_CMSG_CLOEXEC)
	}
	if err != nil || n == 0 {
		return nil, true, err
	}
	if fds, err = rights(oob[:oobn]); err != nil {
		return nil, false, err
	}
	return fds, false, Decode(buf[:n], m)
}

func rights(oob []byte) (fds []int, err error) {
	if len(oob) == 0 {
		return nil, nil
	}
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		got, err := syscall.ParseUnixRights(&m)
		if err != nil {
			return nil, err
		}
		fds = append(fds, got...)
	}
	return fds, nil
}

// answer does what is asked and replies; descriptors that were not taken and
// those that were sent are closed.
func (g *guest) answer(c *call, do func(*call, *Reply) ([]int, error)) {
	rep := Reply{ID: c.ID}
	g.mu.Lock()
	defer g.mu.Unlock()
	fds, err := do(c, &rep)
	if err != nil {
		rep.Error = err.Error()
		_ = errors.As(err, &rep.Errno)
	}
	if c.ID != 0 {
		g.send(rep, fds)
	}
	closeAll(append(fds, c.fds...))
}

// send writes to the platform; the lock is held. If the platform is gone, the
// next read tells. A process that was started is named by credentials too, which
// the kernel translates: here its number is another than outside.
func (g *guest) send(rep Reply, fds []int) {
	doc := Encode(&rep)
	var oob []byte
	if len(fds) > 0 {
		oob = syscall.UnixRights(fds...)
	}
	who := oob
	if rep.Pid != 0 {
		who = append(oob, syscall.UnixCredentials(&syscall.Ucred{Pid: int32(rep.Pid)})...)
	}
	for {
		switch syscall.Sendmsg(Socket, doc, who, nil, syscall.MSG_NOSIGNAL) {
		case syscall.EINTR:
		case syscall.ESRCH: // it has ended already
			who = oob
		default:
			return
		}
	}
}

func (g *guest) do(c *call) ([]int, error) {
	switch {
	case c.Build != nil:
		return g.build(c)
	case c.Furnish != nil:
		return nil, g.furnish(c)
	case c.Signal != nil:
		pid := -c.Signal.Pid
		if pid == 0 {
			pid = -1 // everybody but ourselves
		}
		return nil, syscall.Kill(pid, c.Signal.Sig)
	case c.Dial != nil:
		fd, err := dial(*c.Dial)
		if err != nil {
			return nil, err
		}
		return []int{fd}, nil
	}
	return nil, errors.New("request " + strconv.Itoa(c.ID) + " asks for nothing")
}

// build makes the network first: the host's files are needed for it.
func (g *guest) build(c *call) (fds []int, err error) {
	b := c.Build
	g.plan = b
	if err := syscall.Sethostname([]byte(b.Host)); err != nil {
		return nil, kernel.Failed("name the host", err)
	}
	if err := loopback(); err != nil {
		return nil, kernel.Failed("switch the loopback device on", err)
	}
	for _, address := range b.Listen {
		fd, err := listen(address)
		if err != nil {
			return fds, kernel.Failed("listen on "+address.String(), err)
		}
		fds = append(fds, fd)
	}
	if b.Rootless != "" {
		more, err := network(b.Rootless)
		if fds = append(fds, more...); err != nil {
			return fds, err
		}
		if g.outside, g.inner, err = stayOutside(); err != nil {
			return fds, err
		}
	}
	if err := g.root(c); err != nil {
		return fds, err
	}
	go g.spawn()
	return fds, <-g.confined
}

func (g *guest) furnish(c *call) error {
	f := c.Furnish
	if err := kernel.ChangeMount("/", 0, kernel.ReadOnly); err != nil {
		return kernel.Failed("open the root", err)
	}
	if g.outside != nil {
		c.detach = g.outside.detach
	}
	for _, m := range f.Mounts {
		if err := attach(c, m, "/"); err != nil {
			return err
		}
	}
	if err := kernel.ChangeMount("/", kernel.ReadOnly, 0); err != nil {
		return kernel.Failed("close the root", err)
	}
	if f.Device != "" {
		return configure(f.Device, f.IP, g.plan.MTU)
	}
	return nil
}

// reap waits for whatever ends, orphans included, and tells.
func (g *guest) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		g.mu.Lock()
		if err == syscall.ECHILD { // unless one was started in between, which may have ended too
			pid, err = syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		}
		switch {
		case err == syscall.ECHILD:
			g.started.Wait()
		case err == nil && pid > 0:
			g.send(Reply{Exit: &Exit{Pid: pid, Status: status}}, nil)
		}
		g.mu.Unlock()
	}
}
