//go:build amd64 || arm64

package confine

import (
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// attempt is a call that is made under the filter, and without it as a control.
// Its arguments are such that without a filter it fails early or is harmless.
type attempt struct {
	name string
	call uintptr
	args args
	want unix.Errno // 0: it works
	same string     // why it fares alike without the filter, if that refuses it
}

type args = [6]uintptr

const (
	bad     = ^uintptr(0)           // a descriptor or process that is none
	nowhere = uintptr(1)            // an address that is none
	garbage = uintptr(0xa5a5) << 32 // for the upper halves of registers, which the kernel drops
	gone    = "this kernel has it no more"
)

// memory holds what the calls point to. Nothing moves it.
var (
	memory [64 << 10]byte
	used   int
)

// Of personality(2): asking, and saying that this is Linux 2.6.
const (
	asked = 0xffffffff
	older = 0x0020000
)

func put(b []byte) uintptr {
	at := used
	used += (copy(memory[at:], b) + 15) &^ 15
	return uintptr(unsafe.Pointer(&memory[at]))
}

func text(s string) uintptr  { return put(append([]byte(s), 0)) }
func space(size int) uintptr { return put(make([]byte, size)) }

// attempts are all of them; dir is where files may be made.
func attempts(dir string) []attempt {
	return slices.Concat(refusals(), networking(), judgedOnes(dir), permitted(dir), nativeAttempts(dir))
}

func refusals() []attempt {
	const no = unix.EPERM
	self := uintptr(os.Getpid())
	return []attempt{
		{"ptrace", unix.SYS_PTRACE, args{unix.PTRACE_ATTACH, bad}, no, ""},
		{"process_vm_readv", unix.SYS_PROCESS_VM_READV, args{self}, no, ""},
		{"process_vm_writev", unix.SYS_PROCESS_VM_WRITEV, args{self}, no, ""},
		{"process_madvise", unix.SYS_PROCESS_MADVISE, args{bad}, no, ""},
		{"kcmp", unix.SYS_KCMP, args{self, self, 1}, no, ""},
		{"pidfd_getfd", unix.SYS_PIDFD_GETFD, args{bad}, no, ""},
		{"bpf", unix.SYS_BPF, args{9999, nowhere, 8}, no, ""},
		{"perf_event_open", unix.SYS_PERF_EVENT_OPEN, args{nowhere, 0, bad, bad}, no, ""},
		{"userfaultfd", unix.SYS_USERFAULTFD, args{0xffff}, no, ""},
		{"vmsplice", unix.SYS_VMSPLICE, args{bad}, no, ""},
		{"io_uring_setup", unix.SYS_IO_URING_SETUP, args{1, nowhere}, no, ""},
		{"io_uring_enter", unix.SYS_IO_URING_ENTER, args{bad}, no, ""},
		{"io_uring_register", unix.SYS_IO_URING_REGISTER, args{bad}, no, ""},
		{"add_key", unix.SYS_ADD_KEY, args{nowhere, nowhere}, no, ""},
		{"request_key", unix.SYS_REQUEST_KEY, args{nowhere, nowhere}, no, ""},
		{"keyctl", unix.SYS_KEYCTL, args{9999}, no, ""},
		{"mount", unix.SYS_MOUNT, args{nowhere, nowhere, nowhere}, no, ""},
		{"umount2", unix.SYS_UMOUNT2, args{nowhere, 0xffff}, no, ""},
		{"pivot_root", unix.SYS_PIVOT_ROOT, args{nowhere, nowhere}, no, ""},
		{"chroot", unix.SYS_CHROOT, args{nowhere}, no, ""},
		{"open_tree", unix.SYS_OPEN_TREE, args{bad, nowhere, 0xffff}, no, ""},
		{"open_tree_attr", unix.SYS_OPEN_TREE_ATTR, args{bad, nowhere, 0xffff, nowhere, 1}, no, ""},
		{"move_mount", unix.SYS_MOVE_MOUNT, args{bad, nowhere, bad, nowhere, 0xffff}, no, ""},
		{"fsopen", unix.SYS_FSOPEN, args{nowhere, 0xffff}, no, ""},
		{"fsconfig", unix.SYS_FSCONFIG, args{bad, 9999}, no, ""},
		{"fsmount", unix.SYS_FSMOUNT, args{bad, 0xffff}, no, ""},
		{"fspick", unix.SYS_FSPICK, args{bad, nowhere, 0xffff}, no, ""},
		{"mount_setattr", unix.SYS_MOUNT_SETATTR, args{bad, nowhere, 0, nowhere, 1}, no, ""},
		{"setns", unix.SYS_SETNS, args{bad}, no, ""},
		{"unshare nothing", unix.SYS_UNSHARE, args{0}, no, ""},
		{"unshare mounts", unix.SYS_UNSHARE, args{unix.CLONE_NEWNS}, no, ""},
		{"unshare the network", unix.SYS_UNSHARE, args{unix.CLONE_NEWNET}, no, ""},
		{"unshare users", unix.SYS_UNSHARE, args{unix.CLONE_NEWUSER}, no, ""},
		{"sethostname", unix.SYS_SETHOSTNAME, args{nowhere, 1000}, no, ""},
		{"setdomainname", unix.SYS_SETDOMAINNAME, args{nowhere, 1000}, no, ""},
		{"open_by_handle_at", unix.SYS_OPEN_BY_HANDLE_AT, args{bad, nowhere}, no, ""},
		{"name_to_handle_at", unix.SYS_NAME_TO_HANDLE_AT, args{bad, nowhere, nowhere}, no, ""},
		{"lookup_dcookie", unix.SYS_LOOKUP_DCOOKIE, args{}, no, ""},
		{"fanotify_init", unix.SYS_FANOTIFY_INIT, args{0xffffffff}, no, ""},
		{"fanotify_mark", unix.SYS_FANOTIFY_MARK, args{bad}, no, ""},
		{"quotactl", unix.SYS_QUOTACTL, args{0x7fffff00, nowhere}, no, ""},
		{"quotactl_fd", unix.SYS_QUOTACTL_FD, args{bad}, no, ""},
		{"init_module", unix.SYS_INIT_MODULE, args{nowhere, 0, nowhere}, no, ""},
		{"finit_module", unix.SYS_FINIT_MODULE, args{bad, nowhere, 0xffff}, no, ""},
		{"delete_module", unix.SYS_DELETE_MODULE, args{nowhere}, no, ""},
		{"kexec_load", unix.SYS_KEXEC_LOAD, args{0, 9999, nowhere, 0xffff}, no, ""},
		{"kexec_file_load", unix.SYS_KEXEC_FILE_LOAD, args{bad, bad, 0, 0, 0xffff}, no, ""},
		{"reboot", unix.SYS_REBOOT, args{1, 2, 3}, no, ""}, // without its magic numbers
		{"swapon", unix.SYS_SWAPON, args{nowhere, 0xffffffff}, no, ""},
		{"swapoff", unix.SYS_SWAPOFF, args{nowhere}, no, ""},
		{"acct", unix.SYS_ACCT, args{nowhere}, no, ""},
		{"syslog", unix.SYS_SYSLOG, args{10}, no, ""}, // its size
		{"nfsservctl", unix.SYS_NFSSERVCTL, args{}, no, ""},
		{"vhangup", unix.SYS_VHANGUP, args{}, no, ""}, // of no terminal, as the session has none
		{"settimeofday", unix.SYS_SETTIMEOFDAY, args{nowhere}, no, ""},
		{"clock_settime", unix.SYS_CLOCK_SETTIME, args{9999, nowhere}, no, ""},
		{"adjtimex", unix.SYS_ADJTIMEX, args{nowhere}, no, ""},
		{"clock_adjtime", unix.SYS_CLOCK_ADJTIME, args{9999, nowhere}, no, ""},
		{"mbind", unix.SYS_MBIND, args{0, 0, 0xffff}, no, ""},
		{"get_mempolicy", unix.SYS_GET_MEMPOLICY, args{}, no, ""},
		{"set_mempolicy", unix.SYS_SET_MEMPOLICY, args{0xffff}, no, ""},
		{"set_mempolicy_home_node", unix.SYS_SET_MEMPOLICY_HOME_NODE, args{nowhere}, no, ""},
		{"migrate_pages", unix.SYS_MIGRATE_PAGES, args{bad, 1, nowhere, nowhere}, no, ""},
		{"move_pages", unix.SYS_MOVE_PAGES, args{}, no, ""},
		{"clone3", unix.SYS_CLONE3, args{nowhere, 1}, unix.ENOSYS, ""},
		{"no such call", 9999, args{}, unix.ENOSYS, "there is none"},
		{"statmount, which is not listed", unix.SYS_STATMOUNT, args{nowhere}, unix.ENOSYS, ""},
	}
}

// networking makes sockets. With a type that is none the kernel loads no module
// for a family.
func networking() []attempt {
	const none, unsupported = 0xf, unix.EAFNOSUPPORT
	list := []attempt{
		{"socket unix", unix.SYS_SOCKET, args{unix.AF_UNIX, unix.SOCK_STREAM | unix.SOCK_CLOEXEC}, 0, ""},
		{"socket unix packets", unix.SYS_SOCKET, args{unix.AF_UNIX, unix.SOCK_SEQPACKET}, 0, ""},
		{"socket tcp", unix.SYS_SOCKET, args{unix.AF_INET, unix.SOCK_STREAM | unix.SOCK_NONBLOCK, unix.IPPROTO_TCP}, 0, ""},
		{"socket tcp, garbage above", unix.SYS_SOCKET, args{garbage | unix.AF_INET, garbage | unix.SOCK_STREAM, garbage}, 0, ""},
		{"socket udp", unix.SYS_SOCKET, args{unix.AF_INET, unix.SOCK_DGRAM}, 0, ""},
		{"socket raw", unix.SYS_SOCKET, args{unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP}, unix.EPERM, ""},
		{"socket raw, flags", unix.SYS_SOCKET, args{unix.AF_INET, unix.SOCK_RAW | unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK, unix.IPPROTO_UDP}, unix.EPERM, ""},
		{"socket raw, garbage above", unix.SYS_SOCKET, args{unix.AF_INET, garbage | unix.SOCK_RAW, unix.IPPROTO_UDP}, unix.EPERM, ""},
		{"socket raw, garbage above the family", unix.SYS_SOCKET, args{garbage | unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_UDP}, unix.EPERM, ""},
		{"socket inet packet", unix.SYS_SOCKET, args{unix.AF_INET, unix.SOCK_PACKET}, unix.EPERM, ""},
		{"socket sctp", unix.SYS_SOCKET, args{unix.AF_INET, none, unix.IPPROTO_SCTP}, unix.EPROTONOSUPPORT, ""},
		{"socket netlink route", unix.SYS_SOCKET, args{unix.AF_NETLINK, unix.SOCK_RAW | unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE}, 0, ""},
		{"socket netlink route, garbage above", unix.SYS_SOCKET, args{unix.AF_NETLINK, unix.SOCK_DGRAM, garbage}, 0, ""},
		{"socket netlink netfilter", unix.SYS_SOCKET, args{unix.AF_NETLINK, none, unix.NETLINK_NETFILTER}, unsupported, ""},
		{"socket netlink netfilter, garbage above", unix.SYS_SOCKET, args{unix.AF_NETLINK, none, garbage | unix.NETLINK_NETFILTER}, unsupported, ""},
		{"socket netlink audit", unix.SYS_SOCKET, args{unix.AF_NETLINK, none, unix.NETLINK_AUDIT}, unsupported, ""},
		{"socket packet", unix.SYS_SOCKET, args{unix.AF_PACKET, unix.SOCK_RAW}, unsupported, ""},
		{"socket packet, garbage above", unix.SYS_SOCKET, args{garbage | unix.AF_PACKET, unix.SOCK_RAW}, unsupported, ""},
		{"socketpair unix", unix.SYS_SOCKETPAIR, args{unix.AF_UNIX, unix.SOCK_STREAM, 0, space(8)}, 0, ""},
		{"socketpair inet", unix.SYS_SOCKETPAIR, args{unix.AF_INET, unix.SOCK_STREAM, 0, space(8)}, unsupported, ""},
		{"socketpair unix, garbage above", unix.SYS_SOCKETPAIR, args{garbage | unix.AF_UNIX, unix.SOCK_STREAM, 0, space(8)}, 0, ""},
	}
	for _, f := range []struct {
		name   string
		family uintptr
	}{
		{"vsock", unix.AF_VSOCK},
		{"alg", unix.AF_ALG},
		{"bluetooth", unix.AF_BLUETOOTH},
		{"can", unix.AF_CAN},
		{"tipc", unix.AF_TIPC},
		{"rds", unix.AF_RDS},
		{"key", unix.AF_KEY},
		{"xdp", unix.AF_XDP},
		{"smc", unix.AF_SMC},
		{"ax25", unix.AF_AX25},
	} {
		list = append(list, attempt{"socket " + f.name, unix.SYS_SOCKET, args{f.family, none}, unsupported, ""})
	}
	return list
}

func judgedOnes(dir string) []attempt {
	const (
		noRandom   = 0x0040000 // ADDR_NO_RANDOMIZE
		executable = 0x0400000 // READ_IMPLIES_EXEC
		device     = 1<<8 | 3  // /dev/null's
		here       = uintptr(unix.AT_FDCWD & 0xffffffff)
	)
	file := func(name string) uintptr { return text(dir + "/" + name) }
	list := []attempt{
		{"ioctl", unix.SYS_IOCTL, args{0, unix.TCGETS, space(256)}, unix.ENOTTY, ""},
		{"ioctl, garbage above", unix.SYS_IOCTL, args{0, garbage | unix.TCGETS, space(256)}, unix.ENOTTY, ""},
		{"ioctl TIOCSTI", unix.SYS_IOCTL, args{bad, unix.TIOCSTI}, unix.EPERM, ""},
		{"ioctl TIOCSTI, garbage above", unix.SYS_IOCTL, args{bad, garbage | unix.TIOCSTI}, unix.EPERM, ""},
		{"ioctl TIOCLINUX", unix.SYS_IOCTL, args{bad, unix.TIOCLINUX}, unix.EPERM, ""},
		{"ioctl TIOCLINUX, garbage above", unix.SYS_IOCTL, args{bad, garbage | unix.TIOCLINUX}, unix.EPERM, ""},
		{"ioctl TIOCSETD", unix.SYS_IOCTL, args{bad, unix.TIOCSETD}, unix.EPERM, ""},
		{"personality asked for", unix.SYS_PERSONALITY, args{asked}, 0, ""},
		{"personality asked for, garbage above", unix.SYS_PERSONALITY, args{garbage | asked}, 0, ""},
		{"personality Linux 2.6", unix.SYS_PERSONALITY, args{older}, 0, ""},
		{"personality without randomness", unix.SYS_PERSONALITY, args{noRandom}, unix.EPERM, ""},
		{"personality without randomness, garbage above", unix.SYS_PERSONALITY, args{garbage | noRandom}, unix.EPERM, ""},
		{"personality data runs", unix.SYS_PERSONALITY, args{executable | older}, unix.EPERM, ""},
		{"prctl PR_SET_NAME", unix.SYS_PRCTL, args{unix.PR_SET_NAME, text("name")}, 0, ""},
		{"prctl PR_SET_MM", unix.SYS_PRCTL, args{unix.PR_SET_MM, unix.PR_SET_MM_MAP_SIZE, space(8)}, unix.EPERM, ""},
		{"prctl PR_SET_MM, garbage above", unix.SYS_PRCTL, args{garbage | unix.PR_SET_MM, unix.PR_SET_MM_MAP_SIZE, space(8)}, unix.EPERM, ""},
		{"mknodat fifo", unix.SYS_MKNODAT, args{here, file("fifo"), unix.S_IFIFO | 0o600}, 0, ""},
		{"mknodat socket", unix.SYS_MKNODAT, args{here, file("socket"), unix.S_IFSOCK | 0o600}, 0, ""},
		{"mknodat file", unix.SYS_MKNODAT, args{here, file("file"), 0o600}, 0, ""},
		{"mknodat fifo, garbage above", unix.SYS_MKNODAT, args{here, file("fifo2"), garbage | 0xabcd0000 | unix.S_IFIFO | 0o600}, 0, ""},
		{"mknodat character device", unix.SYS_MKNODAT, args{here, file("c"), unix.S_IFCHR | 0o600, device}, unix.EPERM, ""},
		{"mknodat block device", unix.SYS_MKNODAT, args{here, file("b"), unix.S_IFBLK | 0o600, device}, unix.EPERM, ""},
		{"mknodat device, garbage above", unix.SYS_MKNODAT, args{here, file("d"), garbage | 0xabcd0000 | unix.S_IFCHR | 0o600, device}, unix.EPERM, ""},
		{"clone", unix.SYS_CLONE, args{uintptr(unix.SIGCHLD)}, 0, ""},
		{"clone, garbage above", unix.SYS_CLONE, args{garbage | uintptr(unix.SIGCHLD)}, 0, ""},
	}
	for _, c := range []struct {
		name string
		flag uintptr
	}{
		{"users", unix.CLONE_NEWUSER},
		{"mounts", unix.CLONE_NEWNS},
		{"the network", unix.CLONE_NEWNET},
		{"processes", unix.CLONE_NEWPID},
		{"names", unix.CLONE_NEWUTS},
		{"messages", unix.CLONE_NEWIPC},
		{"groups", unix.CLONE_NEWCGROUP},
		{"users, garbage above", garbage | unix.CLONE_NEWUSER},
		{"users and mounts, garbage above", garbage | unix.CLONE_NEWUSER | unix.CLONE_NEWNS},
	} {
		list = append(list, attempt{"clone with a namespace of " + c.name, unix.SYS_CLONE, args{c.flag | uintptr(unix.SIGCHLD)}, unix.EPERM, ""})
	}
	return list
}
