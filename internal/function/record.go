package function

import (
	"sync/atomic"
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
	Trigger           string // what caused it
	ErrorType         string // "" if the function succeeded
	Duration          time.Duration
	Init              time.Duration // of a cold start, else 0
	Memory            int64         // the most that its instance has used so far, in bytes
}

// Tally counts how invocations of a version have ended, since this process has it.
type Tally struct {
	Ended, Failed int64
}

// tally is a Tally in the making.
type tally struct{ ended, failed atomic.Int64 }

func (t *tally) add(failed bool) {
	if failed {
		t.failed.Add(1) // first: it is never less than was read with ended
	}
	t.ended.Add(1)
}

// Tally is that of a version of a function, a number or Latest.
func (i *Invoker) Tally(name, version string) Tally {
	t := i.snapshot()
	e := t.functions[name]
	if e != nil && version != Latest {
		v := t.published[name].version(version)
		if v == nil {
			return Tally{}
		}
		e = v.made.Load()
	}
	if e == nil {
		return Tally{}
	}
	ended := e.tally.ended.Load()
	return Tally{ended, min(ended, e.tally.failed.Load())}
}

// measured records an invocation that begins, and how it ends when what it
// returns is called; then is called with that too.
func (i *Invoker) measured(e *entry, qualifier, trigger string, release func(), then func(instance.Outcome, error)) func(instance.Outcome, error) {
	if i.Recorder != nil {
		i.Recorder.Running(e.Name, 1)
	}
	return func(out instance.Outcome, err error) {
		release()
		then(out, err)
		if err == nil {
			e.tally.add(out.FunctionError != "")
		}
		if i.Recorder == nil {
			return
		}
		i.Recorder.Running(e.Name, -1)
		if err != nil {
			return
		}
		r := Run{
			Function: e.Name, Version: e.Version, Qualifier: qualifier, Trigger: trigger,
			Duration: out.Duration, Init: out.Init, Memory: int64(out.MaxMemoryMB) << 20,
		}
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
