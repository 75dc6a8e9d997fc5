package confine

import "golang.org/x/sys/unix"

type Rules struct {
	ReadExec, ReadWrite []string
	Scope               bool
	ConnectTCP          []uint16
}

func Filter() ([]byte, error)     { return nil, nil }
func LoadFilter([]byte) error     { return nil }
func NoNewPrivs() error           { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }
func Landlock(Rules) (int, error) { return 0, nil }
func DropCapabilities() error     { return nil }
func CloseOnExecFrom(fd int) error {
	return unix.CloseRange(uint(fd), ^uint(0), unix.CLOSE_RANGE_CLOEXEC)
}
