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

// boot starts an instance and waits until it asks for its first event. phase is
// "init", or "invoke" when a start is repeated within an invocation.
func (p *Pool) boot(cfg Config, j *journal, limit time.Duration, phase string) boot {
	start := time.Now()
	inst, failed, err := p.launch(cfg, j)
	if failed != nil {
		return boot{failed: failed, ours: true, took: time.Since(start)}
	}
	if err != nil {
		return boot{err: err}
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	b := boot{inst: inst}
	status := ""
	select {
	case <-inst.api.ready:
		b.took = time.Since(start)
		return b
	case <-timer.C:
		status = "timeout"
		timedOut := problem("Sandbox.Timedout", "")
		b.failed, b.ours = &timedOut, true
		inst.proc.Kill()
		<-inst.dead
	case <-inst.dead:
		if inst.stopping.Load() {
			return boot{err: errClosed}
		}
		status = "error"
		b.failed = inst.api.initFailure()
		if b.failed == nil {
			exit := exited(inst.exit)
			b.failed, b.ours = &exit, true
		}
	}
	b.inst, b.took = nil, time.Since(start)
	note := initReport(b, phase, status)
	j.note(note)
	p.Log.Warn("function does not start", "function", cfg.ARN, "phase", phase, "status", status, "type", errorType(*b.failed), "took", b.took)
	return b
}

func initReport(b boot, phase, status string) string {
	line := "INIT_REPORT Init Duration: " + string(appendMS(nil, b.took)) + " ms\tPhase: " + phase + "\tStatus: " + status
	if status == "error" {
		line += "\tError Type: " + errorType(*b.failed)
	}
	return line
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

// launch starts a process that the pool knows of.
func (p *Pool) launch(cfg Config, j *journal) (*instance, *reply, error) {
	inst, failed, err := launch(p, cfg, j)
	if failed != nil || err != nil {
		return nil, failed, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all, p.idle = map[*instance]struct{}{}, map[string][]*instance{}
	}
	p.all[inst] = struct{}{}
	p.work.Go(func() { p.watch(inst) })
	if p.closed {
		p.stop(inst)
	}
	return inst, nil, nil
}

// watch forgets an instance when it has ended.
func (p *Pool) watch(inst *instance) {
	inst.watch(p)
	p.mu.Lock()
	delete(p.all, inst)
	list := p.idle[inst.cfg.ID]
	for i := range list {
		if list[i] == inst {
			p.idle[inst.cfg.ID] = append(list[:i:i], list[i+1:]...)
			break
		}
	}
	p.refill(inst.cfg.ID)
	p.mu.Unlock()
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
	<-b.inst.dead
	exit := exited(b.inst.exit)
	return boot{failed: &exit, ours: true, took: b.took}
}

// unborn is the outcome of an invocation that found no instance.
func (p *Pool) unborn(cfg Config, ev Event, j *journal, b boot, start time.Time) Outcome {
	rep := *b.failed
	var lines []string
	switch {
	case rep.errorType == "Sandbox.Timedout" && b.ours:
		rep = timeoutReply(ev.RequestID, cfg.Timeout)
		lines = []string{message(rep)}
	case b.ours:
		rep = withRequest(rep, ev.RequestID)
		lines = []string{message(rep), rep.errorType}
	}
	took := time.Since(start)
	j.begin(ev.RequestID, cfg.Version)
	tail := j.end(lines, report(cfg, ev.RequestID, took, 0, 0))
	return outcome(rep, took, 0, 0, tail)
}
