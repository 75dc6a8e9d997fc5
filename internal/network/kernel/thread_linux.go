package kernel

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// thread is an operating system thread that has left the machine's network
// namespace for another one and never comes back: it ends when the thread is
// closed. Sockets opened on it belong to that namespace for good.
type thread struct {
	work chan func()
	once sync.Once
	done chan struct{}
}

var errThreadClosed = errors.New("the router is closed")

// newThread starts a thread that has run enter.
func newThread(enter func() error) (*thread, error) {
	t := &thread{work: make(chan func()), done: make(chan struct{})}
	ready := make(chan error)
	go t.run(enter, ready)
	if err := <-ready; err != nil {
		return nil, err
	}
	return t, nil
}

func (t *thread) run(enter func() error, ready chan error) {
	runtime.LockOSThread() // never unlocked: Go ends the thread with the goroutine
	if unix.Gettid() == os.Getpid() {
		// The main thread does not end, and /proc/self would show its namespace for
		// ever. While it is locked here, the next goroutine gets another.
		inner := make(chan error)
		go t.run(enter, inner)
		ready <- <-inner
		runtime.UnlockOSThread()
		return
	}
	err := enter()
	ready <- err
	if err != nil {
		return
	}
	for {
		select {
		case f := <-t.work:
			f()
		case <-t.done:
			return
		}
	}
}

// do runs f on the thread and returns its error.
func (t *thread) do(f func() error) error {
	result := make(chan error, 1)
	select {
	case t.work <- func() { result <- f() }:
		return <-result
	case <-t.done:
		return errThreadClosed
	}
}

func (t *thread) close() { t.once.Do(func() { close(t.done) }) }

// inNamespace runs f once on a thread inside ns, which is thrown away after it.
func inNamespace(ns *os.File, f func() error) error {
	t, err := newThread(func() error {
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter the network namespace: %w", err)
		}
		return f()
	})
	if err != nil {
		return err
	}
	t.close()
	return nil
}

// sysctl writes a value below /proc/sys/net/ of the calling thread's namespace.
func sysctl(name, value string) error {
	return os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644)
}
