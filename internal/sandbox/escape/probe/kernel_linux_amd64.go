package probe

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// ports are attacks that this processor alone has.
var ports = []Assertion{
	{ID: "seccomp/iopl", Control: Seccomp, What: "use the machine's ports (iopl)", Unsafe: true, try: calls("iopl", unix.SYS_IOPL, 3)},
	{ID: "seccomp/ioperm", Control: Seccomp, What: "use the machine's ports (ioperm)", Unsafe: true, try: calls("ioperm", unix.SYS_IOPERM, 0x80, 1, 1)},
	{ID: "seccomp/modify-ldt", Control: Seccomp, What: "change its table of segments", try: calls("modify_ldt", unix.SYS_MODIFY_LDT, 1, 0, 0)},
	{ID: "seccomp/uselib", Control: Seccomp, What: "load libraries as long ago (uselib)", try: calls("uselib", unix.SYS_USELIB, 0)},
	{ID: "seccomp/compat-call", Control: Seccomp, What: "use calls by the numbers of 32 bit", try: compat},
}

// compatGetpid asks for the process id by the table of 32 bit.
func compatGetpid() int32

// compat happens in a process of its own: a kernel without the table ends it.
func compat(w *world) error {
	_, state, err := w.asChild(nil, "compat")
	if err != nil {
		return err
	}
	switch {
	case state.Success():
		return errors.New("the interrupt 0x80 answers")
	default:
		w.how = state.String()
	}
	return nil
}

func compatPart(*world, []string) int {
	if int(compatGetpid()) == os.Getpid() {
		return 0
	}
	return 1
}
