package probe

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// processes are attacks on other processes by signals and settings.
var processes = []Assertion{
	{ID: "processes/list", Control: Processes, What: "see other processes", try: listProcesses},
	{ID: "processes/command-lines", Control: Processes, What: "see how the platform was started", try: func(w *world) error {
		return reads("/proc/1/cmdline", fmt.Sprintf("/proc/%d/cmdline", w.Host.Pid))(w)
	}},
	{ID: "processes/reach", Control: Processes, What: "signal any process that is not its own", Soft: ownSandbox, try: reach},
	{ID: "processes/signal-platform", Control: Processes, What: "signal the platform", try: func(w *world) error { return w.signals(w.Host.Pid) }},
	{ID: "processes/signal-other", Control: Processes, What: "signal another function", try: func(w *world) error {
		if w.Other == nil {
			return w.skip("there is no other function")
		}
		return w.signals(w.Other.Pid)
	}},
	{ID: "processes/signal-first", Control: Processes, What: "signal the first process", try: func(w *world) error { return w.stopped(unix.Kill(1, 0), "can signal process 1") }},
	{ID: "processes/kill-first", Control: Processes, What: "end its sandbox", Unsafe: true, try: func(w *world) error {
		return w.stopped(unix.Kill(1, unix.SIGKILL), "can kill process 1")
	}},
	{ID: "processes/thread-signal-first", Control: Processes, What: "signal a thread of the first process", try: func(w *world) error {
		return w.stopped(unix.Tgkill(1, 1, 0), "can signal thread 1")
	}},
	{ID: "processes/queue-signal-first", Control: Processes, What: "forge a signal of the kernel to the first process", try: forgedSignal},
	{ID: "processes/pidfd-first", Control: Processes, What: "signal the first process by a descriptor", try: func(w *world) error { return w.pidfdSignal(1) }},
	{ID: "processes/pidfd-platform", Control: Processes, What: "hold the platform by a descriptor", try: func(w *world) error { return w.pidfdOpen(w.Host.Pid) }},
	{ID: "processes/limits-first", Control: Processes, What: "change limits of the first process", Soft: ownSandbox, try: func(w *world) error { return w.prlimit(1) }},
	{ID: "processes/limits-platform", Control: Processes, What: "change limits of the platform", try: func(w *world) error { return w.prlimit(w.Host.Pid) }},
	{ID: "processes/priority-first", Control: Processes, What: "slow the first process down", Unsafe: true, try: func(w *world) error {
		return w.stopped(unix.Setpriority(unix.PRIO_PROCESS, 1, 19), "can slow process 1 down")
	}},
	{ID: "processes/affinity-first", Control: Processes, What: "move the first process to another processor", try: affinity(1)},
	{ID: "processes/session", Control: Processes, What: "leave its group for that of the first process", try: func(w *world) error {
		err := unix.Setpgid(0, 1)
		if err == nil {
			_ = unix.Setpgid(0, 0)
		}
		return w.stopped(err, "can join the group of process 1")
	}},
	{ID: "processes/robust-list", Control: Processes, What: "read the list of locks of the first process", try: func(w *world) error {
		return w.stopped(call(unix.SYS_GET_ROBUST_LIST, 1, space(8), space(8)), "can read where the locks of process 1 are")
	}},
}

// own reports whether a process is one of this probe's, and not the keeper of
// another sandbox. One that has no command line is a child of it that has ended.
func own(pid int) bool {
	line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil || len(line) == 0 {
		return err == nil
	}
	args := strings.Split(string(line), "\x00")
	return len(args) > 2 && args[1] == Name && args[2] != "keep"
}

// visible reports whether a process is still there.
func visible(pid int) bool {
	_, err := os.Stat("/proc/" + strconv.Itoa(pid))
	return err == nil
}

func listProcesses(w *world) error {
	names, err := os.ReadDir("/proc")
	if err != nil {
		return w.stopped(err, "")
	}
	seen := 0
	for _, n := range names {
		pid, err := strconv.Atoi(n.Name())
		if err != nil {
			continue
		}
		seen++
		if !own(pid) && visible(pid) { // it may have ended in between
			return fmt.Errorf("can see process %d", pid)
		}
	}
	w.how = fmt.Sprintf("it sees %d processes, its own", seen)
	return nil
}

// reach is how far signals get: what kill(-1) would end.
func reach(w *world) error {
	reached := 0
	for pid := 1; pid < 1<<16; pid++ {
		if unix.Kill(pid, 0) != nil {
			continue
		}
		reached++
		if !own(pid) && unix.Kill(pid, 0) == nil { // it may have ended in between
			return fmt.Errorf("can signal process %d", pid)
		}
	}
	w.how = fmt.Sprintf("of the first 65536, %d get signals, its own", reached)
	return nil
}

func (w *world) signals(pid int) error {
	err := unix.Kill(pid, 0)
	if err == nil && own(pid) {
		w.how = "the number is one of its own processes"
		return nil
	}
	return w.stopped(err, "can signal process %d", pid)
}

// forgedSignal pretends to be the kernel, which process 1 would have to believe.
func forgedSignal(w *world) error {
	info := space(128) // siginfo_t with si_code 0: SI_USER
	return w.stopped(call(unix.SYS_RT_SIGQUEUEINFO, 1, 0, info), "can queue a signal for process 1")
}

func (w *world) pidfdOpen(pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err == nil {
		unix.Close(fd)
		if own(pid) {
			w.how = "the number is one of its own processes"
			return nil
		}
	}
	return w.stopped(err, "can hold process %d", pid)
}

func (w *world) pidfdSignal(pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		w.how = err.Error()
		return nil
	}
	defer unix.Close(fd)
	return w.stopped(unix.PidfdSendSignal(fd, 0, nil, 0), "can signal process %d", pid)
}

// prlimit sets the limit that there is, which changes nothing.
func (w *world) prlimit(pid int) error {
	if own(pid) {
		return w.skip("the number is one of its own processes")
	}
	var l unix.Rlimit
	err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &l)
	if err == nil {
		err = unix.Prlimit(pid, unix.RLIMIT_NOFILE, &l, nil)
	}
	return w.stopped(err, "can change the limits of process %d", pid)
}

// affinity sets what there is.
func affinity(pid int) func(*world) error {
	return func(w *world) error {
		var set unix.CPUSet
		if err := unix.SchedGetaffinity(pid, &set); err != nil {
			if errors.Is(err, unix.EINVAL) {
				return w.skip("the machine has more processors than fit")
			}
			w.how = err.Error()
			return nil
		}
		return w.stopped(unix.SchedSetaffinity(pid, &set), "can choose the processors of process %d", pid)
	}
}
