package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/sandbox/cgroup"
	"github.com/dropstack/dropstack/internal/sandbox/guest"
	"github.com/dropstack/dropstack/internal/sandbox/kernel"
	"github.com/dropstack/dropstack/internal/sandbox/volume"
)

// inside is what a box of a level with namespaces has besides.
type inside struct {
	maker     *Maker
	first     int // of its ids
	group     *cgroup.Group
	visitor   *visitor
	tun       *os.File // of its device; nil: it has none
	noTUN     error    // why not
	namespace *os.File // its network
	detach    func() error
	leave     func()
	tmp       *volume.Volume // its temporary files; nil: they are in Box.Tmp
	writable  []string       // of what is mounted so far
	closing   sync.Once
}

// device is the name of a sandbox's network device.
const device = "eth0"

// build has the guest build the sandbox, and takes what it answers with.
func (in *inside) build(b *Box) (err error) {
	plan := in.maker.plan
	plan.Mounts = append(slices.Clone(plan.Mounts), in.temporary(b.Tmp))
	fds, done, err := in.detached(plan.Mounts)
	if err != nil {
		return err
	}
	a, err := in.visitor.ask(guest.Request{Build: &plan}, fds)
	done()
	if err != nil {
		return err
	}
	files := a.files
	defer func() { closeAll(files) }()
	want := len(plan.Listen)
	if in.maker.rootless() {
		want += 2
	}
	if len(files) != want {
		return errors.New("a listener or the network is missing")
	}
	for i, l := range in.maker.doors(b) {
		if *l.to, err = net.FileListener(files[i]); err != nil {
			return err
		}
	}
	if len(in.maker.Authority) > 0 {
		b.Authority = AuthorityFile
	}
	if in.maker.rootless() {
		in.namespace, in.tun = files[want-2], files[want-1]
		files = files[:want-2]
	}
	return nil
}

// reach opens the network namespace of the guest and makes its device. Without root
// the guest does both.
func (in *inside) reach() (err error) {
	if in.maker.rootless() {
		return nil
	}
	if in.namespace, err = os.Open("/proc/" + strconv.Itoa(in.visitor.process.pid) + "/ns/net"); err != nil {
		return err
	}
	if in.tun, err = tunIn(in.namespace); err != nil {
		in.noTUN = err // told to whoever wants a network
	}
	return nil
}

// temporary makes a directory for temporary files.
func (m *Maker) temporary(first int) (dir string, err error) {
	if dir, err = os.MkdirTemp(m.TempDir, "dropstack-"); err != nil || os.Geteuid() != 0 {
		return dir, err
	}
	owner := first + functionID
	if m.rootless() {
		owner = m.user()
	}
	return dir, os.Chown(dir, owner, owner)
}

// detached opens what is to be mounted: the guest has no way to the host's files.
func (in *inside) detached(mounts []guest.Mount) (fds []int, done func(), err error) {
	done = func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
	if in.maker.rootless() { // its first process sees them
		return nil, done, nil
	}
	for i, m := range mounts {
		fd, err := in.open(m)
		if err != nil {
			done()
			return nil, nil, err
		}
		fds = append(fds, fd)
		mounts[i].From = ""
	}
	return fds, done, nil
}

// tunIn makes a device in a network namespace, from a thread that goes there and
// comes back: a device belongs to the namespace in which it is opened.
func tunIn(namespace *os.File) (*os.File, error) {
	type made struct {
		file *os.File
		err  error
	}
	ch := make(chan made)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			runtime.UnlockOSThread()
			ch <- made{nil, err}
			return
		}
		defer home.Close()
		var m made
		if m.err = unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); m.err == nil {
			m.file, m.err = openTUN()
			if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
				runtime.UnlockOSThread() // otherwise the thread ends with the goroutine
			}
		}
		ch <- m
	}()
	m := <-ch
	return m.file, m.err
}

func openTUN() (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	if err := kernel.TUN(fd, device); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), device), nil
}

func (in *inside) furnish(f Furniture) error {
	if f.Network.Leave != nil {
		in.leave = f.Network.Leave
	}
	limits := cgroup.Limits{Pids: cgroup.PidsMax}
	if f.MemoryMB > 0 {
		// Less than one processor would stall a start that Lambda boosts.
		limits.CPUs, limits.Memory = max(1, cgroup.CPUsFor(f.MemoryMB)), int64(f.MemoryMB+overheadMB)<<20
	}
	if in.group != nil {
		if err := in.group.Limit(limits); err != nil {
			return fmt.Errorf("limit the sandbox: %w", err)
		}
	}
	ask := guest.Furnish{}
	in.writable = []string{"/tmp", "/dev", "/mnt"}
	for _, m := range f.Mounts {
		ask.Mounts = append(ask.Mounts, guest.Mount{From: m.Source, To: m.Path, Write: m.Write, Exec: true})
		if m.Write {
			in.writable = append(in.writable, m.Path)
		}
	}
	switch {
	case f.Network.Attach == nil:
	case f.Network.Own:
		if in.tun != nil {
			in.tun.Close() // and with it goes the device
			in.tun = nil
		}
	case in.tun == nil:
		return fmt.Errorf("join the network: %w", in.noTUN)
	default:
		ask.Device, ask.IP = device, f.Network.Address.As4()
	}
	if err := in.own(f.Mounts); err != nil {
		return err
	}
	if in.tmp != nil && f.StorageMB > StorageMB {
		if err := in.enlarge(f.StorageMB); err != nil {
			return err
		}
		ask.Mounts = append(ask.Mounts, in.temporary(""))
	}
	fds, done, err := in.detached(ask.Mounts)
	if err != nil {
		return err
	}
	defer done()
	for i, m := range f.Mounts {
		if m.Owner != "" && !in.maker.rootless() {
			if err := in.translate(fds[i], m); err != nil {
				return err
			}
		}
	}
	if _, err := in.visitor.ask(guest.Request{Furnish: &ask}, fds); err != nil {
		return fmt.Errorf("furnish the sandbox: %w", err)
	}
	if f.Network.Attach != nil {
		if in.detach, err = f.Network.Attach(context.Background(), in.tun, in.namespace); err != nil {
			return fmt.Errorf("join the network: %w", err)
		}
	}
	return nil
}

// overheadMB is what a sandbox itself may take of its limit: the first process
// and the root.
const overheadMB = 8

func (in *inside) start(s Spec) (*Process, error) {
	outR, outW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		closeAll([]*os.File{outR, outW})
		return nil, err
	}
	ask := guest.Start{
		Path: s.Path, Args: append([]string{s.Path}, s.Args...), Env: s.Env, Dir: s.Dir,
		Write: in.writable, UID: functionID, GID: functionID,
	}
	if in.maker.rootless() {
		ask.UID, ask.GID = 0, 0 // there is no other
	}
	if in.tmp == nil {
		ask.FileSize = int(s.fileLimit())
	}
	a, err := in.visitor.ask(guest.Request{Start: &ask}, []int{int(outW.Fd()), int(errW.Fd())})
	closeAll([]*os.File{outW, errW})
	if err != nil {
		closeAll([]*os.File{outR, errR})
		if errors.Is(err, errGone) {
			return nil, err
		}
		return nil, fmt.Errorf("fork/exec %s: %w", s.Path, cause(err))
	}
	p := a.proc
	p.Stdout, p.Stderr = outR, errR
	p.memoryMB.Store(int64(s.MemoryMB))
	p.storageMB.Store(int64(s.StorageMB))
	if in.tmp == nil {
		p.tmp = s.tmp
	}
	if p.counted = in.maker.limits(cgroup.Memory); !p.counted || p.tmp != "" {
		watch(p)
		select {
		case <-p.done:
			unwatch(p)
		default:
		}
	}
	return p, nil
}

// starved reports whether the sandbox's memory limit has killed something.
func (in *inside) starved() bool {
	if in.group == nil {
		return false
	}
	n, ok := in.group.OOMKills()
	return ok && n > 0
}

// cause is the kernel's error, if there is one, in Go's words.
func cause(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

func (in *inside) dial(address string) (net.Conn, error) {
	at, err := insideAt(address)
	if err != nil {
		return nil, err
	}
	a, err := in.visitor.ask(guest.Request{Dial: &at}, nil)
	if err != nil {
		return nil, err
	}
	defer closeAll(a.files)
	if len(a.files) != 1 {
		return nil, errors.New("the sandbox answers without a connection")
	}
	return net.FileConn(a.files[0])
}

// halt freezes or thaws by the control group, of version 2: in version 1 frozen
// processes would outlive a platform that is killed. Otherwise everybody inside gets
// the signal that cannot be caught.
func (in *inside) halt(halt bool) {
	if in.maker.freezes() {
		if err := in.group.Halt(halt); err != nil { // it goes on, or is as good as dead
			in.maker.Log.Error("a control group neither freezes nor thaws", "freeze", halt, "err", err)
		}
		return
	}
	in.visitor.signalAll(map[bool]syscall.Signal{true: unix.SIGSTOP, false: unix.SIGCONT}[halt])
}

func (in *inside) close(tmp string) { in.closing.Do(func() { in.end(tmp) }) }

func (in *inside) end(tmp string) {
	if in.visitor != nil {
		in.visitor.process.kill()
	}
	if in.tmp != nil {
		if err := in.tmp.Discard(); err != nil { // it goes all the same, only later
			in.maker.Log.Warn("temporary files are written to the disk before they are thrown away", "err", err)
		}
	}
	in.maker.mu.Lock()
	defer in.maker.mu.Unlock()
	in.maker.work.Go(func() { in.sweep(tmp) })
}

// sweep removes what takes the kernel its time. The ids are given away again when
// no file can be left that is theirs.
func (in *inside) sweep(tmp string) {
	left := 0
	if in.visitor != nil {
		<-in.visitor.gone
	}
	if in.detach != nil {
		if err := in.detach(); err != nil {
			in.maker.Log.Warn("a sandbox does not leave its network", "err", err)
			left++
		}
	}
	if in.leave != nil {
		in.leave()
	}
	if in.tmp != nil {
		in.maker.throw(in.tmp)
	}
	for _, f := range []*os.File{in.tun, in.namespace} {
		if f != nil {
			f.Close()
		}
	}
	if tmp != "" {
		if err := remove(tmp); err != nil {
			in.maker.Log.Warn("files of a sandbox stay", "dir", filepath.Base(tmp), "err", err)
			left++
		}
	}
	if in.group != nil {
		if err := in.group.Remove(); err != nil {
			in.maker.Log.Warn("a control group of a sandbox stays", "err", err)
			left++
		}
	}
	if left == 0 {
		in.maker.giveBack(in.first)
	}
	in.maker.mu.Lock()
	in.maker.left += left
	in.maker.mu.Unlock()
}
