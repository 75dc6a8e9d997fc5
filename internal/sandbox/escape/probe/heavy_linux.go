package probe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// heavy are attacks by using all there is. Each has an end of its own, should
// nothing stop it: twice the limit, or less.
var heavy = []Assertion{
	{ID: "limits/fork-bomb", Control: Limits, What: "start processes without end", Heavy: true, Unsafe: true, Soft: delegated, try: forkBomb},
	{ID: "limits/thread-bomb", Control: Limits, What: "start threads without end", Heavy: true, Unsafe: true, Soft: delegated, try: threadBomb},
	{ID: "limits/memory-bomb", Control: Limits, What: "take memory without end", Heavy: true, Unsafe: true, Soft: delegated, try: memoryBomb("memory")},
	{ID: "limits/memfd-bomb", Control: Limits, What: "take memory by files in memory", Heavy: true, Unsafe: true, Soft: delegated, try: memoryBomb("memfd")},
	{ID: "limits/shm-bomb", Control: Limits, What: "take memory by shared memory that stays", Heavy: true, Unsafe: true, Soft: delegated, try: memoryBomb("shm")},
	{ID: "limits/pipe-bomb", Control: Limits, What: "take the kernel's memory by pipes", Heavy: true, Unsafe: true, try: pipeBomb},
	{ID: "quota/disk", Control: Quota, What: "fill the disk by /tmp", Heavy: true, Unsafe: true, Temporary: true, try: fillDisk},
	{ID: "quota/files", Control: Quota, What: "use up the disk's files by /tmp", Heavy: true, Unsafe: true, Temporary: true, try: fillInodes},
	{ID: "quota/dev", Control: Quota, What: "fill memory by /dev and the root", Heavy: true, Unsafe: true, try: fillElsewhere},
}

var delegated = map[string]string{"userns": "limits of all processes together take a delegated control group"}

// forkBomb forks processes that wait, up to twice what is allowed, and ends them.
func forkBomb(w *world) error {
	var pids []int
	defer func() {
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		for _, pid := range pids {
			_, _ = syscall.Wait4(pid, nil, syscall.WALL, nil)
		}
	}()
	for range 2 * w.Processes {
		pid, errno := forkWaiting()
		if errno != 0 {
			w.how = fmt.Sprintf("%d processes, then: %s", len(pids), errno.Error())
			return nil
		}
		pids = append(pids, pid)
	}
	return fmt.Errorf("can start %d processes", len(pids))
}

// forkWaiting makes a process that waits until it is killed, or until the thread
// that made it ends.
//
//go:noinline
//go:norace
func forkWaiting() (pid int, errno syscall.Errno) {
	r, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 || r != 0 {
		return int(r), errno
	}
	syscall.RawSyscall(syscall.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0)
	for { // ppoll of nothing, without an end
		syscall.RawSyscall6(syscall.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
	}
}

// threadBomb happens in a process of its own, which Go's runtime ends when it
// gets no thread.
func threadBomb(w *world) error {
	out, state, err := w.asChild(nil, "threads", strconv.Itoa(2*w.Processes))
	if err != nil {
		return err
	}
	n := strings.Count(out, ".")
	if state.Success() {
		return fmt.Errorf("can start %d threads", n)
	}
	w.how = fmt.Sprintf("%d threads, then: %s", n, state)
	return nil
}

// threadsPart has a thread for each goroutine: they wait in the kernel.
func threadsPart(_ *world, args []string) int {
	n, _ := strconv.Atoi(args[0])
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return 0 // not decided counts as a breach
	}
	started := make(chan bool)
	for range n {
		go func() {
			started <- true
			_, _ = unix.Read(pipe[0], make([]byte, 1))
		}()
		<-started
		fmt.Print(".")
	}
	return 0
}

// memoryBomb asks for more than the limit, with some room for what a sandbox
// itself takes.
func memoryBomb(part string) func(*world) error {
	return func(w *world) error {
		if w.MemoryMB == 0 {
			return w.skip("there is no limit of memory")
		}
		out, state, err := w.asChild(nil, part, strconv.Itoa(w.MemoryMB+64))
		if err != nil {
			return err
		}
		if state.Success() {
			return fmt.Errorf("can take %d MB", strings.Count(out, "."))
		}
		w.how = fmt.Sprintf("%d MB, then: %s", strings.Count(out, "."), state)
		return nil
	}
}

const mb = 1 << 20

// touch uses all pages, and says so for each MB.
func touch(mem []byte) {
	for i := 0; i < len(mem); i += 4096 {
		mem[i] = 1
		if i%mb == 0 {
			fmt.Print(".")
		}
	}
}

func memoryPart(_ *world, args []string) int {
	n, _ := strconv.Atoi(args[0])
	mem, err := unix.Mmap(-1, 0, n*mb, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return 1
	}
	touch(mem)
	return 0
}

// memfdPart maps the file, so that the memory is seen to be this process's.
func memfdPart(_ *world, args []string) int {
	n, _ := strconv.Atoi(args[0])
	fd, err := unix.MemfdCreate("escape", unix.MFD_CLOEXEC)
	if err != nil {
		return 1
	}
	if err := unix.Ftruncate(fd, int64(n)*mb); err != nil {
		return 1
	}
	mem, err := unix.Mmap(fd, 0, n*mb, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return 1
	}
	touch(mem)
	return 0
}

// shmPart marks the segment to go with the process: what is left counts on.
func shmPart(_ *world, args []string) int {
	n, _ := strconv.Atoi(args[0])
	id, err := unix.SysvShmGet(unix.IPC_PRIVATE, n*mb, unix.IPC_CREAT|0o600)
	if err != nil {
		return 1
	}
	mem, err := unix.SysvShmAttach(id, 0, 0)
	_, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil)
	if err != nil {
		return 1
	}
	touch(mem)
	return 0
}

// pipeBomb fills pipes, as large as they get, with as many descriptors as there
// are. Their memory counts: a kill is as good as an end.
func pipeBomb(w *world) error {
	out, state, err := w.asChild(nil, "pipes")
	if err != nil {
		return err
	}
	n := strings.Count(out, ".") // of 64 KiB
	if room := max(w.MemoryMB, 64); n > room*16 {
		return fmt.Errorf("can put %d MB into pipes", n/16)
	}
	w.how = fmt.Sprintf("%d MB, then: %s", n/16, state)
	return nil
}

func pipesPart(*world, []string) int {
	part := make([]byte, 64<<10)
	for {
		var p [2]int
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
			return 1
		}
		_, _ = unix.FcntlInt(uintptr(p[1]), unix.F_SETPIPE_SZ, mb)
		for {
			if _, err := unix.Write(p[1], part); err != nil {
				break
			}
			fmt.Print(".")
		}
	}
}

// fillDisk takes a little more than is allowed, which takes the file system a
// moment: it does not write.
func fillDisk(w *world) error {
	const reserve = 4 << 30
	var st unix.Statfs_t
	if err := unix.Statfs(w.Scratch, &st); err != nil {
		return err
	}
	if roomMB(st) > int64(w.DiskMB) && int64(st.Bavail)*st.Bsize < int64(w.DiskMB)*mb+reserve { // it is the machine's
		return w.skip("the disk has too little room for that")
	}
	f, err := w.scratch("fill")
	if err != nil {
		return w.stopped(err, "")
	}
	defer os.Remove(f.Name())
	defer f.Close()
	err = unix.Fallocate(int(f.Fd()), 0, 0, int64(w.DiskMB+16)*mb)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		err = writeMB(f, w.DiskMB+16)
	}
	return w.stopped(err, "can take %d MB", w.DiskMB+16)
}

func writeMB(f *os.File, n int) error {
	part := make([]byte, mb)
	for range n {
		if _, err := f.Write(part); err != nil {
			return err
		}
	}
	return nil
}

func fillInodes(w *world) error {
	manyFiles := w.DiskMB * 96 // half as many again as there are for files of 16 KiB
	dir := filepath.Join(w.Scratch, "many")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return w.stopped(err, "")
	}
	defer os.RemoveAll(dir)
	for i := range manyFiles {
		f, err := os.Create(filepath.Join(dir, strconv.Itoa(i)))
		if err != nil {
			w.how = fmt.Sprintf("%d files, then: %s", i, cause(err))
			return nil
		}
		f.Close()
	}
	return fmt.Errorf("can make %d files", manyFiles)
}

func fillElsewhere(w *world) error {
	for _, dir := range []string{"/dev", "/", "/run", "/var/tmp", "/mnt"} {
		if err := creates(dir)(w); err != nil {
			return err
		}
	}
	return nil
}
