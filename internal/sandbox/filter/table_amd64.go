//go:build linux

package filter

import "golang.org/x/sys/unix"

// native adds what only this architecture has: the older forms of calls, which C
// libraries still make, and its own.
func native() table {
	t := common()
	t.arch = unix.AUDIT_ARCH_X86_64
	t.limit = 0x40000000 // from here on they are those of x32, which have other arguments
	t.allow = append(t.allow, grantedAMD64...)
	t.deny = append(t.deny, refusedAMD64...)
	t.judge = append(t.judge, judged{unix.SYS_MKNOD, nodes(1), fails(unix.EPERM)})
	return t
}

var grantedAMD64 = []uint32{
	// Files by path, without a directory's descriptor.
	unix.SYS_OPEN, unix.SYS_CREAT, unix.SYS_STAT, unix.SYS_LSTAT, unix.SYS_ACCESS, unix.SYS_MKDIR, unix.SYS_RMDIR,
	unix.SYS_RENAME, unix.SYS_LINK, unix.SYS_UNLINK, unix.SYS_SYMLINK, unix.SYS_READLINK, unix.SYS_CHMOD,
	unix.SYS_CHOWN, unix.SYS_LCHOWN, unix.SYS_UTIME, unix.SYS_UTIMES, unix.SYS_FUTIMESAT, unix.SYS_GETDENTS,
	// Waiting and descriptors, without flags.
	unix.SYS_POLL, unix.SYS_SELECT, unix.SYS_EPOLL_CREATE, unix.SYS_EPOLL_WAIT, unix.SYS_INOTIFY_INIT,
	unix.SYS_EVENTFD, unix.SYS_SIGNALFD, unix.SYS_PIPE, unix.SYS_DUP2,
	// Processes and time.
	unix.SYS_FORK, unix.SYS_VFORK, unix.SYS_GETPGRP, unix.SYS_PAUSE, unix.SYS_ALARM, unix.SYS_TIME,
	// The thread's own registers: every C library sets one at start. Shadow stacks.
	unix.SYS_ARCH_PRCTL, unix.SYS_MAP_SHADOW_STACK,
}

var refusedAMD64 = []uint32{
	unix.SYS_IOPL, unix.SYS_IOPERM, // the processor's ports
	unix.SYS_MODIFY_LDT, // segments: only programs of other systems need them
}
