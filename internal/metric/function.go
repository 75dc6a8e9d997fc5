package metric

import (
	"sync"
	"time"
)

// Run is one invocation that has ended, as its REPORT line tells it.
type Run struct {
	Function, Version string
	Qualifier         string // of the invocation: a version, an alias or ""
	Trigger           string // what caused it
	ErrorType         string // "" if the function succeeded
	Duration          time.Duration
	Init              time.Duration // of a cold start, else 0
	Memory            int64         // the most that its instance has used, in bytes; 0: nobody knows
}

// Functions measures functions. Store is required.
type Functions struct {
	Store *Store

	mu    sync.RWMutex
	calls map[callee]*calls
	names map[string]*function
}

// callee is what the series of invocations are told apart by; trigger is a label of
// invocations and errors only.
type callee struct{ function, version, qualifier, trigger string }

func (c callee) labels() Labels {
	l := Labels{"function": c.function, "version": c.version}
	if c.qualifier != "" {
		l["qualifier"] = c.qualifier
	}
	return l
}

// caused is the labels with the trigger's, if that is known.
func (c callee) caused() Labels {
	l := c.labels()
	if c.trigger != "" {
		l["trigger"] = c.trigger
	}
	return l
}

// calls are the instruments of a callee, some of which are those of others too.
type calls struct {
	invocations, throttles *Counter
	duration, init, memory *Histogram
	errors                 map[string]*Counter // by type; guarded by Functions.mu
}

// function are the instruments that know no version.
type function struct {
	concurrent, all *Gauge
	age             *Histogram
	letters, untold *Counter
}

// maxErrorTypes is how many types of errors are told apart: they are the
// function's own words.
const maxErrorTypes = 30

const (
	invocationsName  = "dropstack_function_invocations_total"
	errorsName       = "dropstack_function_errors_total"
	throttlesName    = "dropstack_function_throttles_total"
	durationName     = "dropstack_function_duration_seconds"
	memoryName       = "dropstack_function_memory_used_bytes"
	initName         = "dropstack_function_init_duration_seconds"
	concurrentName   = "dropstack_function_concurrent_executions"
	allRunningName   = "dropstack_concurrent_executions"
	ageName          = "dropstack_function_async_event_age_seconds"
	lettersName      = "dropstack_function_dead_letters_total"
	letterErrorsName = "dropstack_function_dead_letter_errors_total"
)

// Ran records an invocation.
func (f *Functions) Ran(r Run) {
	key := callee{r.Function, r.Version, r.Qualifier, r.Trigger}
	c := f.of(key)
	c.invocations.Add(1)
	c.duration.Observe(r.Duration.Seconds())
	if r.Memory > 0 {
		c.memory.Observe(float64(r.Memory))
	}
	if r.Init > 0 {
		c.init.Observe(r.Init.Seconds())
	}
	if r.ErrorType != "" {
		f.errors(key, c, r.ErrorType).Add(1)
	}
}

// Throttled records an invocation that was refused for there were too many.
func (f *Functions) Throttled(function, version, qualifier string) {
	f.of(callee{function, version, qualifier, ""}).throttles.Add(1)
}

// Running records that more invocations of a function are running, or fewer.
func (f *Functions) Running(function string, more int) {
	n := f.named(function)
	n.concurrent.Add(float64(more))
	n.all.Add(float64(more))
}

// Waited records how long an asynchronous event has waited for the function.
func (f *Functions) Waited(function string, age time.Duration) {
	f.named(function).age.Observe(age.Seconds())
}

// Buried records that an event has become a dead letter, or with lost
// that its dead-letter topic could not be told.
func (f *Functions) Buried(function string, lost bool) {
	n := f.named(function)
	if lost {
		n.untold.Add(1)
		return
	}
	n.letters.Add(1)
}

func (f *Functions) of(key callee) *calls {
	f.mu.RLock()
	c := f.calls[key]
	f.mu.RUnlock()
	if c != nil {
		return c
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if c = f.calls[key]; c == nil {
		if f.calls == nil {
			f.calls = map[callee]*calls{}
		}
		c = &calls{
			invocations: f.Store.Counter(invocationsName, key.caused()), throttles: f.Store.Counter(throttlesName, key.labels()),
			duration: f.Store.Histogram(durationName, key.labels()), init: f.Store.Histogram(initName, key.labels()),
			memory: f.Store.Histogram(memoryName, key.labels()),
			errors: map[string]*Counter{},
		}
		f.calls[key] = c
	}
	return c
}

func (f *Functions) errors(key callee, c *calls, kind string) *Counter {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(kind) > 128 || c.errors[kind] == nil && len(c.errors) >= maxErrorTypes {
		kind = "other"
	}
	if c.errors[kind] == nil {
		l := key.caused()
		l["type"] = kind
		c.errors[kind] = f.Store.Counter(errorsName, l)
	}
	return c.errors[kind]
}

func (f *Functions) named(name string) *function {
	f.mu.RLock()
	n := f.names[name]
	f.mu.RUnlock()
	if n != nil {
		return n
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if n = f.names[name]; n == nil {
		if f.names == nil {
			f.names = map[string]*function{}
		}
		l := func() Labels { return Labels{"function": name} }
		n = &function{
			concurrent: f.Store.Gauge(concurrentName, l()), all: f.Store.Gauge(allRunningName, nil), age: f.Store.Histogram(ageName, l()),
			letters: f.Store.Counter(lettersName, l()), untold: f.Store.Counter(letterErrorsName, l()),
		}
		f.names[name] = n
	}
	return n
}
