package probe

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// ipcs are attacks by the older ways that processes talk, and by names.
var ipcs = []Assertion{
	{ID: "ipc/shm-key", Control: IPC, What: "find shared memory of the machine by its key", Heavy: true, try: keyed("shmget", unix.SYS_SHMGET)},
	{ID: "ipc/shm-attach", Control: IPC, What: "attach shared memory of the machine by its number", try: attaches},
	{ID: "ipc/msg-key", Control: IPC, What: "find a message queue of the machine by its key", Heavy: true, try: keyed("msgget", unix.SYS_MSGGET)},
	{ID: "ipc/sem-key", Control: IPC, What: "find semaphores of the machine by their key", Heavy: true, try: keyed("semget", unix.SYS_SEMGET)},
	{ID: "ipc/list", Control: IPC, What: "see what there is on the machine", try: sysvLists},
	{ID: "ipc/mqueue", Control: IPC, What: "open a POSIX message queue of the machine", Heavy: true, try: func(w *world) error {
		if w.Host.Queue == "" {
			return w.skip("the machine made none")
		}
		fd, err := callFor(unix.SYS_MQ_OPEN, pointer(w.Host.Queue), unix.O_RDWR|unix.O_CLOEXEC, 0, 0)
		if err == nil {
			unix.Close(int(fd))
		}
		return w.stopped(err, "can open the queue %s", w.Host.Queue)
	}},
	{ID: "uts/name", Control: UTS, What: "learn the machine's name", try: hostName},
	{ID: "uts/set-name", Control: UTS, What: "change the host name", Unsafe: true, try: func(w *world) error {
		return w.shut(unix.Sethostname([]byte("mine")), "sethostname")
	}},
	{ID: "uts/files", Control: UTS, What: "learn the machine's name from files", try: func(w *world) error {
		for _, path := range []string{"/etc/hostname", "/etc/hosts", "/proc/sys/kernel/hostname"} {
			if text, _ := os.ReadFile(path); w.Host.Name != "" && slices.Contains(strings.Fields(string(text)), w.Host.Name) {
				return fmt.Errorf("%s has the machine's name", path)
			}
		}
		w.how = "none has it"
		return nil
	}},
}

// descriptorTable are looks at what the probe was started with.
var descriptorTable = []Assertion{
	{ID: "descriptors/inherited", Control: Descriptors, What: "have descriptors of the platform", try: func(w *world) error {
		if len(w.Open) > 0 {
			return fmt.Errorf("has %s", strings.Join(w.Open, ", "))
		}
		w.how = "it has the standard ones alone"
		return nil
	}},
	{ID: "descriptors/standard", Control: Descriptors, What: "have files of the machine as its standard descriptors", try: func(w *world) error {
		for _, fd := range []string{"0", "1", "2"} {
			target, err := os.Readlink("/proc/self/fd/" + fd)
			if err == nil && target != "/dev/null" && !strings.HasPrefix(target, "pipe:") {
				return fmt.Errorf("descriptor %s is %s", fd, target)
			}
		}
		w.how = "they are pipes and /dev/null"
		return nil
	}},
	{ID: "environment/inherited", Control: Environment, What: "have the platform's environment", try: func(w *world) error {
		for _, entry := range w.Env {
			if name, _, _ := strings.Cut(entry, "="); name != Variable && name != "PATH" {
				return fmt.Errorf("has %s", name)
			}
		}
		w.how = "it has what it was given"
		return nil
	}},
}

// keyed looks for an object that the machine made with the key.
func keyed(name string, trap uintptr) func(*world) error {
	return func(w *world) error {
		if w.Host.Key == 0 {
			return w.skip("the machine made none")
		}
		return w.stopped(call(trap, uintptr(w.Host.Key), 0, 0), "%s finds it", name)
	}
}

func attaches(w *world) error {
	if w.Host.Shm < 0 {
		return w.skip("the machine made none")
	}
	at, err := callFor(unix.SYS_SHMAT, uintptr(w.Host.Shm), 0, unix.SHM_RDONLY)
	if err == nil {
		_ = call(unix.SYS_SHMDT, at)
	}
	return w.stopped(err, "can attach the segment %d", w.Host.Shm)
}

// sysvLists have a line of titles.
func sysvLists(w *world) error {
	for _, name := range []string{"/proc/sysvipc/shm", "/proc/sysvipc/msg", "/proc/sysvipc/sem"} {
		if text, _ := os.ReadFile(name); strings.Count(string(text), "\n") > 1 {
			return fmt.Errorf("%s shows some", name)
		}
	}
	w.how = "the lists are empty"
	return nil
}

func hostName(w *world) error {
	name, err := os.Hostname()
	if err != nil {
		return w.stopped(err, "")
	}
	if name == w.Host.Name {
		return fmt.Errorf("the host name is the machine's, %s", name)
	}
	w.how = "it is called " + name
	return nil
}
