package escape

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/sandbox/escape/probe"
)

// surroundings are what the machine has for the probe to find, all of it open to
// everybody on the machine: what keeps the probe away is the sandbox alone.
type surroundings struct {
	probe.Host
	secret  string
	closers []func()
}

func surround(data []string, lasting bool) (s *surroundings, err error) {
	s = &surroundings{secret: secret()}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	s.Pid, s.Shm = os.Getpid(), -1
	if s.Name, err = os.Hostname(); err != nil {
		return s, err
	}
	dir, err := os.MkdirTemp("", "dropstack-host-")
	if err != nil {
		return s, err
	}
	s.later(func() { os.RemoveAll(dir) })
	if err = os.Chmod(dir, 0o755); err != nil {
		return s, err
	}
	s.File, s.Data = filepath.Join(dir, "secret"), append([]string{dir}, data...)
	if err = os.WriteFile(s.File, []byte(s.secret), 0o644); err != nil {
		return s, err
	}
	if err = s.listen(dir); err != nil {
		return s, err
	}
	s.share(lasting)
	return s, nil
}

func (s *surroundings) later(f func()) { s.closers = append(s.closers, f) }

func (s *surroundings) close() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		s.closers[i]()
	}
}

// listen opens a port, an address and two sockets by name. A connection counts as
// soon as the kernel makes it: nobody has to accept it.
func (s *surroundings) listen(dir string) error {
	open := func(network, address string) (net.Listener, error) {
		l, err := net.Listen(network, address)
		if err == nil {
			s.later(func() { l.Close() })
		}
		return l, err
	}
	l, err := open("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.Port = l.Addr().(*net.TCPAddr).Port
	if own := ownAddress(); own != "" {
		if l, err := open("tcp4", net.JoinHostPort(own, "0")); err == nil { // a machine without a network is none of our business
			s.Address = l.Addr().String()
		}
	}
	s.Abstract = "dropstack-escape-" + rand.Text()
	if _, err := open("unix", "@"+s.Abstract); err != nil {
		return err
	}
	s.Socket = filepath.Join(dir, "socket")
	if _, err := open("unix", s.Socket); err != nil {
		return err
	}
	return os.Chmod(s.Socket, 0o777)
}

// ownAddress is one of the machine's that is not of its loopback device.
func ownAddress() string {
	list, _ := net.InterfaceAddrs()
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	return ""
}

// share makes objects of System V and POSIX. What this kernel does not have is
// nothing to attack either. They outlive a process that is killed, so that the
// platform makes none but a segment that is on its way out already, whose number
// leads to it until we end.
func (s *surroundings) share(lasting bool) {
	if !lasting {
		if id, err := unix.SysvShmGet(unix.IPC_PRIVATE, 4096, unix.IPC_CREAT|0o666); err == nil {
			if mem, err := unix.SysvShmAttach(id, 0, 0); err == nil {
				s.Shm = id
				s.later(func() { _ = unix.SysvShmDetach(mem) })
			}
			_, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil)
		}
		return
	}
	var b [4]byte
	_, _ = io.ReadFull(rand.Reader, b[:])
	key := int(binary.LittleEndian.Uint32(b[:])&0x7fffffff | 1)
	flags := unix.IPC_CREAT | unix.IPC_EXCL | 0o666
	id, err := unix.SysvShmGet(key, 4096, flags)
	if err != nil {
		return
	}
	s.Key, s.Shm = key, id
	s.later(func() { _, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil) })
	if id, _, errno := unix.Syscall(unix.SYS_MSGGET, uintptr(key), uintptr(flags), 0); errno == 0 {
		s.later(func() { _, _, _ = unix.Syscall(unix.SYS_MSGCTL, id, unix.IPC_RMID, 0) })
	}
	if id, _, errno := unix.Syscall(unix.SYS_SEMGET, uintptr(key), 1, uintptr(flags)); errno == 0 {
		s.later(func() { _, _, _ = unix.Syscall(unix.SYS_SEMCTL, id, 0, unix.IPC_RMID) })
	}
	name := "dropstack-escape-" + rand.Text()
	if err := queue(name); err == nil {
		s.Queue = name
		s.later(func() {
			if p, err := unix.BytePtrFromString(name); err == nil {
				_, _, _ = unix.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(p)), 0, 0)
			}
		})
	}
}

// queue makes a POSIX message queue that everybody may use.
func queue(name string) error {
	p, err := unix.BytePtrFromString(name)
	if err != nil {
		return err
	}
	fd, _, errno := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(p)), unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o666, 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("mq_open: %w", errno)
	}
	return unix.Close(int(fd))
}
