package sandbox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/sandbox/guest"
)

// spawner is the platform's side of the process that starts first processes, see
// guest.SpawnerName. It is started when it is first needed, and again if it is
// gone.
type spawner struct {
	mu      sync.Mutex // one start at a time; before those of sandboxes
	conn    *net.UnixConn
	process *os.Process
}

// start starts a guest. The descriptors stay the caller's.
func (s *spawner) start(ask guest.Spawn, fds []int) (*handle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		h, err := s.ask(ask, fds)
		if !errors.Is(err, errGone) {
			return h, err
		}
		s.end()
	}
	if err := s.begin(); err != nil {
		return nil, fmt.Errorf("start what starts sandboxes: %w", err)
	}
	return s.ask(ask, fds)
}

func (s *spawner) ask(ask guest.Spawn, fds []int) (*handle, error) {
	if _, _, err := s.conn.WriteMsgUnix(guest.Encode(&ask), unix.UnixRights(fds...), nil); err != nil {
		return nil, errGone
	}
	buf, oob := make([]byte, 4<<10), make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := s.conn.ReadMsgUnix(buf, oob)
	if err != nil || n == 0 {
		return nil, errGone
	}
	var rep guest.Spawned
	got := files(oob[:oobn])
	if err := guest.Decode(buf[:n], &rep); err != nil {
		closeAll(got)
		return nil, err
	}
	if rep.Error != "" || len(got) != 1 {
		closeAll(got)
		return nil, fmt.Errorf("start the first process of a sandbox: %s", rep.Error)
	}
	return &handle{rep.Pid, got[0]}, nil
}

// begin starts the spawner; the lock is held.
func (s *spawner) begin() error {
	ours, theirs, err := socketpair()
	if err != nil {
		return err
	}
	defer ours.Close()
	defer theirs.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	r := request{path: "/proc/self/exe", argv: []string{guest.SpawnerName}, answered: make(chan answer, 1), attr: &os.ProcAttr{
		Dir: "/", Files: []*os.File{null, null, null, theirs}, Env: guest.Environment(),
		Sys: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL},
	}}
	if s.process, err = r.do(); err != nil {
		return err
	}
	conn, err := net.FileConn(ours)
	if err != nil {
		_ = s.process.Kill()
		_, _ = s.process.Wait()
		return err
	}
	s.conn = conn.(*net.UnixConn)
	return nil
}

// end lets the spawner go; the lock is held.
func (s *spawner) end() {
	s.conn.Close()
	s.conn = nil
	_, _ = s.process.Wait()
}

// Close ends the spawner, if it runs, and whatever it has started.
func (s *spawner) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		s.end()
	}
}

// socketpair is two ends of a line for messages.
func socketpair() (ours, theirs *os.File, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	for _, fd := range pair { // a request holds an environment and arguments
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 2*guest.MaxMessage)
	}
	return os.NewFile(uintptr(pair[0]), "sandbox"), os.NewFile(uintptr(pair[1]), "sandbox"), nil
}
