package instance

import "time"

const initTimeout = 10 * time.Second

// boot is a start of an instance: it came up, or failed for its own fault, or
// could not be tried.
type boot struct {
	inst   *instance
	failed *reply // worded without a request id when it is ours
	ours   bool   // failed is not the function's own report
	took   time.Duration
	err    error
}

// exitGrace is how long a process that said it cannot start may take to exit.
const exitGrace = 500 * time.Millisecond

// boot starts an instance and waits until it asks for its first event. phase is
// "init", or "invoke" when a start is repeated within an invocation.
func (p *Pool) boot(cfg Config, j *journal, limit time.Duration, phase string) boot {
	start := time.Now()
	if missing := missingEntrypoint(cfg); missing != nil {
		j.initStarts(cfg, phase)
		if w := wrapper(cfg); w != "" {
			j.note(cfg.inside(w) + ": No such file or directory")
		}
		return boot{failed: missing, ours: true, took: time.Since(start)}
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	inst, failed, err := p.launch(cfg, j, timer.C, phase)
	if err != nil {
		return boot{err: err}
	}
	b := boot{inst: inst, failed: failed, ours: true}
	if failed == nil {
		b.failed, b.ours, b.err = inst.await(timer.C)
	}
	b.took = time.Since(start)
	switch {
	case b.err != nil:
		return boot{err: b.err}
	case b.failed == nil:
		inst.tellExtensions("")
		j.initEnds(cfg, phase, "success", "", b.took)
		return b
	}
	b.inst = nil
	status := "error"
	if b.ours && b.failed.errorType == "Sandbox.Timedout" {
		status = "timeout"
	}
	inst.tellExtensions(b.failed.errorType)
	if b.started(failed) {
		j.initEnds(cfg, phase, status, errorType(*b.failed), b.took)
	}
	p.Log.Warn("function does not start", "function", cfg.ARN, "phase", phase, "status", status, "type", errorType(*b.failed), "took", b.took)
	return b
}

// started reports whether there was a start to tell of: a program that cannot be
// run at all has none.
func (b boot) started(launch *reply) bool {
	return launch == nil || launch.errorType != "Runtime.InvalidEntrypoint"
}

// await waits until the instance is ready for events, or has failed to be.
func (in *instance) await(limit <-chan time.Time) (failed *reply, ours bool, err error) {
	select {
	case <-in.api.ready:
		return nil, false, nil
	case <-in.api.initFailed:
		select { // it has said why and should exit now
		case <-in.ended:
		case <-limit:
		case <-time.After(exitGrace):
		}
		in.asked("failure")
		<-in.ended
	case <-limit:
		in.asked("timeout")
		<-in.ended
		timedOut := problem("Sandbox.Timedout", "")
		return &timedOut, true, nil
	case <-in.ended:
	}
	if in.stopping.Load() {
		return nil, false, errClosed
	}
	if failed := in.api.initFailure(); failed != nil && in.api.fatal() == "" {
		return failed, false, nil
	}
	fate := in.fate()
	return &fate, true, nil
}

func errorType(r reply) string {
	if r.errorType != "" {
		return r.errorType
	}
	if t := typeOf(r.payload); t != "" {
		return t
	}
	return "Runtime.Unknown"
}

// launch starts an instance that the pool knows of.
func (p *Pool) launch(cfg Config, j *journal, limit <-chan time.Time, phase string) (*instance, *reply, error) {
	inst, err := newInstance(p, cfg, j)
	if err != nil {
		return nil, nil, err
	}
	p.mu.Lock()
	if p.launched == nil {
		p.launched, p.all, p.idle = map[*instance]struct{}{}, map[*instance]struct{}{}, map[string][]*instance{}
	}
	p.launched[inst] = struct{}{}
	if p.closed {
		p.stop(inst)
	}
	p.mu.Unlock()
	j.attach(inst.api.telemetry)
	j.initStarts(cfg, phase)
	failed, err := inst.launch(p, limit)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.launched, inst)
	if failed != nil {
		return inst, failed, nil
	}
	if err != nil {
		return nil, nil, err
	}
	p.all[inst] = struct{}{}
	p.work.Go(func() { inst.watch(p) }) // within boot, which the pool waits for
	return inst, nil, nil
}

// forget takes an instance that has ended out of the pool.
func (p *Pool) forget(inst *instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, inst)
	list := p.idle[inst.cfg.ID]
	for i := range list {
		if list[i] == inst {
			p.idle[inst.cfg.ID] = append(list[:i:i], list[i+1:]...)
			break
		}
	}
	p.refill(inst.cfg.ID)
}

// cold starts an instance and runs the event on it. A start that fails is tried
// once more within the invocation, under the function's own timeout. started is
// called when there is nothing more to start.
func (p *Pool) cold(cfg Config, ev Event, started func()) (Outcome, error) {
	j := newJournal(p, cfg)
	b := p.boot(cfg, j, or(p.InitTimeout, initTimeout), "init")
	start, init := time.Now(), b.took
	if b.failed != nil && errorType(*b.failed) != "Runtime.InvalidEntrypoint" {
		init = 0
		b = p.boot(cfg, j, cfg.Timeout, "invoke")
	}
	started()
	if b.err != nil {
		return Outcome{}, b.err
	}
	if b.failed != nil {
		return p.unborn(cfg, ev, j, b, start), nil
	}
	p.Log.Info("cold start", "function", cfg.ARN, "request", ev.RequestID, "took", b.took)
	r, err := b.inst.begin(ev, start, init)
	if err != nil {
		return p.unborn(cfg, ev, j, p.lost(b), start), nil
	}
	out, err := r.wait(nil)
	if err == errUndelivered {
		p.detach(b.inst)
		return p.unborn(cfg, ev, j, p.lost(b), start), nil
	}
	p.put(b.inst)
	return out, err
}

// lost is an instance that ended between asking for its first event and getting it.
func (p *Pool) lost(b boot) boot {
	b.inst.proc.Kill()
	<-b.inst.ended
	fate := b.inst.fate()
	return boot{failed: &fate, ours: true, took: b.took}
}

// unborn is the outcome of an invocation that found no instance.
func (p *Pool) unborn(cfg Config, ev Event, j *journal, b boot, start time.Time) Outcome {
	rep, status := *b.failed, "error"
	var lines []string
	switch {
	case rep.errorType == "Sandbox.Timedout" && b.ours:
		rep, status = timeoutReply(ev.RequestID, cfg.Timeout), "timeout"
		lines = []string{message(rep)}
	case b.ours:
		rep = withRequest(rep, ev.RequestID)
		lines = []string{message(rep), rep.errorType}
	}
	took := time.Since(start)
	j.begin(ev.RequestID, ev.TraceID)
	tail := j.end(lines, &report{
		id: ev.RequestID, status: status, errorType: publicType(errorType(rep)), trace: ev.TraceID, took: took, memoryMB: cfg.MemoryMB,
	})
	return outcome(rep, took, 0, 0, tail)
}
