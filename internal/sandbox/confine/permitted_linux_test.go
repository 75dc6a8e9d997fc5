//go:build amd64 || arm64

package confine

import (
	"os"

	"golang.org/x/sys/unix"
)

// permitted are calls that runtimes make and that older lists of others lack.
func permitted(dir string) []attempt {
	const here = uintptr(unix.AT_FDCWD & 0xffffffff)
	self := uintptr(os.Getpid())
	path := text(dir)
	return []attempt{
		{"getpid", unix.SYS_GETPID, args{}, 0, ""},
		{"statx", unix.SYS_STATX, args{here, path, 0, unix.STATX_BASIC_STATS, space(256)}, 0, ""},
		{"openat2", unix.SYS_OPENAT2, args{here, path, space(24), 24}, 0, ""},
		{"faccessat2", unix.SYS_FACCESSAT2, args{here, path, unix.R_OK}, 0, ""},
		{"fchmodat2", unix.SYS_FCHMODAT2, args{here, path, 0o755}, 0, ""},
		{"chown", unix.SYS_FCHOWNAT, args{here, path, uintptr(os.Getuid()), uintptr(os.Getgid())}, 0, ""},
		{"utimensat", unix.SYS_UTIMENSAT, args{here, path}, 0, ""},
		{"listxattr", unix.SYS_LISTXATTR, args{path}, 0, ""},
		{"copy_file_range", unix.SYS_COPY_FILE_RANGE, args{bad, 0, bad, 0, 1}, unix.EBADF, ""},
		{"close_range", unix.SYS_CLOSE_RANGE, args{1 << 20, 1 << 21, 0}, 0, ""},
		{"memfd_create", unix.SYS_MEMFD_CREATE, args{text("m"), unix.MFD_CLOEXEC}, 0, ""},
		{"mmap of code", unix.SYS_MMAP, args{0, 4096, unix.PROT_READ | unix.PROT_EXEC, unix.MAP_PRIVATE | unix.MAP_ANON, bad}, 0, ""},
		{"pkey_free", unix.SYS_PKEY_FREE, args{9999}, unix.EINVAL, ""},
		{"pidfd_open", unix.SYS_PIDFD_OPEN, args{self}, 0, ""},
		{"pidfd_send_signal", unix.SYS_PIDFD_SEND_SIGNAL, args{bad}, unix.EBADF, ""},
		{"waitid", unix.SYS_WAITID, args{unix.P_PID, self, 0, unix.WEXITED | unix.WNOHANG}, unix.ECHILD, ""},
		{"prlimit64", unix.SYS_PRLIMIT64, args{0, unix.RLIMIT_NOFILE, 0, space(16)}, 0, ""},
		{"sysinfo", unix.SYS_SYSINFO, args{space(256)}, 0, ""},
		{"rseq", unix.SYS_RSEQ, args{0, 1}, unix.EINVAL, ""},
		{"membarrier", unix.SYS_MEMBARRIER, args{0}, 0, ""},
		{"futex wake", unix.SYS_FUTEX, args{space(4), 1, 1}, 0, ""},
		{"sched_getaffinity", unix.SYS_SCHED_GETAFFINITY, args{0, 1024, space(1024)}, 0, ""},
		{"getrandom", unix.SYS_GETRANDOM, args{space(16), 16}, 0, ""},
		{"epoll_create1", unix.SYS_EPOLL_CREATE1, args{unix.EPOLL_CLOEXEC}, 0, ""},
		{"epoll_pwait2", unix.SYS_EPOLL_PWAIT2, args{bad, space(16), 1}, unix.EBADF, ""},
		{"eventfd2", unix.SYS_EVENTFD2, args{}, 0, ""},
		{"timerfd_create", unix.SYS_TIMERFD_CREATE, args{unix.CLOCK_MONOTONIC}, 0, ""},
		{"inotify_init1", unix.SYS_INOTIFY_INIT1, args{}, 0, ""},
		{"io_setup", unix.SYS_IO_SETUP, args{1, space(8)}, 0, ""},
		{"shmget", unix.SYS_SHMGET, args{0, 4096, 0xffff}, 0, ""},
		{"semget", unix.SYS_SEMGET, args{0, 0, 0}, unix.EINVAL, ""},
		{"mq_unlink", unix.SYS_MQ_UNLINK, args{text("confine-none")}, unix.ENOENT, ""},
		{"capget", unix.SYS_CAPGET, args{put([]byte{0x22, 0x05, 0x08, 0x20, 0, 0, 0, 0}), space(24)}, 0, ""},
		{"setuid to its own", unix.SYS_SETUID, args{uintptr(os.Getuid())}, 0, ""},
		{"seccomp", unix.SYS_SECCOMP, args{unix.SECCOMP_GET_ACTION_AVAIL, 0, put([]byte{0, 0, 5, 0})}, 0, ""},
		{"sendfile", unix.SYS_SENDFILE, args{bad, bad, 0, 1}, unix.EBADF, ""},
		{"tee", unix.SYS_TEE, args{bad, bad, 1}, unix.EBADF, ""},
		{"rt_tgsigqueueinfo", unix.SYS_RT_TGSIGQUEUEINFO, args{self, self, 0, nowhere}, unix.EFAULT, ""},
		{"clock_gettime", unix.SYS_CLOCK_GETTIME, args{unix.CLOCK_REALTIME, space(16)}, 0, ""},
	}
}
