//go:build amd64 || arm64

package filter

import "golang.org/x/sys/unix"

// namespaces are the flags of clone that make one. That of time is not among them:
// clone takes its bit for a part of the signal.
const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// Of personality(2): how a program was started is asked for with query; a few
// programs want what Linux 2.6 said of itself or a process of 32 bits.
const (
	query    = 0xffffffff
	linux32  = 0x0008
	linux26  = 0x0020000
	typeMask = 0xf // of a socket's type; the rest is flags
)

func judgements() []judged {
	return []judged{
		{unix.SYS_CLONE, []rule{{[]condition{{0, namespaces, []uint32{0}}}, allowed}}, fails(unix.EPERM)},
		{unix.SYS_SOCKET, sockets, fails(unix.EAFNOSUPPORT)},
		{unix.SYS_SOCKETPAIR, []rule{{[]condition{domain(unix.AF_UNIX)}, allowed}}, fails(unix.EAFNOSUPPORT)},
		// Typing into the terminal of whoever started us, pasting into a console, and
		// line disciplines, whose modules the kernel would load.
		{unix.SYS_IOCTL, []rule{
			{[]condition{{1, whole, []uint32{unix.TIOCSTI, unix.TIOCLINUX, unix.TIOCSETD}}}, fails(unix.EPERM)},
		}, allowed},
		{unix.SYS_PERSONALITY, []rule{
			{[]condition{{0, whole, []uint32{0, linux32, linux26, linux26 | linux32, query}}}, allowed},
		}, fails(unix.EPERM)},
		// What a process says of its own program and memory in /proc is to be true.
		// Naming who may trace it is harmless, as nobody can trace, and crash handlers
		// do it.
		{unix.SYS_PRCTL, []rule{{[]condition{{0, whole, []uint32{unix.PR_SET_MM}}}, fails(unix.EPERM)}}, allowed},
		{unix.SYS_MKNODAT, nodes(2), fails(unix.EPERM)},
	}
}

// nodes are what may be made besides directories and links; not devices.
func nodes(mode int) []rule {
	return []rule{{[]condition{{mode, unix.S_IFMT, []uint32{0, unix.S_IFREG, unix.S_IFIFO, unix.S_IFSOCK}}}, allowed}}
}

func domain(of ...uint32) condition     { return condition{0, whole, of} }
func socketType(of ...uint32) condition { return condition{1, typeMask, of} }
func protocol(of ...uint32) condition   { return condition{2, whole, of} }

// sockets are those of a machine without privileges on the internet: the kernel
// has some forty families more, and loads modules for them when asked.
var sockets = []rule{
	{[]condition{domain(unix.AF_UNIX)}, allowed},
	{[]condition{
		domain(unix.AF_INET, unix.AF_INET6), socketType(unix.SOCK_STREAM),
		protocol(0, unix.IPPROTO_TCP, unix.IPPROTO_MPTCP),
	}, allowed},
	{[]condition{
		domain(unix.AF_INET, unix.AF_INET6), socketType(unix.SOCK_DGRAM),
		protocol(0, unix.IPPROTO_UDP, unix.IPPROTO_UDPLITE, unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6),
	}, allowed},
	{[]condition{
		domain(unix.AF_INET, unix.AF_INET6), socketType(unix.SOCK_RAW, unix.SOCK_PACKET),
	}, fails(unix.EPERM)},
	{[]condition{domain(unix.AF_INET, unix.AF_INET6)}, fails(unix.EPROTONOSUPPORT)},
	// How C libraries list addresses. Its type is often SOCK_RAW, which means nothing
	// here.
	{[]condition{domain(unix.AF_NETLINK), protocol(unix.NETLINK_ROUTE)}, allowed},
}
