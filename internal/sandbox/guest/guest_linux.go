package guest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// The program becomes a guest before its other packages are initialised: Go
// initialises a package as soon as those that it imports are, and this one
// imports little.
func init() {
	if len(os.Args) > 0 && os.Args[0] == Name {
		os.Exit(run())
	}
}

// guest is the running first process.
type guest struct {
	built  *Build
	starts chan *call

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

func run() int {
	runtime.LockOSThread()
	// Nobody may look into the first process or trace it: it keeps capabilities.
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	// A function of the same user may signal it. Signals are caught and not ignored:
	// what it starts would ignore them too.
	signal.Notify(make(chan os.Signal, 1))
	g := &guest{starts: make(chan *call)}
	g.started = sync.NewCond(&g.mu)
	go g.reap()
	go g.spawn()
	buf, oob := make([]byte, MaxMessage), make([]byte, unix.CmsgSpace(4*64))
	for {
		c, err := receive(buf, oob)
		if err != nil {
			return 1
		}
		if c == nil {
			return 0 // the platform let go
		}
		if c.Start != nil {
			g.starts <- c
			continue
		}
		g.answer(c, func(c *call, _ *Reply) ([]int, error) { return g.do(c) })
	}
}

// receive returns nil at the end.
func receive(buf, oob []byte) (*call, error) {
	n, oobn, _, _, err := unix.Recvmsg(Socket, buf, oob, unix.MSG_CMSG_CLOEXEC)
	for err == unix.EINTR {
		n, oobn, _, _, err = unix.Recvmsg(Socket, buf, oob, unix.MSG_CMSG_CLOEXEC)
	}
	if err != nil || n == 0 {
		return nil, err
	}
	c := &call{}
	if c.fds, err = rights(oob[:oobn]); err != nil {
		return nil, err
	}
	return c, json.Unmarshal(buf[:n], &c.Request)
}

func rights(oob []byte) (fds []int, err error) {
	if len(oob) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		got, err := unix.ParseUnixRights(&m)
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
	for _, fd := range append(fds, c.fds...) {
		unix.Close(fd)
	}
}

// send writes to the platform; the lock is held. If the platform is gone, the
// next read tells.
func (g *guest) send(rep Reply, fds []int) {
	doc, err := json.Marshal(rep)
	if err != nil {
		os.Exit(1) // it holds strings and numbers
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	for {
		if err := unix.Sendmsg(Socket, doc, oob, nil, unix.MSG_NOSIGNAL); err != unix.EINTR {
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
		return nil, unix.Kill(pid, c.Signal.Sig)
	case c.Dial != "":
		fd, err := dial(c.Dial)
		if err != nil {
			return nil, err
		}
		return []int{fd}, nil
	}
	return nil, fmt.Errorf("request %d asks for nothing", c.ID)
}

// build makes the network first: the host's files are needed for it.
func (g *guest) build(c *call) (fds []int, err error) {
	b := c.Build
	g.built = b
	if err := unix.Sethostname([]byte(b.Host)); err != nil {
		return nil, fmt.Errorf("name the host: %w", err)
	}
	if err := up("lo"); err != nil {
		return nil, fmt.Errorf("switch the loopback device on: %w", err)
	}
	for _, address := range b.Listen {
		fd, err := listen(address)
		if err != nil {
			return fds, fmt.Errorf("listen on %s: %w", address, err)
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
	return fds, g.root(c)
}

func (g *guest) furnish(c *call) error {
	f := c.Furnish
	err := unix.MountSetattr(unix.AT_FDCWD, "/", 0, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY})
	if err != nil {
		return fmt.Errorf("open the root: %w", err)
	}
	if g.outside != nil {
		c.detach = g.outside.detach
	}
	for _, m := range f.Mounts {
		if err := attach(c, m, "/"); err != nil {
			return err
		}
	}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return fmt.Errorf("close the root: %w", err)
	}
	if f.Device != "" {
		return configure(f.Device, f.Address, g.built.MTU)
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

// below joins a path of the sandbox to where its root is now.
func below(root, path string) string {
	return strings.TrimSuffix(root, "/") + "/" + strings.TrimPrefix(path, "/")
}
