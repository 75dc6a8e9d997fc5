//go:build linux

package confine

import "golang.org/x/sys/unix"

// nativeAttempts are what this architecture alone has.
func nativeAttempts(dir string) []attempt {
	const x32 = 0x40000000
	noX32 := "few kernels have x32"
	return []attempt{
		{"mknod fifo", unix.SYS_MKNOD, args{text(dir + "/oldfifo"), unix.S_IFIFO | 0o600}, 0, ""},
		{"mknod device", unix.SYS_MKNOD, args{text(dir + "/old"), unix.S_IFCHR | 0o600, 1<<8 | 3}, unix.EPERM, ""},
		{"mknod device, garbage above", unix.SYS_MKNOD, args{text(dir + "/old2"), garbage | unix.S_IFBLK | 0o600, 1<<8 | 3}, unix.EPERM, ""},
		{"iopl", unix.SYS_IOPL, args{4}, unix.EPERM, ""},
		{"ioperm", unix.SYS_IOPERM, args{1 << 20, 1, 1}, unix.EPERM, ""},
		{"modify_ldt", unix.SYS_MODIFY_LDT, args{0, space(16)}, unix.EPERM, ""},
		{"arch_prctl", unix.SYS_ARCH_PRCTL, args{0x1003, space(8)}, 0, ""}, // ARCH_GET_FS
		{"uselib", unix.SYS_USELIB, args{nowhere}, unix.ENOSYS, gone},
		{"ustat", unix.SYS_USTAT, args{0, nowhere}, unix.ENOSYS, ""},
		{"sysfs", unix.SYS_SYSFS, args{3}, unix.ENOSYS, ""},
		{"_sysctl", unix.SYS__SYSCTL, args{nowhere}, unix.ENOSYS, gone},
		{"x32 getpid", x32 | unix.SYS_GETPID, args{}, unix.ENOSYS, noX32},
		{"x32 ptrace", x32 | 521, args{unix.PTRACE_ATTACH, bad}, unix.ENOSYS, noX32},
		{"x32 execve", x32 | 520, args{nowhere}, unix.ENOSYS, noX32},
		{"getpid, garbage above the number", 0xa5a5<<32 | unix.SYS_GETPID, args{}, 0, ""},
		{"unshare, garbage above the number", 0xa5a5<<32 | unix.SYS_UNSHARE, args{0}, unix.EPERM, ""},
	}
}
