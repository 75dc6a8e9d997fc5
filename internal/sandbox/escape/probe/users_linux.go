package probe

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// users are attacks on what the user may do: ids, capabilities, programs that
// grant more.
var users = []Assertion{
	{ID: "user/not-root", Control: User, What: "be root", Soft: oneUser, try: notRoot},
	{
		ID: "user/not-root-outside", Control: User, What: "have the machine's root among its users", try: notRootOutside,
		Soft: map[string]string{"process": "the level has no users of its own"},
	},
	{ID: "user/setuid", Control: User, What: "become root", Soft: oneUser, try: calls("setuid(0)", unix.SYS_SETUID, 0)},
	{ID: "user/setgid", Control: User, What: "become the group of root", Soft: oneUser, try: calls("setgid(0)", unix.SYS_SETGID, 0)},
	{ID: "user/setresuid", Control: User, What: "become another user", Soft: oneUser, try: calls("setresuid(33)", unix.SYS_SETRESUID, 33, 33, 33)},
	{ID: "user/setresgid", Control: User, What: "become another group", Soft: oneUser, try: calls("setresgid(33)", unix.SYS_SETRESGID, 33, 33, 33)},
	{ID: "user/setgroups", Control: User, What: "join groups", try: func(w *world) error {
		return w.shut(call(unix.SYS_SETGROUPS, 1, space(4)), "setgroups")
	}},
	{ID: "user/groups", Control: User, What: "be in a group of the machine", try: groups},
	{ID: "user/setfsuid", Control: User, What: "open files as root", Soft: oneUser, try: fsuid},
	{ID: "user/setuid-exec", Control: NoNewPrivs, What: "gain by a program of its own with the setuid bit", Soft: oneUser, try: setuidExec},
	{ID: "user/sudo", Control: NoNewPrivs, What: "run su or sudo", Unsafe: true, try: sudo},

	{ID: "capabilities/effective", Control: Capabilities, What: "have capabilities", try: empty("CapEff")},
	{ID: "capabilities/permitted", Control: Capabilities, What: "have capabilities to switch on", try: empty("CapPrm")},
	{ID: "capabilities/inheritable", Control: Capabilities, What: "have capabilities to pass on", try: empty("CapInh")},
	{ID: "capabilities/ambient", Control: Capabilities, What: "have capabilities that stay", try: empty("CapAmb")},
	{ID: "capabilities/bounding", Control: Capabilities, What: "have capabilities to get back", try: empty("CapBnd")},
	{ID: "capabilities/capset", Control: Capabilities, What: "take capabilities", try: capset},
	{ID: "capabilities/ambient-raise", Control: Capabilities, What: "make a capability ambient", try: func(w *world) error {
		return w.shut(unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, unix.CAP_SYS_ADMIN, 0, 0), "PR_CAP_AMBIENT_RAISE", unix.EINVAL)
	}},
	{ID: "capabilities/file", Control: Capabilities, What: "give a file capabilities", try: fileCapability},
	{ID: "capabilities/trusted-attribute", Control: Capabilities, What: "set attributes that only root may", try: trustedAttribute},
	{ID: "capabilities/securebits", Control: Capabilities, What: "keep capabilities when it changes its user", try: func(w *world) error {
		return w.shut(unix.Prctl(unix.PR_SET_SECUREBITS, 1<<4, 0, 0, 0), "PR_SET_SECUREBITS")
	}},
	{ID: "capabilities/in-new-namespace", Control: Capabilities, What: "have capabilities in a namespace of its own", try: inNamespaces(func(*world) []step {
		return []step{{"set the host name", unix.SYS_SETHOSTNAME, [5]uintptr{pointer("mine"), 4}}, {"change the root", unix.SYS_CHROOT, [5]uintptr{pointer("/")}}}
	})},
	{ID: "capabilities/mm", Control: Capabilities, What: "forge what /proc tells of it", try: func(w *world) error {
		return w.shut(unix.Prctl(unix.PR_SET_MM, unix.PR_SET_MM_EXE_FILE, 0, 0, 0), "PR_SET_MM_EXE_FILE")
	}},

	{ID: "no-new-privs/set", Control: NoNewPrivs, What: "gain rights by running programs", try: noNewPrivs},
	{ID: "no-new-privs/clear", Control: NoNewPrivs, What: "switch that off", try: func(w *world) error {
		return w.stopped(unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), "can clear no_new_privs")
	}},
}

func notRoot(w *world) error {
	ids := []int{os.Getuid(), os.Geteuid(), os.Getgid(), os.Getegid()}
	if slices.Contains(ids, 0) {
		return fmt.Errorf("is user %d (%d), group %d (%d)", ids[0], ids[1], ids[2], ids[3])
	}
	w.how = fmt.Sprintf("user %d, group %d", ids[0], ids[2])
	return nil
}

// notRootOutside reads which users of the parent namespace its own are.
func notRootOutside(w *world) error {
	for _, name := range []string{"/proc/self/uid_map", "/proc/self/gid_map"} {
		text, err := os.ReadFile(name)
		if err != nil {
			return w.stopped(err, "")
		}
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) == 3 && f[1] == "0" {
				return fmt.Errorf("%s maps to the machine's root: %s", name, strings.Join(f, " "))
			}
		}
		w.how = "its ids are " + strings.Join(strings.Fields(string(text)), " ")
	}
	return nil
}

func groups(w *world) error {
	list, err := os.Getgroups()
	if err != nil {
		return w.stopped(err, "")
	}
	for _, g := range list {
		if g != os.Getgid() || g == 0 {
			return fmt.Errorf("is in group %d", g)
		}
	}
	w.how = "in none but its own"
	return nil
}

// fsuid asks for the id afterwards: setfsuid has no errors.
func fsuid(w *world) error {
	const nobody = ^uintptr(0)
	_, _ = callFor(unix.SYS_SETFSUID, 0)
	got, err := callFor(unix.SYS_SETFSUID, nobody)
	if err == nil && got == 0 {
		return errors.New("opens files as root")
	}
	w.how = fmt.Sprintf("it stays user %d", got)
	return nil
}

// setuidExec makes a program that runs as its owner, whoever runs it, and runs it
// in a process that would gain its group.
func setuidExec(w *world) error {
	f, err := w.scratch("setuid")
	if err != nil {
		return w.skip(cause(err))
	}
	defer os.Remove(f.Name())
	err = f.Chmod(0o755 | os.ModeSetuid | os.ModeSetgid)
	f.Close()
	if err != nil {
		w.how = cause(err)
		return nil
	}
	if err := os.Chown(f.Name(), 0, 0); err != nil {
		w.how = "it cannot belong to root: " + cause(err)
		return nil
	}
	return errors.New("can make programs that run as root")
}

func sudo(w *world) error {
	for _, path := range []string{"/usr/bin/sudo", "/usr/bin/su", "/usr/bin/pkexec", "/usr/bin/newuidmap", "/usr/bin/mount", "/usr/bin/passwd"} {
		p, err := os.StartProcess(path, []string{path, "--version"}, &os.ProcAttr{})
		if err != nil {
			w.how = cause(err)
			continue
		}
		_, _ = p.Wait()
		return fmt.Errorf("can run %s", path)
	}
	return nil
}

func empty(set string) func(*world) error {
	return func(w *world) error {
		value, err := status(set)
		if err != nil {
			return err
		}
		if strings.Trim(value, "0") != "" {
			return fmt.Errorf("%s is %s", set, value)
		}
		w.how = set + " is empty"
		return nil
	}
}

// capset takes all capabilities, on this thread.
func capset(w *world) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	bit := uint32(1) << unix.CAP_SYS_ADMIN
	data := [2]unix.CapUserData{{Effective: bit, Permitted: bit}}
	return w.shut(unix.Capset(&header, &data[0]), "capset")
}

func fileCapability(w *world) error {
	f, err := w.scratch("capability")
	if err != nil {
		return w.skip(cause(err))
	}
	defer os.Remove(f.Name())
	defer f.Close()
	// struct vfs_cap_data: VFS_CAP_REVISION_2 with the effective flag; all of the first 32.
	value := []byte{1, 0, 0, 2, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	return w.shut(unix.Fsetxattr(int(f.Fd()), "security.capability", value, 0), "setting file capabilities")
}

func trustedAttribute(w *world) error {
	f, err := w.scratch("trusted")
	if err != nil {
		return w.skip(cause(err))
	}
	defer os.Remove(f.Name())
	defer f.Close()
	return w.shut(unix.Fsetxattr(int(f.Fd()), "trusted.overlay.opaque", []byte("y"), 0), "setting trusted attributes", unix.EOPNOTSUPP)
}

func noNewPrivs(w *world) error {
	value, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	if err != nil {
		return err
	}
	if value != 1 {
		return errors.New("no_new_privs is not set")
	}
	w.how = "no_new_privs is set"
	return nil
}

// What a sandbox cannot hold whose processes are all one user.
var (
	oneUser    = map[string]string{"userns": "it is user 0 of a namespace with no other: without capabilities, and outside of it the platform's user, or a user without rights if that is root"}
	ownSandbox = map[string]string{"userns": "the first process is the same user; it heeds no signal, and what harms it harms this sandbox alone"}
)
