package function

import (
	"time"

	"github.com/dropstack/dropstack/internal/instance"
)

// Recorder takes what is measured of functions. It is called on the way of every
// invocation, so it must not wait for anything.
type Recorder interface {
	// Ran tells of an invocation that has ended, when its REPORT line is written.
	Ran(r Run)
	// Throttled tells of one that was refused.
	Throttled(function, version, qualifier string)
	// Running tells that more invocations of a function are running, or fewer.
	Running(function string, more int)
	// Waited tells how old a queued or published event is when it is tried.
	Waited(function string, age time.Duration)
	// Buried tells that an event has become a dead letter, or with lost that its
	// dead-letter topic could not be told of it.
	Buried(function string, lost bool)
}

// Run is an invocation that has ended.
type Run struct {
	Function, Version string
	Qualifier         string // as invoked: a version, an alias or ""
	ErrorType         string // "" if the function succeeded
	Duration          time.Duration
	Init              time.Duration // of a cold start, else 0
}

// measured records an invocation that begins, and how it ends when what it
// returns is called.
func (i *Invoker) measured(e *entry, qualifier string, release func()) func(instance.Outcome, error) {
	if i.Recorder == nil {
		return func(instance.Outcome, error) { release() }
	}
	i.Recorder.Running(e.Name, 1)
	return func(out instance.Outcome, err error) {
		release()
		i.Recorder.Running(e.Name, -1)
		if err != nil {
			return
		}
		r := Run{Function: e.Name, Version: e.Version, Qualifier: qualifier, Duration: out.Duration, Init: out.Init}
		if out.FunctionError != "" {
			if r.ErrorType = out.ErrorType; r.ErrorType == "" {
				r.ErrorType = "Unknown"
			}
		}
		i.Recorder.Ran(r)
	}
}

// waited records the age of an event that is tried now.
func (t *task) waited() {
	if name, _, ok := parseName(t.Region, t.inv.Function); ok && t.Recorder != nil {
		t.Recorder.Waited(name, time.Since(t.meta.Timestamp))
	}
}

func (t *task) buried(lost bool) {
	if name, _, ok := parseName(t.Region, t.inv.Function); ok && t.Recorder != nil {
		t.Recorder.Buried(name, lost)
	}
}
