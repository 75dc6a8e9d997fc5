package cgroup

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Current is how much memory the group uses, in bytes, page cache and tmpfs
// included; false if it is not counted here.
func (g *Group) Current() (bytes int64, ok bool) {
	return g.memory("memory.usage_in_bytes", "memory.current")
}

// Peak is the most that Current has been. Linux tells since 5.19 in version 2,
// always in version 1.
func (g *Group) Peak() (bytes int64, ok bool) {
	return g.memory("memory.max_usage_in_bytes", "memory.peak")
}

func (g *Group) memory(one, two string) (int64, bool) {
	d, ok := g.with(Memory)
	if !ok {
		return 0, false
	}
	if d.version == 1 {
		return number(d.file(one))
	}
	return number(d.file(two))
}

// OOMKills is how many processes of the group the kernel has killed because
// memory was short; false if it does not tell.
func (g *Group) OOMKills() (n int, ok bool) {
	d, ok := g.with(Memory)
	if !ok {
		return 0, false
	}
	text, err := os.ReadFile(d.file(oomFile(d)))
	if err != nil {
		return 0, false
	}
	kills, ok := keyed(string(text), "oom_kill")
	return int(kills), ok
}

func oomFile(d dir) string {
	if d.version == 1 {
		return "memory.oom_control"
	}
	return "memory.events"
}

// oom is the wait for the first kill of a group.
type oom struct {
	killed chan struct{}
	once   sync.Once
	close  func() // ends the wait and returns when nothing of it runs any more
}

func (o *oom) tell() { o.once.Do(func() { close(o.killed) }) }

// Watch returns a channel that is closed when the kernel kills a process of the
// group because memory is short. In version 2 the others die with it, in version
// 1 they live on, and the caller should Kill them. The channel is the same for
// everybody and stays open if the group is removed first.
func (g *Group) Watch() (<-chan struct{}, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.oom != nil {
		return g.oom.killed, nil
	}
	d, ok := g.with(Memory)
	if !ok || g.removed {
		return nil, g.unable("watch the memory of")
	}
	o := &oom{killed: make(chan struct{})}
	start := g.watchOne
	if d.version == 2 {
		start = g.watchTwo
	}
	if err := start(d, o); err != nil {
		return nil, fmt.Errorf("watch the memory of control group %s: %w", g.name, err)
	}
	g.oom = o
	g.check(o)
	return o.killed, nil
}

// check looks whether a process has been killed already.
func (g *Group) check(o *oom) bool {
	n, _ := g.OOMKills()
	if n > 0 {
		o.tell()
	}
	return n > 0
}

// watchOne waits for an event of version 1, which comes when memory has run out
// and before the kernel chooses whom to kill; see memory.rst, "OOM Control".
func (g *Group) watchOne(d dir, o *oom) error {
	control, err := open(d.file("memory.oom_control"), unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer unix.Close(control)
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	if err := g.write(d, "cgroup.event_control", fmt.Sprintf("%d %d", fd, control)); err != nil {
		unix.Close(fd)
		return err
	}
	event := os.NewFile(uintptr(fd), "oom event")
	stop, done := make(chan struct{}), make(chan struct{})
	o.close = func() {
		close(stop)
		event.Close()
		<-done
	}
	go func() {
		defer close(done)
		for count := make([]byte, 8); ; {
			if _, err := event.Read(count); err != nil || g.confirm(o, stop) {
				return
			}
		}
	}()
	return nil
}

// confirm waits for the kill that follows an event. None does if memory was
// freed in the meantime.
func (g *Group) confirm(o *oom, stop <-chan struct{}) bool {
	eventually(patience, func() bool {
		select {
		case <-stop:
			return true
		default:
			return g.check(o)
		}
	})
	return g.check(o)
}

func (g *Group) watchTwo(d dir, o *oom) error {
	w, err := g.tree.inotify()
	if err != nil {
		return err
	}
	wd, err := w.add(d.file(oomFile(d)), func() { g.check(o) })
	if err != nil {
		return err
	}
	o.close = func() { w.remove(wd) }
	return nil
}

func (t *Tree) inotify() (*watcher, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.watcher == nil {
		w, err := newWatcher()
		if err != nil {
			return nil, err
		}
		t.watcher = w
	}
	return t.watcher, nil
}

// watcher tells when files change. All groups share one: a user may have 128
// instances of inotify.
type watcher struct {
	file *os.File
	fd   int
	done chan struct{}

	mu      sync.Mutex
	changed map[int]func()
}

func newWatcher() (*watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("inotify: %w", err)
	}
	w := &watcher{file: os.NewFile(uintptr(fd), "inotify"), fd: fd, done: make(chan struct{}), changed: map[int]func(){}}
	go w.run()
	return w, nil
}

func (w *watcher) add(path string, changed func()) (int, error) {
	w.mu.Lock() // an event that comes before add returns waits for it
	defer w.mu.Unlock()
	wd, err := unix.InotifyAddWatch(w.fd, path, unix.IN_MODIFY)
	if err != nil {
		return 0, pathError("inotify", path, err)
	}
	w.changed[wd] = changed
	return wd, nil
}

func (w *watcher) remove(wd int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.changed, wd)
	_, _ = unix.InotifyRmWatch(w.fd, uint32(wd)) // EINVAL: the file is gone and the watch with it
}

func (w *watcher) close() {
	w.file.Close()
	<-w.done
}

func (w *watcher) run() {
	defer close(w.done)
	buf := make([]byte, 64<<10)
	for {
		n, err := w.file.Read(buf)
		if err != nil {
			return
		}
		for at := 0; at+unix.SizeofInotifyEvent <= n; {
			wd := int32(binary.NativeEndian.Uint32(buf[at:]))
			mask := binary.NativeEndian.Uint32(buf[at+4:])
			at += unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(buf[at+12:]))
			w.tell(int(wd), mask&unix.IN_Q_OVERFLOW != 0)
		}
	}
}

// tell calls for one file, or for all when the kernel has dropped events.
func (w *watcher) tell(wd int, all bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !all {
		if changed := w.changed[wd]; changed != nil {
			changed()
		}
		return
	}
	for _, changed := range w.changed {
		changed()
	}
}
