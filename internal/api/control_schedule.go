package api

import (
	"context"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/schedule"
)

// Schedules is what the control plane needs of schedules.
type Schedules interface {
	List(stack string, n int) []schedule.Status
	Fire(ctx context.Context, arn string) ([]schedule.Handed, error)
}

// upcoming is how many ticks to come a list has of each schedule.
const upcoming = 5

// ScheduleInput names a rule or a schedule by its ARN.
type ScheduleInput struct {
	ARN string `json:"arn"`
}

// SwitchInput turns a rule or a schedule on or off.
type SwitchInput struct {
	ARN      string `json:"arn"`
	Disabled bool   `json:"disabled"`
}

func (c *Control) schedules(_ context.Context, in StackInput) ([]schedule.Status, error) {
	if _, ok := c.Deployer.Active(in.Stack); in.Stack != "" && !ok {
		return nil, fault.Errorf(fault.NotFound, "stack %q is not deployed; `dropstack info` lists what is", in.Stack)
	}
	return c.Schedules.List(in.Stack, upcoming), nil
}

// switchSchedule changes the revision of the stack that a schedule is part of, until
// that is deployed again.
func (c *Control) switchSchedule(ctx context.Context, in SwitchInput) (schedule.Status, error) {
	for _, st := range c.Schedules.List("", 0) {
		if st.ARN != in.ARN {
			continue
		}
		_, err := c.Deployer.Edit(context.WithoutCancel(ctx), st.Stack, func(rev *deploy.Revision) error {
			for i := range rev.Schedules {
				if s := &rev.Schedules[i]; s.ARN == in.ARN {
					s.Disabled = in.Disabled
				}
			}
			return nil
		})
		st.Disabled = in.Disabled
		return st, err
	}
	return schedule.Status{}, fault.Errorf(fault.NotFound, "no schedule has the ARN %q; `dropstack schedule list` lists what there is", in.ARN)
}

func (c *Control) runSchedule(ctx context.Context, in ScheduleInput) ([]schedule.Handed, error) {
	return c.Schedules.Fire(context.WithoutCancel(ctx), in.ARN)
}
