package probe

import (
	"errors"
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	none    = ^uintptr(0) // no descriptor, no process
	nobody  = 0x3fffffff  // a process that cannot be: the kernel has at most 4 million
	unaware = 0x0400000   // READ_IMPLIES_EXEC: all memory becomes executable
)

// kernel are attacks on the surface of the kernel: system calls that functions
// have no use for. The arguments of those that would harm are wrong, so that the
// attack is over when the kernel looks at them.
var kernel = []Assertion{
	{ID: "keyring/keyctl", Control: Keyring, What: "use the kernel's keyrings", try: keyring},
	{ID: "keyring/add-key", Control: Keyring, What: "leave keys with the kernel", try: func(w *world) error {
		return w.shut(call(unix.SYS_ADD_KEY, pointer("user"), pointer("escape"), space(8), 8, uintptr(0xffffffff)), "add_key")
	}},
	{ID: "keyring/request-key", Control: Keyring, What: "ask for keys of others", try: func(w *world) error {
		return w.shut(call(unix.SYS_REQUEST_KEY, pointer("user"), pointer("escape"), 0, 0), "request_key")
	}},
	{ID: "seccomp/mode", Control: Seccomp, What: "call all of the kernel", try: filtered},
	{ID: "seccomp/bpf", Control: Seccomp, What: "load BPF programs", try: calls("bpf", unix.SYS_BPF, unix.BPF_PROG_LOAD, 0, 0)},
	{ID: "seccomp/bpf-map", Control: Seccomp, What: "make BPF maps", try: func(w *world) error { return w.shut(call(unix.SYS_BPF, unix.BPF_MAP_CREATE, space(128), 128), "bpf") }},
	{ID: "seccomp/perf", Control: Seccomp, What: "count events of the processor", try: perf},
	{ID: "seccomp/userfaultfd", Control: Seccomp, What: "stop the kernel at will (userfaultfd)", try: faults},
	{ID: "seccomp/io-uring-setup", Control: Seccomp, What: "have the kernel do work unseen (io_uring)", try: calls("io_uring_setup", unix.SYS_IO_URING_SETUP, 0, 0)},
	{ID: "seccomp/io-uring-enter", Control: Seccomp, What: "use a ring", try: calls("io_uring_enter", unix.SYS_IO_URING_ENTER, none, 0, 0, 0)},
	{ID: "seccomp/io-uring-register", Control: Seccomp, What: "register with a ring", try: calls("io_uring_register", unix.SYS_IO_URING_REGISTER, none, 0, 0, 0)},
	{ID: "seccomp/ptrace", Control: Seccomp, What: "trace processes", try: calls("ptrace", unix.SYS_PTRACE, unix.PTRACE_SEIZE, nobody, 0, 0)},
	{ID: "seccomp/process-vm-read", Control: Seccomp, What: "read other memory", try: calls("process_vm_readv", unix.SYS_PROCESS_VM_READV, nobody, 0, 0, 0, 0, 0)},
	{ID: "seccomp/process-vm-write", Control: Seccomp, What: "write other memory", try: calls("process_vm_writev", unix.SYS_PROCESS_VM_WRITEV, nobody, 0, 0, 0, 0, 0)},
	{ID: "seccomp/pidfd-getfd", Control: Seccomp, What: "take descriptors of others", try: calls("pidfd_getfd", unix.SYS_PIDFD_GETFD, none, 0, 0)},
	{ID: "seccomp/kcmp", Control: Seccomp, What: "compare processes", try: calls("kcmp", unix.SYS_KCMP, nobody, nobody, 0, 0, 0)},
	{ID: "seccomp/kexec", Control: Seccomp, What: "start another kernel", try: calls("kexec_load", unix.SYS_KEXEC_LOAD, 0, 1<<20, 0, none)},
	{ID: "seccomp/kexec-file", Control: Seccomp, What: "start another kernel from a file", try: calls("kexec_file_load", unix.SYS_KEXEC_FILE_LOAD, none, none, 0, 0, none)},
	{ID: "seccomp/init-module", Control: Seccomp, What: "load a module into the kernel", try: calls("init_module", unix.SYS_INIT_MODULE, 0, 0, 0)},
	{ID: "seccomp/finit-module", Control: Seccomp, What: "load a module from a file", try: calls("finit_module", unix.SYS_FINIT_MODULE, none, 0, 0)},
	{ID: "seccomp/delete-module", Control: Seccomp, What: "remove a module", try: func(w *world) error {
		return w.shut(call(unix.SYS_DELETE_MODULE, pointer("no_such_module_here"), unix.O_NONBLOCK), "delete_module")
	}},
	{ID: "seccomp/reboot", Control: Seccomp, What: "restart the machine", try: calls("reboot", unix.SYS_REBOOT, 1, 2, 3, 0)},
	{ID: "seccomp/swapoff", Control: Seccomp, What: "switch swap off", try: func(w *world) error {
		return w.shut(call(unix.SYS_SWAPOFF, pointer("/no/such/file")), "swapoff")
	}},
	{ID: "seccomp/acct", Control: Seccomp, What: "have all processes recorded", try: func(w *world) error {
		return w.shut(call(unix.SYS_ACCT, pointer("/no/such/file")), "acct")
	}},
	{ID: "seccomp/quotactl", Control: Seccomp, What: "change quotas", try: func(w *world) error {
		return w.shut(call(unix.SYS_QUOTACTL, 0xffffffff, pointer("/no/such/device"), 0, 0), "quotactl")
	}},
	{ID: "seccomp/syslog", Control: Seccomp, What: "read the kernel's messages", try: calls("syslog", unix.SYS_SYSLOG, 10, 0, 0)}, // SYSLOG_ACTION_SIZE_BUFFER
	{ID: "seccomp/settimeofday", Control: Seccomp, What: "set the clock, if only to the present", Unsafe: true, try: func(w *world) error {
		now := unix.NsecToTimeval(time.Now().UnixNano())
		return w.shut(unix.Settimeofday(&now), "settimeofday")
	}},
	{ID: "seccomp/clock-settime", Control: Seccomp, What: "set the clock by clock_settime", Unsafe: true, try: func(w *world) error {
		now := unix.NsecToTimespec(time.Now().UnixNano())
		return w.shut(unix.ClockSettime(unix.CLOCK_REALTIME, &now), "clock_settime")
	}},
	{ID: "seccomp/adjtimex", Control: Seccomp, What: "change the speed of the clock", Unsafe: true, try: adjust},
	{ID: "seccomp/set-domain-name", Control: Seccomp, What: "set the domain's name", Unsafe: true, try: func(w *world) error {
		return w.shut(call(unix.SYS_SETDOMAINNAME, pointer("mine"), 4), "setdomainname")
	}},
	{ID: "seccomp/personality", Control: Seccomp, What: "switch protections of memory off", try: personality},
	{ID: "seccomp/vmsplice", Control: Seccomp, What: "give the kernel its memory (vmsplice)", try: calls("vmsplice", unix.SYS_VMSPLICE, none, 0, 0, 0)},
	{ID: "seccomp/tiocsti", Control: Seccomp, What: "type into a terminal", try: calls("ioctl TIOCSTI", unix.SYS_IOCTL, 0, unix.TIOCSTI, 0)},
	{ID: "seccomp/tioclinux", Control: Seccomp, What: "paste into a console", try: calls("ioctl TIOCLINUX", unix.SYS_IOCTL, 0, unix.TIOCLINUX, 0)},
	{ID: "seccomp/mount", Control: Seccomp, What: "use mount at all", try: calls("mount", unix.SYS_MOUNT, 0, 0, 0, 0, 0)},
	{ID: "seccomp/umount", Control: Seccomp, What: "use umount at all", try: calls("umount2", unix.SYS_UMOUNT2, 0, 0)},
	{ID: "seccomp/open-by-handle", Control: Seccomp, What: "use open_by_handle_at at all", try: calls("open_by_handle_at", unix.SYS_OPEN_BY_HANDLE_AT, none, 0, 0)},
	{ID: "seccomp/name-to-handle", Control: Seccomp, What: "use name_to_handle_at at all", try: calls("name_to_handle_at", unix.SYS_NAME_TO_HANDLE_AT, none, 0, 0, 0, 0)},
	{ID: "seccomp/fanotify", Control: Seccomp, What: "watch others' use of files", try: calls("fanotify_init", unix.SYS_FANOTIFY_INIT, unix.FAN_CLASS_CONTENT|0x8000_0000, 0)},
	{ID: "seccomp/move-pages", Control: Seccomp, What: "move memory between nodes", try: calls("move_pages", unix.SYS_MOVE_PAGES, nobody, 0, 0, 0, 0, 0)},
	{ID: "seccomp/vhangup", Control: Seccomp, What: "hang a terminal up", Unsafe: true, try: calls("vhangup", unix.SYS_VHANGUP)},
	{ID: "seccomp/listmount", Control: Seccomp, What: "list mounts by listmount", try: calls("listmount", unix.SYS_LISTMOUNT, 0, 0, 0, 0)},
	{ID: "seccomp/unknown", Control: Seccomp, What: "use calls that no list knows", try: calls("system call 1023", 1023)},
	{ID: "seccomp/x32", Control: Seccomp, What: "use calls by the numbers of x32", try: x32},
}

// filtered looks at the mode, which only a filter sets.
func filtered(w *world) error {
	mode, err := status("Seccomp")
	if err != nil {
		return err
	}
	if mode != "2" {
		return fmt.Errorf("there is no filter of system calls (mode %s)", mode)
	}
	n, _ := status("Seccomp_filters")
	w.how = n + " filters"
	return nil
}

func keyring(w *world) error {
	_, err := unix.KeyctlInt(unix.KEYCTL_GET_KEYRING_ID, unix.KEY_SPEC_SESSION_KEYRING, 0, 0, 0)
	return w.shut(err, "keyctl")
}

// faults asks for what the kernel's default leaves to everybody.
func faults(w *world) error {
	const userModeOnly = 1 // UFFD_USER_MODE_ONLY
	fd, err := callFor(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|userModeOnly)
	if err == nil {
		unix.Close(int(fd))
	}
	return w.shut(err, "userfaultfd")
}

// perf counts its own time, which any process may do if it may use the call.
func perf(w *world) error {
	attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_TASK_CLOCK}
	attr.Size = uint32(unsafe.Sizeof(attr))
	fd, err := unix.PerfEventOpen(&attr, 0, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err == nil {
		unix.Close(fd)
	}
	return w.shut(err, "perf_event_open")
}

func adjust(w *world) error {
	var now unix.Timex
	if _, err := unix.Adjtimex(&now); err != nil { // reading
		return w.shut(err, "adjtimex")
	}
	change := unix.Timex{Modes: unix.ADJ_FREQUENCY, Freq: now.Freq}
	_, err := unix.Adjtimex(&change)
	return w.shut(err, "adjtimex")
}

// personality acts on this thread alone.
func personality(w *world) error {
	old, err := callFor(unix.SYS_PERSONALITY, 0xffffffff)
	if err != nil {
		return w.shut(err, "personality")
	}
	if _, err := callFor(unix.SYS_PERSONALITY, old|unaware); err != nil {
		return w.shut(err, "personality")
	}
	_, _ = callFor(unix.SYS_PERSONALITY, old)
	return errors.New("personality makes all memory executable")
}

// x32 is the second table of system calls of amd64.
func x32(w *world) error {
	if runtime.GOARCH != "amd64" {
		return w.skip("the machine's processor has none")
	}
	const bit = 0x40000000
	return w.shut(call(bit+39), "getpid of x32")
}
