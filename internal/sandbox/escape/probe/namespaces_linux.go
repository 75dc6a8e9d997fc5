package probe

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// namespaces are attacks by making namespaces and by entering others'. All happen
// in processes and threads that end with the attack.
var namespaces = []Assertion{
	{ID: "namespaces/unshare-user", Control: Namespaces, What: "make a user namespace", try: unshares(unix.CLONE_NEWUSER)},
	{ID: "namespaces/unshare-mount", Control: Namespaces, What: "make a mount namespace", try: unshares(unix.CLONE_NEWNS)},
	{ID: "namespaces/unshare-pid", Control: Namespaces, What: "make a process-id namespace", try: unshares(unix.CLONE_NEWPID)},
	{ID: "namespaces/unshare-net", Control: Namespaces, What: "make a network namespace", try: unshares(unix.CLONE_NEWNET)},
	{ID: "namespaces/unshare-ipc", Control: Namespaces, What: "make an IPC namespace", try: unshares(unix.CLONE_NEWIPC)},
	{ID: "namespaces/unshare-uts", Control: Namespaces, What: "make a UTS namespace", try: unshares(unix.CLONE_NEWUTS)},
	{ID: "namespaces/unshare-cgroup", Control: Namespaces, What: "make a namespace of control groups", try: unshares(unix.CLONE_NEWCGROUP)},
	{ID: "namespaces/unshare-time", Control: Namespaces, What: "make a time namespace", try: unshares(unix.CLONE_NEWTIME)},
	{ID: "namespaces/clone-user", Control: Namespaces, What: "start a process in a new user namespace", try: clones(unix.CLONE_NEWUSER)},
	{ID: "namespaces/clone-mount", Control: Namespaces, What: "start a process in a new mount namespace", try: clones(unix.CLONE_NEWNS)},
	{ID: "namespaces/clone-pid", Control: Namespaces, What: "start a process in a new process-id namespace", try: clones(unix.CLONE_NEWPID)},
	{ID: "namespaces/clone-net", Control: Namespaces, What: "start a process in a new network namespace", try: clones(unix.CLONE_NEWNET)},
	{ID: "namespaces/clone-all", Control: Namespaces, What: "start a process in new namespaces of all kinds", try: clones(unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP)},
	{ID: "namespaces/clone3-user", Control: Namespaces, What: "do so by clone3, whose flags no filter sees", try: clone3},
	{ID: "namespaces/setns-user", Control: Namespaces, What: "enter the user namespace of the first process", try: enters("/proc/1/ns/user", unix.CLONE_NEWUSER)},
	{ID: "namespaces/setns-mount", Control: Namespaces, What: "enter the mount namespace of the first process", try: enters("/proc/1/ns/mnt", unix.CLONE_NEWNS)},
	{ID: "namespaces/setns-pid", Control: Namespaces, What: "enter the process-id namespace of the first process", try: enters("/proc/1/ns/pid", unix.CLONE_NEWPID)},
	{ID: "namespaces/setns-net", Control: Namespaces, What: "enter the network namespace of the first process", try: enters("/proc/1/ns/net", unix.CLONE_NEWNET)},
	{ID: "namespaces/setns-ipc", Control: Namespaces, What: "enter the IPC namespace of the first process", try: enters("/proc/1/ns/ipc", unix.CLONE_NEWIPC)},
	{ID: "namespaces/setns-uts", Control: Namespaces, What: "enter the UTS namespace of the first process", try: enters("/proc/1/ns/uts", unix.CLONE_NEWUTS)},
	{ID: "namespaces/setns-cgroup", Control: Namespaces, What: "enter the control groups' namespace of the first process", try: enters("/proc/1/ns/cgroup", unix.CLONE_NEWCGROUP)},
	{ID: "namespaces/setns-platform", Control: Namespaces, What: "enter the namespaces of the platform", try: func(w *world) error {
		return enters(fmt.Sprintf("/proc/%d/ns/net", w.Host.Pid), unix.CLONE_NEWNET)(w)
	}},
	{ID: "namespaces/setns-own", Control: Namespaces, What: "use setns at all", try: enters("/proc/self/ns/net", unix.CLONE_NEWNET)},
	{ID: "namespaces/setns-pidfd", Control: Namespaces, What: "enter the namespaces of the first process by a descriptor", try: entersPidfd},
	{ID: "namespaces/parent-user", Control: Namespaces, What: "open the machine's user namespace from its own", try: asksNamespace(unix.NS_GET_USERNS)},
	{ID: "namespaces/parent-pid", Control: Namespaces, What: "open the machine's process-id namespace from its own", try: parentPid},
}

func unshares(flag uintptr) func(*world) error {
	return func(w *world) error {
		return w.shut(inFork(unix.SYS_UNSHARE, flag), fmt.Sprintf("unshare(%#x)", flag))
	}
}

func clones(flags uintptr) func(*world) error {
	return func(w *world) error {
		_, err := fork(flags, nil)
		return w.shut(err, fmt.Sprintf("clone(%#x)", flags))
	}
}

// clone3 has its flags in memory. The forked process does nothing.
func clone3(w *world) error {
	args := struct {
		flags, pidfd, child, parent, signal, stack, size, tls uint64
	}{flags: unix.CLONE_NEWUSER, signal: uint64(syscall.SIGCHLD)}
	pid, errno := clone3With(&args.flags)
	if errno != 0 {
		return w.shut(errno, "clone3")
	}
	_, _ = syscall.Wait4(pid, nil, syscall.WALL, nil)
	return fmt.Errorf("clone3 makes a user namespace")
}

func enters(path string, kind int) func(*world) error {
	return func(w *world) error {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			w.how = "open: " + err.Error()
			return nil
		}
		defer unix.Close(fd)
		if !w.Sandboxed {
			// A thread of its own would enter; what counts is known by now.
			return fmt.Errorf("can open %s", path)
		}
		return w.shut(unix.Setns(fd, kind), "setns of "+path)
	}
}

func entersPidfd(w *world) error {
	fd, err := unix.PidfdOpen(1, 0)
	if err != nil {
		w.how = "pidfd_open: " + err.Error()
		return nil
	}
	defer unix.Close(fd)
	return w.shut(unix.Setns(fd, unix.CLONE_NEWNET), "setns of a pidfd")
}

// asksNamespace asks a namespace for a related one.
func asksNamespace(request uint) func(*world) error {
	return func(w *world) error {
		fd, err := unix.Open("/proc/self/ns/user", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			w.how = "open: " + err.Error()
			return nil
		}
		defer unix.Close(fd)
		got, err := unix.IoctlRetInt(fd, request)
		if err == nil {
			unix.Close(got)
		}
		return w.stopped(err, "can open the namespace above its own")
	}
}

func parentPid(w *world) error {
	fd, err := unix.Open("/proc/self/ns/pid", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		w.how = "open: " + err.Error()
		return nil
	}
	defer unix.Close(fd)
	got, err := unix.IoctlRetInt(fd, unix.NS_GET_PARENT)
	if err == nil {
		unix.Close(got)
	}
	return w.stopped(err, "can open the namespace above its own")
}
