package probe

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

const mostFiles = 1024 // descriptors, as in Lambda

// limits are attacks on what a process may use.
var limits = []Assertion{
	{ID: "limits/core", Control: Limits, What: "leave core files", try: atMost(unix.RLIMIT_CORE, "RLIMIT_CORE", 0)},
	{ID: "limits/descriptors", Control: Limits, What: "have more than 1024 descriptors", try: atMost(unix.RLIMIT_NOFILE, "RLIMIT_NOFILE", mostFiles)},
	{ID: "limits/raise-core", Control: Limits, What: "allow itself core files", try: raises(unix.RLIMIT_CORE)},
	{ID: "limits/raise-descriptors", Control: Limits, What: "allow itself more descriptors", try: raises(unix.RLIMIT_NOFILE)},
	{ID: "limits/open-many", Control: Limits, What: "open more than 1024 files", try: opensMany},
	{ID: "limits/nice", Control: Limits, What: "go before others at the processor", try: func(w *world) error {
		return w.stopped(unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), -10), "can take a higher priority")
	}},
	{ID: "limits/real-time", Control: Limits, What: "take the processor for itself", try: realTime},
	{ID: "limits/io-priority", Control: Limits, What: "go before others at the disk", try: func(w *world) error {
		const realTimeClass = 1 << 13
		return w.stopped(call(unix.SYS_IOPRIO_SET, 1, uintptr(unix.Gettid()), realTimeClass), "can take the first place at the disk")
	}},
	{ID: "limits/lock-memory", Control: Limits, What: "lock more memory than a limit of memory allows", Unsafe: true, try: locksMemory},
	{ID: "quota/size", Control: Quota, What: "have more room in /tmp than it was given", Temporary: true, try: hasRoom},
}

// hasRoom looks at the file system of the temporary files, which is the function's
// own where there is a quota.
func hasRoom(w *world) error {
	if w.DiskMB == 0 {
		return w.skip("there is no limit of temporary files")
	}
	var st unix.Statfs_t
	if err := unix.Statfs(w.Scratch, &st); err != nil {
		return err
	}
	size := int64(st.Blocks) * st.Bsize >> 20
	if roomMB(st) > int64(w.DiskMB) {
		return fmt.Errorf("the file system of temporary files has %d MB", size)
	}
	w.how = fmt.Sprintf("a file system of %d MB", size)
	return nil
}

// roomMB is what a file system has room for; a little of it is for itself.
func roomMB(st unix.Statfs_t) int64 { return int64(st.Blocks) * st.Bsize / mb * 8 / 9 }

func atMost(what int, name string, most uint64) func(*world) error {
	return func(w *world) error {
		var l unix.Rlimit
		if err := unix.Prlimit(0, what, nil, &l); err != nil {
			return err
		}
		if l.Max > most {
			return fmt.Errorf("%s is %d", name, l.Max)
		}
		w.how = fmt.Sprintf("%s is %d", name, l.Max)
		return nil
	}
}

// raises changes the limit for a moment. With no limit there is nothing to raise.
func raises(what int) func(*world) error {
	return func(w *world) error {
		var old unix.Rlimit
		if err := unix.Prlimit(0, what, nil, &old); err != nil {
			return err
		}
		if old.Max == unix.RLIM_INFINITY {
			return fmt.Errorf("there is no limit to raise")
		}
		err := unix.Prlimit(0, what, &unix.Rlimit{Cur: old.Cur, Max: old.Max + 1}, nil)
		if err == nil {
			_ = unix.Prlimit(0, what, &old, nil)
		}
		return w.stopped(err, "can raise the limit from %d", old.Max)
	}
}

// opensMany happens in a process of its own: the probe needs some itself.
func opensMany(w *world) error {
	out, state, err := w.asChild(nil, "open", strconv.Itoa(2*mostFiles))
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(out)
	if err != nil {
		return fmt.Errorf("not decided: %s", state)
	}
	if n > mostFiles {
		return fmt.Errorf("can open %d files", n)
	}
	w.how = fmt.Sprintf("%d were open, then: %s", n, unix.EMFILE.Error())
	return nil
}

func openPart(_ *world, args []string) int {
	most, _ := strconv.Atoi(args[0])
	_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: mostFiles, Max: mostFiles + 1}) // as high as it goes
	last := 0
	for range most {
		fd, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			break
		}
		last = fd + 1 // descriptors are given out from the lowest
	}
	fmt.Print(last)
	return 0
}

func realTime(w *world) error {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}
	return w.stopped(unix.SchedSetAttr(unix.Gettid(), &attr, 0), "can run in real time")
}

func locksMemory(w *world) error {
	size := (w.MemoryMB + 64) << 20
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return w.stopped(err, "")
	}
	defer func() { _ = unix.Munmap(mem) }()
	// MLOCK_ONFAULT takes nothing before it is used.
	err = call(unix.SYS_MLOCK2, address(mem), uintptr(size), unix.MLOCK_ONFAULT)
	return w.stopped(err, "can lock %d MB", size>>20)
}
