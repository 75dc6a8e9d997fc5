package probe

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// procfs are attacks by /proc.
var procfs = []Assertion{
	{ID: "proc/kcore", Control: Proc, What: "read the machine's memory", try: reads("/proc/kcore")},
	{ID: "proc/keys", Control: Proc, What: "see keys of the kernel", try: reads("/proc/keys", "/proc/key-users")},
	{ID: "proc/kallsyms", Control: Proc, What: "learn the kernel's addresses", try: reads("/proc/kallsyms")},
	{ID: "proc/kmsg", Control: Proc, What: "read the kernel's messages", try: reads("/proc/kmsg")},
	{ID: "proc/timer-list", Control: Proc, What: "learn the machine's timers", try: reads("/proc/timer_list", "/proc/sched_debug", "/proc/latency_stats")},
	{ID: "proc/config", Control: Proc, What: "learn how the kernel was built", try: reads("/proc/config.gz")},
	{ID: "proc/iomem", Control: Proc, What: "learn the map of the machine's memory", try: reads("/proc/iomem", "/proc/ioports")},
	{ID: "proc/modules", Control: Proc, What: "learn the kernel's modules", try: reads("/proc/modules")},
	{ID: "proc/cmdline", Control: Proc, What: "learn how the machine was started", try: reads("/proc/cmdline")},
	{ID: "proc/slabinfo", Control: Proc, What: "learn how the kernel uses memory", try: reads("/proc/slabinfo", "/proc/vmallocinfo", "/proc/pagetypeinfo")},
	{ID: "proc/pages", Control: Proc, What: "learn the state of pages", try: reads("/proc/kpagecount", "/proc/kpageflags", "/proc/kpagecgroup")},
	{ID: "proc/pressure", Control: Proc, What: "measure the machine's load", try: lists("/proc/pressure")},
	{ID: "proc/interrupts", Control: Proc, What: "time the machine's keyboards and devices by its interrupts", try: reads("/proc/interrupts")},
	{ID: "proc/bus", Control: Proc, What: "see the machine's devices", try: reads("/proc/bus/pci/devices", "/proc/bus/input/devices")},
	{ID: "proc/file-systems", Control: Proc, What: "see the machine's disks", try: lists("/proc/fs/ext4", "/proc/fs/jbd2", "/proc/fs/xfs", "/proc/fs/nfsd", "/proc/fs/lockd")},
	{ID: "proc/sound", Control: Proc, What: "see the machine's sound and timers", try: lists("/proc/asound", "/proc/device-tree")},
	{ID: "proc/dynamic-debug", Control: Proc, What: "have the kernel say more", try: overwrites("/proc/dynamic_debug/control")},
	{ID: "proc/scsi", Control: Proc, What: "reach disks", try: lists("/proc/scsi", "/proc/acpi")},
	{ID: "proc/own-mem", Control: Proc, What: "find its memory's pages in the machine", try: pagemap},
	{ID: "proc/sysrq", Control: Proc, What: "press the kernel's emergency keys", try: overwrites("/proc/sysrq-trigger")},
	{ID: "proc/core-pattern", Control: Proc, What: "have the kernel run a program at a crash", try: overwrites("/proc/sys/kernel/core_pattern")},
	{ID: "proc/modprobe", Control: Proc, What: "have the kernel run a program for a module", try: overwrites("/proc/sys/kernel/modprobe", "/proc/sys/kernel/hotplug")},
	{ID: "proc/binfmt", Control: Proc, What: "have the kernel run a program for a format", try: overwrites("/proc/sys/fs/binfmt_misc/register", "/proc/sys/fs/binfmt_misc/status")},
	{ID: "proc/sys-kernel", Control: Proc, What: "change settings of the kernel", try: overwrites("/proc/sys/kernel/panic", "/proc/sys/kernel/kptr_restrict", "/proc/sys/kernel/dmesg_restrict", "/proc/sys/kernel/randomize_va_space", "/proc/sys/kernel/yama/ptrace_scope", "/proc/sys/kernel/perf_event_paranoid", "/proc/sys/kernel/unprivileged_bpf_disabled")},
	{ID: "proc/read-only-settings", Control: Proc, What: "find the kernel's settings protected by modes alone", Unsafe: true, try: readOnly("/proc/sys/kernel/panic", "/proc/sys/net", "/proc/irq")},
	{ID: "proc/sys-hostname", Control: Proc, What: "change the name by a setting", try: overwrites("/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname")},
	{ID: "proc/sys-pids", Control: Proc, What: "change which process ids come next", try: overwrites("/proc/sys/kernel/ns_last_pid", "/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max")},
	{ID: "proc/sys-ipc", Control: Proc, What: "change limits of IPC", try: overwrites("/proc/sys/kernel/shmmax", "/proc/sys/kernel/msgmax", "/proc/sys/fs/mqueue/msg_max")},
	{ID: "proc/sys-vm", Control: Proc, What: "change how memory is given out", try: overwrites("/proc/sys/vm/overcommit_memory", "/proc/sys/vm/drop_caches", "/proc/sys/vm/mmap_min_addr", "/proc/sys/vm/panic_on_oom")},
	{ID: "proc/sys-fs", Control: Proc, What: "change settings of file systems", try: overwrites("/proc/sys/fs/protected_symlinks", "/proc/sys/fs/suid_dumpable", "/proc/sys/fs/file-max")},
	{ID: "proc/sys-net", Control: Proc, What: "change settings of the network", try: overwrites("/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv4/ping_group_range", "/proc/sys/net/ipv4/conf/all/rp_filter", "/proc/sys/net/ipv4/ip_unprivileged_port_start")},
	{ID: "proc/sys-user", Control: Proc, What: "change limits of namespaces", try: overwrites("/proc/sys/user/max_user_namespaces", "/proc/sys/user/max_mnt_namespaces")},
	{ID: "proc/irq", Control: Proc, What: "move interrupts", try: overwrites("/proc/irq/default_smp_affinity")},
	{ID: "proc/mtrr", Control: Proc, What: "change the types of memory", try: overwrites("/proc/mtrr")},
	{ID: "proc/uid-map", Control: Proc, What: "change which users its own are", try: changesMap},
	{ID: "proc/partitions", Control: Proc, What: "take files of the machine's disks by their numbers", try: disks},
	{ID: "landlock/proc-write", Control: Landlock, What: "write anywhere in /proc", Unsafe: true, try: writesProc("/proc/self/comm", "probe")},
	{ID: "landlock/oom-score", Control: Landlock, What: "have others killed for its memory", Unsafe: true, try: writesProc("/proc/self/oom_score_adj", "-1000")},
	{ID: "landlock/proc-settings", Control: Landlock, What: "change settings of its own processes in /proc", Unsafe: true, try: overwrites("/proc/self/attr/current", "/proc/self/clear_refs", "/proc/self/coredump_filter", "/proc/self/timerslack_ns")},
}

// pagemap looks for a number of a page frame, with which attacks on memory aim.
func pagemap(w *world) error {
	fd, err := unix.Open("/proc/self/pagemap", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		w.how = err.Error()
		return nil
	}
	defer unix.Close(fd)
	page := make([]byte, 4096)
	page[0] = 1
	entry := make([]byte, 8)
	if _, err := unix.Pread(fd, entry, int64(address(page))/4096*8); err != nil {
		w.how = err.Error()
		return nil
	}
	if get32(entry) != 0 {
		return fmt.Errorf("learns that its memory is in page frame %d", get32(entry))
	}
	w.how = "the numbers are zero"
	return nil
}

func changesMap(w *world) error {
	fd, err := unix.Open("/proc/self/uid_map", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		w.how = err.Error()
		return nil
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte("0 0 4294967295\n"))
	return w.stopped(err, "can map its users anew")
}

// disks tries what /proc/partitions names.
func disks(w *world) error {
	text, err := os.ReadFile("/proc/partitions")
	if err != nil {
		return w.stopped(err, "")
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) != 4 || f[0] == "major" {
			continue
		}
		if err := w.read("/dev/" + f[3]); err != nil {
			return err
		}
	}
	return nil
}

func writesProc(path, text string) func(*world) error {
	return func(w *world) error {
		fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			_, err = unix.Write(fd, []byte(text))
			unix.Close(fd)
		}
		return w.stopped(err, "can write to %s", path)
	}
}

// sysfs are attacks by /sys.
var sysfs = []Assertion{
	{ID: "sys/absent", Control: Sys, What: "look into /sys", try: lists("/sys")},
	{ID: "sys/debug", Control: Sys, What: "use the kernel's debugging and tracing files", try: lists("/sys/kernel/debug", "/sys/kernel/tracing", "/sys/kernel/security")},
	{ID: "sys/firmware", Control: Sys, What: "read the machine's firmware", try: lists("/sys/firmware", "/sys/firmware/efi/efivars")},
	{ID: "sys/uevent-helper", Control: Sys, What: "have the kernel run a program for a device", try: overwrites("/sys/kernel/uevent_helper")},
	{ID: "sys/devices", Control: Sys, What: "see the machine's devices", try: lists("/sys/class/net", "/sys/block", "/sys/bus/pci/devices")},
	{ID: "sys/power", Control: Sys, What: "put the machine to sleep", try: overwrites("/sys/power/state")},
}

// cgroups are attacks on its limits.
var cgroups = []Assertion{
	{ID: "cgroup/files", Control: Cgroup, What: "see control groups", try: lists("/sys/fs/cgroup")},
	{ID: "cgroup/mounted", Control: Cgroup, What: "find control groups mounted anywhere", try: mountedCgroups},
	{ID: "cgroup/path", Control: Cgroup, What: "learn which control group it is in", try: cgroupPath},
	{ID: "cgroup/release-agent", Control: Cgroup, What: "have the kernel run a program at the end of a group", try: overwrites("/sys/fs/cgroup/memory/release_agent", "/sys/fs/cgroup/cpu/release_agent", "/sys/fs/cgroup/pids/release_agent", "/sys/fs/cgroup/release_agent")},
	{ID: "cgroup/raise-memory", Control: Cgroup, What: "raise its memory limit", try: overwrites("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/unified/cgroup.procs")},
	{ID: "cgroup/leave", Control: Cgroup, What: "leave its control group", try: overwrites("/sys/fs/cgroup/pids/cgroup.procs", "/sys/fs/cgroup/memory/cgroup.procs", "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/unified/cgroup.procs")},
}

func mountedCgroups(w *world) error {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return w.stopped(err, "")
	}
	for line := range strings.Lines(string(text)) {
		if _, kind, _ := strings.Cut(line, " - "); strings.HasPrefix(kind, "cgroup") {
			return fmt.Errorf("control groups are mounted: %s", strings.Fields(line)[4])
		}
	}
	w.how = "none is mounted"
	return nil
}

func cgroupPath(w *world) error {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return w.stopped(err, "")
	}
	for line := range strings.Lines(string(text)) {
		if part := strings.SplitN(strings.TrimSpace(line), ":", 3); len(part) == 3 && part[2] != "/" {
			return fmt.Errorf("is in the control group %s", part[2])
		}
	}
	w.how = "all look like roots"
	return nil
}
