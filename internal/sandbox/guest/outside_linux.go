package guest

import (
	"runtime"
	"syscall"

	"github.com/dropstack/dropstack/internal/sandbox/kernel"
)

// outside is a thread that stays in the mount namespace in which the guest was
// started, while the others are in the sandbox's. A platform without root cannot
// hand mounts over: this thread opens what is to be brought in later.
//
//	outside: the machine's files, as the platform's user sees them
//	   └ detached mount ─▶ main thread: the sandbox's files ─▶ move_mount
//
// No process of the function can reach it: its files in /proc are those of a
// process that is not dumpable.
type outside chan order

type order struct {
	mount    Mount
	answered chan opened
}

type opened struct {
	fd  int
	err error
}

// stayOutside leaves a thread behind and moves the calling one, which must be
// locked to its goroutine, into a mount namespace of its own. inner is that one.
func stayOutside() (o outside, inner int, err error) {
	o = make(outside)
	ready := make(chan error)
	go func() {
		runtime.LockOSThread()
		ready <- syscall.Unshare(syscall.CLONE_FS)
		for a := range o {
			fd, err := Detach(a.mount)
			a.answered <- opened{fd, err}
		}
	}()
	if err := <-ready; err != nil {
		return nil, 0, kernel.Failed("keep a view of the machine's files", err)
	}
	if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
		return nil, 0, kernel.Failed("leave the machine's mounts", err)
	}
	inner, err = syscall.Open("/proc/thread-self/ns/mnt", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, 0, kernel.Failed("open the sandbox's mounts", err)
	}
	return o, inner, nil
}

func (o outside) detach(m Mount) (int, error) {
	a := order{m, make(chan opened, 1)}
	o <- a
	got := <-a.answered
	return got.fd, got.err
}

// enterMounts moves the calling thread into a mount namespace.
func enterMounts(namespace int) error {
	err := syscall.Unshare(syscall.CLONE_FS)
	if err == nil {
		err = kernel.Join(namespace, syscall.CLONE_NEWNS)
	}
	if err != nil {
		return kernel.Failed("enter the sandbox's mounts", err)
	}
	return nil
}

// network hands the sandbox's network namespace over, and a device in it.
func network(device string) (fds []int, err error) {
	namespace, err := syscall.Open("/proc/thread-self/ns/net", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, kernel.Failed("open the sandbox's network", err)
	}
	fds = append(fds, namespace)
	tun, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		return fds, kernel.Failed("open /dev/net/tun", err)
	}
	return append(fds, tun), kernel.TUN(tun, device)
}
