package deploy

import (
	"github.com/dropstack/dropstack/internal/monitor"
	"github.com/dropstack/dropstack/internal/spec"
)

// addMonitors adds what the service has watched.
func (r *Revision) addMonitors(svc *spec.Service) {
	for _, m := range svc.Monitors {
		one, _ := planMonitor(svc, m) // what is wrong was told by Check
		r.Monitors = append(r.Monitors, one)
	}
}

// monitors asks what is wrong with the service's monitors.
func (c *checker) monitors() {
	for _, m := range c.svc.Monitors {
		one, wrong := planMonitor(c.svc, m)
		if len(wrong) > 0 {
			c.problems = append(c.problems, wrong...)
			continue
		}
		if err := one.Check(); err != nil {
			c.report(m.Pos, "%v", err)
		}
	}
}

// planMonitor is a monitor as its room has it. It has the stack's name before its own,
// as functions have.
func planMonitor(svc *spec.Service, m spec.Monitor) (one monitor.Monitor, wrong []spec.Problem) {
	length := func(l spec.Length) monitor.Duration {
		if l.Text == "" {
			return 0
		}
		d, err := monitor.ParseDuration(l.Text)
		if err != nil {
			wrong = append(wrong, spec.Problem{Pos: l.Pos, Message: err.Error()})
		}
		return monitor.Duration(d)
	}
	one = monitor.Monitor{
		Name: svc.Prefix() + "-" + m.Name, Stack: svc.Stack(), Title: m.Title, Group: m.Group, Public: m.Public, Owner: m.Owner, Runbook: m.Runbook,
		Interval: length(m.Every), Slow: length(m.Slow), Locations: m.Locations, Quorum: m.Quorum,
		Target: monitor.Target{
			URL: m.URL + m.Path, Method: m.Method, Headers: m.Headers, Body: m.Body, Timeout: length(m.Timeout), NoRedirects: m.NoRedirects,
			Expect: monitor.Conditions{
				Status: m.Expect.Status, Contains: m.Expect.Contains, Lacks: m.Expect.Lacks, Matches: m.Expect.Matches, Headers: m.Expect.Headers,
				Certificate: length(m.Expect.Certificate), Within: length(m.Expect.Within),
			},
		},
	}
	for _, j := range m.Expect.JSON {
		one.Expect.JSON = append(one.Expect.JSON, monitor.JSONCondition(j))
	}
	return one, wrong
}
