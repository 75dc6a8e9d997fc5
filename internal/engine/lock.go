package engine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"golang.org/x/sys/unix"
)

// Lock makes the data directory and takes it for this process; closing what it
// returns, or the end of the process, lets go of it. A directory that another
// process holds is fault.Conflict.
func Lock(dir string) (io.Closer, error) {
	// functions run as users of their own and pass through to their code
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fault.Errorf(fault.Invalid, "data directory: %w; name another with --data", err)
	}
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "data directory: %w; name another with --data", err)
	}
	holder, err := acquire(f)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if holder != "" {
		_ = f.Close()
		return nil, fault.Errorf(fault.Conflict, "data directory %s is in use by process %s; stop it, or choose another directory with --data", dir, holder)
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err != nil {
		_ = f.Close()
		return nil, fault.Errorf(fault.Unavailable, "write %s: %w", path, err)
	}
	return f, nil
}

// acquire locks the file, or says who has. A process that was killed while it
// started another can have left that one the lock until its exec, a moment later.
func acquire(f *os.File) (holder string, err error) {
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return "", err
		}
		doc, _ := io.ReadAll(io.NewSectionReader(f, 0, 32))
		holder = strings.TrimSpace(string(doc))
		pid, err := strconv.Atoi(holder)
		if err != nil || !errors.Is(unix.Kill(pid, 0), unix.ESRCH) || time.Now().After(end) {
			return holder, nil
		}
	}
}
