package server

import (
	"context"
	"slices"
	"time"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/monitor/comparison"
)

// openComparisons opens what deployments are compared by. It comes after the deployer.
func (r *rooms) openComparisons(ctx context.Context, cfg Config) error {
	tell := r.news(cfg)
	r.comparisons = &comparison.Comparisons{
		Streams: r.eng.Streams, Ask: r.metrics.Instant, Log: cfg.Log,
		Moving: func(stack string) bool {
			s := r.deployer.Shifting(stack)
			return s != nil && (s.Status == deploy.InProgress || s.Undo)
		},
		Notify: func(ctx context.Context, c comparison.Comparison, found []comparison.Function) {
			tell(ctx, compared(c, found, time.Now().UTC())...)
		},
	}
	r.deployer.Tried = func(ctx context.Context, old, next *deploy.Revision, err error) {
		result := "succeeded"
		if err != nil {
			result = "failed"
		}
		r.metrics.Counter("dropstack_deployments_total", metric.Labels{"stack": next.Stack, "result": result}).Add(1)
		r.logs.Append(deploymentRecord(next, err, time.Now()))
		if err != nil || old == nil {
			return
		}
		// what was measured until now is the old version's
		if err := r.metrics.Flush(context.WithoutCancel(ctx)); err != nil {
			cfg.Log.Warn("a deployment is compared less exactly", "stack", next.Stack, "err", err)
		}
		if err := r.comparisons.Deployed(context.WithoutCancel(ctx), r.deployment(old, next)); err != nil {
			cfg.Log.Error("a deployment will not be compared", "stack", next.Stack, "revision", next.ID, "err", err)
		}
	}
	r.deployer.Removed = func(ctx context.Context, stack string) {
		if err := r.comparisons.Forget(context.WithoutCancel(ctx), stack); err != nil {
			cfg.Log.Error("the comparisons of a stack that is gone are not removed", "stack", stack, "err", err)
		}
	}
	return r.comparisons.Load(ctx)
}

// deployment is what is to be compared of a revision: functions that were there before
// and whose code or configuration is another.
func (r *rooms) deployment(old, next *deploy.Revision) comparison.Comparison {
	c := comparison.Comparison{Stack: next.Stack, Revision: next.ID, Previous: old.ID, Deployed: time.Now().UTC()}
	for _, f := range next.Functions {
		i := slices.IndexFunc(old.Functions, func(was function.Function) bool { return was.Name == f.Name })
		if i < 0 || !function.Restarts(old.Functions[i], f) {
			continue
		}
		one := comparison.Function{Name: f.Name, Since: old.Functions[i].Modified}
		if s, err := r.invoker.Standing(f.Name, ""); err == nil {
			one.Version = s.Current
		}
		c.Functions = append(c.Functions, one)
	}
	return c
}

// compared is what people are told of functions of a deployment: of each that is worse,
// for half an hour.
func compared(c comparison.Comparison, found []comparison.Function, now time.Time) (list []alert.Alert) {
	for _, f := range found {
		if f.Verdict != comparison.Worse {
			continue
		}
		severity := "info"
		if f.Graver {
			severity = "warning"
		}
		list = append(list, alert.Alert{
			Rule: "DeploymentWorse", Starts: now, Ends: now.Add(30 * time.Minute),
			Labels: map[string]string{alert.NameLabel: "DeploymentWorse", alert.SeverityLabel: severity, alert.StackLabel: c.Stack, alert.FunctionLabel: f.Name},
			Annotations: map[string]string{
				alert.SummaryAnnotation:     f.Name + " is worse since the deployment of " + c.Deployed.Format("15:04 UTC") + ": " + f.Words,
				alert.DescriptionAnnotation: "Revision " + c.Revision + " came after " + c.Previous + ". dropstack monitor deployments " + c.Stack + " shows the figures, dropstack rollback brings the one before back.",
			},
		})
	}
	return list
}
