//go:build !linux

package sandbox

import (
	"errors"
	"net"
	"os"
	"syscall"
)

func spawn(s Spec, stdout, stderr *os.File) (*os.Process, error) {
	return os.StartProcess(s.Path, append([]string{s.Path}, s.Args...), &os.ProcAttr{
		Dir: s.Dir, Env: s.Env, Files: []*os.File{nil, stdout, stderr},
		Sys: &syscall.SysProcAttr{Setpgid: true},
	})
}

func userOf(Spec) (int, error) { return 0, nil }

func wait(child *os.Process, ended func()) (*os.ProcessState, error) {
	state, err := child.Wait()
	ended()
	return state, err
}

func killGroup(pid int, sig syscall.Signal) { _ = syscall.Kill(-pid, sig) }

func residentKB(int) int64 { return 0 }

func peakKB(int) int64 { return 0 }

// There are no sandboxes on this system.
type (
	workshop struct{}
	inside   struct{}
	visitor  struct{}
)

var errNoSandbox = errors.New("it takes Linux")

func (m *Maker) try() error {
	if m.Level != None {
		return errNoSandbox
	}
	return nil
}

func (*Maker) restart()                       {}
func (*Maker) open() (*Box, error)            { return nil, errNoSandbox }
func (*Maker) end() int                       { return 0 }
func (*inside) furnish(Furniture) error       { return errNoSandbox }
func (*inside) start(Spec) (*Process, error)  { return nil, errNoSandbox }
func (*inside) dial(string) (net.Conn, error) { return nil, errNoSandbox }
func (*inside) halt(bool)                     {}
func (*inside) close(string)                  {}
func (*inside) soft() string                  { return errNoSandbox.Error() }
func (*visitor) signal(int, syscall.Signal)   {}
