package sandbox

import (
	"os"

	"golang.org/x/sys/unix"
)

// handle is a process that need not be our child, by a descriptor (pidfd_open(2)):
// its number is another's one day.
type handle struct {
	pid int
	fd  *os.File
}

// kill ends the process, unless it has ended.
func (h *handle) kill() {
	h.use(func(fd int) { _ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) })
}

// wait returns when the process has ended, and with it its namespace of processes.
func (h *handle) wait() {
	h.use(func(fd int) {
		ends := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		_ = ignoreEINTR(func() error {
			_, err := unix.Poll(ends, -1)
			return err
		})
	})
}

// use does nothing once the descriptor is closed, and keeps it open meanwhile.
func (h *handle) use(do func(fd int)) {
	if raw, err := h.fd.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { do(int(fd)) })
	}
}
