package instance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/sandbox"
)

// sidecars are the processes of an instance's external extensions.
type sidecars struct {
	work    sync.WaitGroup // one waits for each process, and two read its output
	outputs sync.WaitGroup
	started []*extension

	mu     sync.Mutex
	ending bool   // their ends are expected
	broken *reply // the first that ended unexpectedly
}

func (s *sidecars) none() bool { return len(s.started) == 0 }

// each does something with every process that was started.
func (s *sidecars) each(do func(*sandbox.Process)) {
	for _, e := range s.started {
		if e.proc != nil {
			do(e.proc)
		}
	}
}

// processes are all that were started in the instance.
func (in *instance) processes() []*sandbox.Process {
	all := []*sandbox.Process{in.proc}
	in.sidecars.each(func(p *sandbox.Process) { all = append(all, p) })
	return all
}

// expectEnds has ends of processes be nothing special from now on.
func (s *sidecars) expectEnds() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ending = true
}

func (s *sidecars) crash() *reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

// found lists the external extensions of a function: the files in the folder
// extensions of its layers, by name.
func found(opt string) ([]string, error) {
	if opt == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(filepath.Join(opt, "extensions"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var paths []string
	for _, e := range entries {
		path := filepath.Join(opt, "extensions", e.Name())
		if st, err := os.Stat(path); err == nil && !st.IsDir() {
			paths = append(paths, path)
		}
	}
	return paths, err
}

// startExtensions starts the external extensions and waits until all have
// registered. A reply is their fault, an error is ours.
func (in *instance) startExtensions(p *Pool, limit <-chan time.Time) (*reply, error) {
	paths, err := found(in.cfg.Opt)
	if err != nil || len(paths) == 0 {
		return nil, err
	}
	if len(paths) > maxExtensions {
		failed := problem("Extension.LaunchError", fmt.Sprintf("Extension limit (%d) reached", maxExtensions))
		return &failed, nil
	}
	for _, path := range paths { // all are known before the first can register
		e := in.api.expect(filepath.Base(path))
		in.sidecars.started = append(in.sidecars.started, e)
	}
	for i, e := range in.sidecars.started {
		if err := in.startExtension(p, e, paths[i]); err != nil {
			if unstartable(in.cfg, err) == nil {
				return nil, unavailable(err)
			}
			failed := problem("Extension.LaunchError", in.cfg.inside(err.Error()))
			in.journal.extension(e.name, "LaunchError", nil, launchErrorType(err))
			return &failed, nil
		}
	}
	select {
	case <-in.api.exts.registered:
		return nil, nil
	case <-in.crashed:
		failed := in.fate()
		return &failed, nil
	case <-limit:
		in.asked("timeout")
		failed := problem("Sandbox.Timedout", "")
		return &failed, nil
	case <-in.stop:
		return nil, errClosed
	}
}

func launchErrorType(err error) string {
	if errors.Is(err, fs.ErrPermission) {
		return "PermissionDenied"
	}
	return "UnknownError"
}

func (in *instance) startExtension(p *Pool, e *extension, path string) error {
	env := extensionEnviron(in.view, in.api.listener.Addr().String(), in.temp())
	proc, err := in.box.Start(in.spec(p, path, nil, env))
	if err != nil {
		return err
	}
	e.proc = proc
	in.follow(p, proc, &in.sidecars.outputs, "extension")
	in.sidecars.work.Go(func() { in.extensionEnds(e, proc.Wait()) })
	return nil
}

// extensionEnds notes the end of an extension's process. One that was not to end
// takes the instance along.
func (in *instance) extensionEnds(e *extension, exit sandbox.Exit) {
	in.api.mu.Lock()
	errorType := e.failure
	in.api.mu.Unlock()
	if errorType == "" {
		errorType = "Extension.Crash"
	}
	said := exit.Status
	if exit.Code == 0 {
		said = "exit code 0"
	}
	s := &in.sidecars
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending || s.broken != nil {
		return
	}
	broken := problem(errorType, said)
	s.broken = &broken
	close(in.crashed)
}

// endExtensions tells the external extensions that registered for it of the
// shutdown and kills the others, and those that are there at the deadline.
func (in *instance) endExtensions(deadline time.Time) {
	s := &in.sidecars
	s.expectEnds()
	if s.none() {
		return
	}
	for _, proc := range in.api.shutDown(in.why, deadline) {
		proc.Kill()
	}
	timer := time.AfterFunc(time.Until(deadline), func() { s.each((*sandbox.Process).Kill) })
	s.work.Wait()
	timer.Stop()
	late := time.Now().Add(time.Second)
	s.each(func(proc *sandbox.Process) {
		_ = proc.Stdout.SetReadDeadline(late)
		_ = proc.Stderr.SetReadDeadline(late)
	})
	s.outputs.Wait()
}

// shutDown gives the SHUTDOWN event out and returns the processes that are to
// be killed at once.
func (a *api) shutDown(why string, deadline time.Time) (others []*sandbox.Process) {
	event := shutdownEvent(why, deadline)
	a.mu.Lock()
	defer a.mu.Unlock()
	told := map[*extension]bool{}
	a.exts.tell("SHUTDOWN", event, func(e *extension) { told[e] = true })
	for _, e := range a.exts.list {
		if e.proc != nil && !told[e] {
			others = append(others, e.proc)
		}
	}
	return others
}

// tellExtensions records how far the extensions got in the init that is over,
// with what it failed for, if it did.
func (in *instance) tellExtensions(failure string) {
	in.api.mu.Lock()
	type line struct {
		name, state, failure string
		events               []string
	}
	var lines []line
	for _, e := range in.api.exts.list {
		lines = append(lines, line{e.name, e.state(), e.reported, slices.Clone(e.events)})
	}
	in.api.mu.Unlock()
	for _, l := range lines {
		if failure == "Extension.LaunchError" && l.state == "Started" {
			continue // told where it happened
		}
		in.journal.extension(l.name, l.state, l.events, l.failure)
	}
}
