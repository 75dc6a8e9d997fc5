package probe

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// memories are attacks on the memory and the descriptors of other processes.
var memories = []Assertion{
	{ID: "processes/mem-first", Control: Processes, What: "read the memory of the first process", try: opens("/proc/1/mem")},
	{ID: "processes/maps-first", Control: Processes, What: "learn where the first process has its memory", try: reads("/proc/1/maps", "/proc/1/smaps", "/proc/1/pagemap", "/proc/1/auxv", "/proc/1/stack", "/proc/1/syscall")},
	{ID: "processes/environment-first", Control: Processes, What: "read the environment of the first process", try: reads("/proc/1/environ")},
	{ID: "processes/descriptors-first", Control: Processes, What: "see the descriptors of the first process", try: lists("/proc/1/fd", "/proc/1/fdinfo", "/proc/1/map_files")},
	{ID: "processes/socket-first", Control: Processes, What: "open the platform's line to the first process", try: opens("/proc/1/fd/3", "/proc/1/fd/0")},
	{ID: "processes/mem-platform", Control: Processes, What: "read the memory of the platform", try: func(w *world) error { return w.memory(w.Host.Pid) }},
	{ID: "processes/environment-platform", Control: Processes, What: "read the environment of the platform", try: func(w *world) error {
		return w.read(fmt.Sprintf("/proc/%d/environ", w.Host.Pid))
	}},
	{ID: "processes/mem-other", Control: Processes, What: "read the memory of another function", try: func(w *world) error {
		if w.Other == nil {
			return w.skip("there is no other function")
		}
		return w.memory(w.Other.Pid)
	}},
	{ID: "processes/mem-any", Control: Processes, What: "read the memory of any process that it sees", try: anyMemory},
	{ID: "processes/vm-read-first", Control: Processes, What: "read the memory of the first process by process_vm_readv", try: func(w *world) error { return w.vmRead(1) }},
	{ID: "processes/vm-read-other", Control: Processes, What: "read the memory of another function by process_vm_readv", try: func(w *world) error {
		if w.Other == nil {
			return w.skip("there is no other function")
		}
		return w.vmRead(w.Other.Pid)
	}},
	{ID: "processes/ptrace-first", Control: Processes, What: "trace the first process", Unsafe: true, try: func(w *world) error {
		return w.shut(call(unix.SYS_PTRACE, unix.PTRACE_SEIZE, 1, 0, 0), "tracing process 1", unix.ESRCH)
	}},
	{ID: "processes/ptrace-other", Control: Processes, What: "trace another function", try: func(w *world) error {
		if w.Other == nil {
			return w.skip("there is no other function")
		}
		return w.shut(call(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(w.Other.Pid), 0, 0), "tracing another function", unix.ESRCH)
	}},
	{ID: "processes/pidfd-getfd-first", Control: Processes, What: "take the platform's line from the first process", try: func(w *world) error { return w.takeDescriptor(1, 3) }},
	{ID: "processes/pidfd-getfd-other", Control: Processes, What: "take a descriptor of another function", try: func(w *world) error {
		if w.Other == nil {
			return w.skip("there is no other function")
		}
		return w.takeDescriptor(w.Other.Pid, 1)
	}},
	{ID: "processes/kcmp-first", Control: Processes, What: "compare itself with the first process", try: func(w *world) error {
		return w.stopped(call(unix.SYS_KCMP, 1, uintptr(os.Getpid()), 1, 0, 0), "can compare memories with process 1")
	}},
	{ID: "processes/move-pages-first", Control: Processes, What: "move the memory of the first process", try: func(w *world) error {
		return w.stopped(call(unix.SYS_MOVE_PAGES, 1, 0, 0, 0, 0, 0), "can move memory of process 1")
	}},
	{ID: "processes/madvise-first", Control: Processes, What: "push the memory of the first process out", try: madviseFirst},
	{ID: "processes/secret", Control: Processes, What: "find the secret of others in what it can read", try: secretAnywhere},
}

// memory reads where the first thing is mapped.
func (w *world) memory(pid int) error {
	f, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		w.how = cause(err)
		return nil
	}
	defer f.Close()
	if own(pid) {
		w.how = "the number is one of its own processes"
		return nil
	}
	return fmt.Errorf("can open the memory of process %d", pid)
}

func anyMemory(w *world) error {
	names, _ := os.ReadDir("/proc")
	for _, n := range names {
		if strings.Trim(n.Name(), "0123456789") != "" {
			continue
		}
		var pid int
		_, _ = fmt.Sscan(n.Name(), &pid)
		if err := w.memory(pid); err != nil {
			return err
		}
	}
	w.how = "it sees no process but its own"
	return nil
}

// vmRead reads from an address at which nothing is: the check comes first.
func (w *world) vmRead(pid int) error {
	if own(pid) {
		return w.skip("the number is one of its own processes")
	}
	buf := make([]byte, 8)
	local := []unix.Iovec{{Base: &buf[0], Len: 8}}
	_, err := unix.ProcessVMReadv(pid, local, []unix.RemoteIovec{{Base: 0x1000, Len: 8}}, 0)
	return w.shut(err, fmt.Sprintf("process_vm_readv of process %d", pid), unix.ESRCH)
}

func (w *world) takeDescriptor(pid, number int) error {
	if own(pid) {
		return w.skip("the number is one of its own processes")
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		w.how = "pidfd_open: " + err.Error()
		return nil
	}
	defer unix.Close(fd)
	got, err := unix.PidfdGetfd(fd, number, 0)
	if err == nil {
		unix.Close(got)
	}
	return w.shut(err, fmt.Sprintf("pidfd_getfd of process %d", pid))
}

func madviseFirst(w *world) error {
	fd, err := unix.PidfdOpen(1, 0)
	if err != nil {
		w.how = "pidfd_open: " + err.Error()
		return nil
	}
	defer unix.Close(fd)
	// struct iovec {NULL, 0}: the process is looked for first.
	err = call(unix.SYS_PROCESS_MADVISE, uintptr(fd), space(16), 1, unix.MADV_COLD, 0)
	return w.shut(err, "process_madvise of process 1")
}

// secretAnywhere reads what processes in sight say of themselves.
func secretAnywhere(w *world) error {
	names, _ := os.ReadDir("/proc")
	for _, n := range names {
		var pid int
		if _, err := fmt.Sscan(n.Name(), &pid); err != nil || own(pid) {
			continue
		}
		for _, part := range []string{"environ", "cmdline"} {
			if text, _ := os.ReadFile("/proc/" + n.Name() + "/" + part); bytes.Contains(text, []byte(w.Secret)) {
				return fmt.Errorf("process %d tells the secret in its %s", pid, part)
			}
		}
	}
	w.how = "no process tells it"
	return nil
}
