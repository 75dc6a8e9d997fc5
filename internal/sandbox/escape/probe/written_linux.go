package probe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// written are attacks on files by writing.
var written = []Assertion{
	{ID: "files/create-root", Control: Files, What: "make files in /", try: creates("/")},
	{ID: "files/create-usr", Control: Files, What: "make files in /usr", try: creates("/usr")},
	{ID: "files/create-bin", Control: Files, What: "make programs in /usr/bin", try: creates("/usr/bin")},
	{ID: "files/create-lib", Control: Files, What: "make libraries in /usr/lib", try: creates("/usr/lib")},
	{ID: "files/create-etc", Control: Files, What: "make files in /etc", try: creates("/etc")},
	{ID: "files/create-var", Control: Files, What: "make files in /var", try: creates("/var")},
	{ID: "files/create-opt", Control: Files, What: "make files in /opt, where layers are", try: creates("/opt")},
	{ID: "files/create-home", Control: Files, What: "make files in the home of root", try: creates("/root")},
	{ID: "files/create-run", Control: Files, What: "make files in /run", try: creates("/run")},
	{ID: "files/create-dev", Control: Files, What: "make files in /dev", try: creates("/dev")},
	{ID: "files/create-task", Control: Files, What: "change its own code", try: func(w *world) error { return creates(w.Task)(w) }},
	{ID: "files/create-runtime", Control: Files, What: "make files in the runtime's directories", Unsafe: true, try: func(w *world) error {
		for _, dir := range []string{"/var/runtime", "/var/lang"} {
			if err := creates(dir)(w); err != nil {
				return err
			}
		}
		return nil
	}},
	{ID: "files/overwrite-programs", Control: Files, What: "write to the system's programs", try: overwrites("/usr/bin/env", "/bin/sh", "/usr/bin/ls")},
	{ID: "files/overwrite-etc", Control: Files, What: "write to the system's settings", try: overwrites("/etc/passwd", "/etc/hosts", "/etc/resolv.conf", "/etc/ld.so.cache")},
	{ID: "files/overwrite-certificates", Control: Files, What: "write to the list of certificates", try: overwrites("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")},
	{ID: "files/overwrite-self", Control: Files, What: "write to the program that it runs (CVE-2019-5736)", try: overwrites("/proc/self/exe")},
	{ID: "files/overwrite-first", Control: Files, What: "write to the platform's program (CVE-2019-5736)", Unsafe: true, try: overwrites("/proc/1/exe")},
	{ID: "files/truncate", Control: Files, What: "empty the system's files", Unsafe: true, try: func(w *world) error { return w.stopped(unix.Truncate("/etc/passwd", 0), "can empty /etc/passwd") }},
	{ID: "files/unlink", Control: Files, What: "remove the system's files", Unsafe: true, try: func(w *world) error { return w.stopped(unix.Unlink("/etc/hosts"), "can remove /etc/hosts") }},
	{ID: "files/rename", Control: Files, What: "rename the system's directories", Unsafe: true, try: func(w *world) error { return w.stopped(unix.Rename("/opt", "/opt-of-mine"), "can rename /opt") }},
	{ID: "files/mkdir", Control: Files, What: "make directories in /", Unsafe: true, try: func(w *world) error { return w.stopped(unix.Mkdir("/escaped", 0o700), "can make /escaped") }},
	{ID: "files/chmod", Control: Files, What: "change the mode of the system's files", Unsafe: true, try: func(w *world) error {
		return w.stopped(unix.Chmod("/usr/bin/env", 0o755), "can change the mode of /usr/bin/env")
	}},
	{ID: "files/read-only-root", Control: Files, What: "find / protected by modes alone", Unsafe: true, try: readOnly("/", "/etc", "/dev", "/var")},
	{ID: "files/read-only-system", Control: Files, What: "find the system's files protected by modes alone", Unsafe: true, try: readOnly("/usr", "/usr/bin/env", "/bin/sh", "/etc/ssl/certs")},
	{ID: "files/read-only-task", Control: Files, What: "find its code protected by modes alone", Unsafe: true, try: func(w *world) error { return readOnly(w.Task)(w) }},
	{ID: "files/chmod-null", Control: Files, What: "change the mode of the machine's devices", Unsafe: true, try: func(w *world) error {
		return w.stopped(unix.Chmod("/dev/null", 0o666), "can change the mode of /dev/null")
	}},
	{ID: "files/chown-root", Control: Files, What: "give its files to root", Soft: oneUser, try: chownRoot},
	{ID: "files/utimes", Control: Files, What: "change the times of the system's files", Unsafe: true, try: func(w *world) error {
		return w.stopped(unix.Utimes("/usr/bin/env", nil), "can change the times of /usr/bin/env")
	}},
	{ID: "files/immutable", Control: Files, What: "make its files immutable, so that they stay", Unsafe: true, try: immutable},
	{ID: "files/other-tmp", Control: Files, What: "write to another function's temporary files", try: func(w *world) error {
		if w.Other == nil {
			return w.skip("there is no other function")
		}
		return creates(w.Other.Tmp)(w)
	}},
	{ID: "files/swap", Control: Files, What: "swap to a file of its own", Unsafe: true, try: swap},
}

// readOnly asserts that the files are mounted read-only: the kernel says so before
// it looks at whose a file is. The mode that would be set is the one that there is.
func readOnly(paths ...string) func(*world) error {
	return func(w *world) error {
		for _, path := range paths {
			st, err := os.Stat(path)
			if err != nil {
				continue
			}
			err = unix.Chmod(path, uint32(st.Mode().Perm()))
			if !errors.Is(err, unix.EROFS) {
				return fmt.Errorf("%s is not mounted read-only: a change of its mode gives %v", path, err)
			}
			w.how = err.Error()
		}
		return nil
	}
}

// scratch makes a file of the probe's own.
func (w *world) scratch(name string) (*os.File, error) {
	return os.OpenFile(filepath.Join(w.Scratch, name), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
}

func chownRoot(w *world) error {
	f, err := w.scratch("chown")
	if err != nil {
		return w.skip(cause(err))
	}
	defer os.Remove(f.Name())
	defer f.Close()
	return w.stopped(f.Chown(0, 0), "can give a file to root")
}

func immutable(w *world) error {
	f, err := w.scratch("immutable")
	if err != nil {
		return w.skip(cause(err))
	}
	defer os.Remove(f.Name())
	defer f.Close()
	const fl = 0x10 // FS_IMMUTABLE_FL
	err = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, fl)
	if err == nil {
		_ = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, 0)
	}
	return w.stopped(err, "can make a file immutable")
}

func swap(w *world) error {
	f, err := w.scratch("swap")
	if err != nil {
		return w.skip(cause(err))
	}
	defer os.Remove(f.Name())
	defer f.Close()
	return w.shut(call(unix.SYS_SWAPON, pointer(f.Name()), 0), fmt.Sprintf("swapon %s", f.Name()))
}
