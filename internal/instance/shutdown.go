package instance

import (
	"time"
)

// shutdownTime is what Lambda gives an instance with external extensions to end.
// Of it the function's process gets 300 ms, or 500 ms with internal extensions,
// and with these alone there are 500 ms. Without extensions there is no notice:
// the process is killed. Source: the AWS Lambda developer guide, "Lambda
// execution environment lifecycle", and for the last the runtime interface
// emulator.
const shutdownTime = 2 * time.Second

// shares divides a shutdown's time: what the function's process gets of it, and
// the whole.
func shares(grace time.Duration, internal, external int) (process, whole time.Duration) {
	switch {
	case internal > 0 && external > 0:
		return grace / 4, grace
	case external > 0:
		return grace * 3 / 20, grace
	case internal > 0:
		return grace / 4, grace / 4
	}
	return 0, 0
}

// asked has the instance end. The first reason counts: spindown, timeout or
// failure.
func (in *instance) asked(why string) {
	in.end.Do(func() {
		in.why = why
		close(in.stop)
	})
}

// watch waits for the end of the process, or for the wish that it ends, and takes
// down what belongs to the instance.
func (in *instance) watch(p *Pool) {
	crash := false
	select {
	case <-in.proc.Done():
	case <-in.crashed:
		crash = true
	case <-in.stop:
	}
	start := time.Now()
	in.sidecars.expectEnds()
	in.asked("failure")
	in.thaw()
	internal, external := in.api.extended()
	share, _ := shares(in.grace, internal, external)
	if share == 0 && in.polite.Load() {
		share = in.grace / 4
	}
	if share == 0 || crash {
		in.proc.Kill()
	} else {
		in.proc.Terminate(share)
	}
	in.exit = in.proc.Wait()
	// A descendant that left the process group can hold the pipes open.
	late := time.Now().Add(time.Second)
	_ = in.proc.Stdout.SetReadDeadline(late)
	_ = in.proc.Stderr.SetReadDeadline(late)
	in.outputs.Wait()
	if in.sidecars.none() {
		in.api.close()
	} else {
		in.api.quiet(time.Second)
	}
	close(in.ended)
	p.forget(in)
	in.takeDown(p, start)
	close(in.dead)
}

// takeDown ends the extensions and removes what is left of the instance. start
// is when its shutdown began.
func (in *instance) takeDown(p *Pool, start time.Time) {
	in.asked("failure")
	internal, external := in.api.extended()
	_, whole := shares(in.grace, internal, external)
	if external > 0 { // what there is to tell comes before the event that ends them
		in.api.concluded(whole / 4)
		in.api.telemetry.flush(whole / 4)
	}
	in.endExtensions(start.Add(whole))
	if in.proc == nil && in.spare != nil { // it has not become the function's
		in.spare.end()
	}
	in.api.close()
	in.api.telemetry.close()
	in.box.Close()
}

// freeze stops the processes of an idle instance where they are. It reports false
// if there is still something to do: for an extension, or for us to tell it.
func (in *instance) freeze() bool {
	in.iceMu.Lock()
	defer in.iceMu.Unlock()
	select {
	case <-in.stop:
		return false
	default:
	}
	if in.ice || !in.api.isFree() || !in.api.telemetry.pause() {
		return in.ice
	}
	in.ice = true
	in.box.Freeze(in.processes()...)
	return true
}

// thaw undoes freeze.
func (in *instance) thaw() {
	in.iceMu.Lock()
	defer in.iceMu.Unlock()
	if !in.ice {
		return
	}
	in.ice = false
	in.box.Thaw(in.processes()...)
	in.api.telemetry.resume()
}
