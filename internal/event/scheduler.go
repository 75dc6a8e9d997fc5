package event

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/schedule"
	"github.com/dropstack/dropstack/internal/wire"
)

// Schedules is the room of EventBridge Scheduler's API. All fields are required.
type Schedules struct {
	Deployer Deployer
	Region   string
}

// FlexibleTimeWindow says how late a tick may be. It comes at the window's beginning.
type FlexibleTimeWindow struct {
	Mode                   string
	MaximumWindowInMinutes *int `json:",omitempty"`
}

// ScheduleTarget is what a schedule tells, and what it tells it.
type ScheduleTarget struct {
	Arn                   string
	RoleArn               string
	Input                 string            `json:",omitempty" audit:"hidden"`
	SqsParameters         *SqsParameters    `json:",omitempty"`
	DeadLetterConfig      *DeadLetterConfig `json:",omitempty"`
	RetryPolicy           *RetryPolicy      `json:",omitempty"`
	EventBridgeParameters map[string]any    `json:",omitempty"`
}

// ScheduleInput is a schedule.
type ScheduleInput struct {
	Name                       string
	GroupName                  string `json:",omitempty"`
	ScheduleExpression         string
	ScheduleExpressionTimezone string `json:",omitempty"`
	StartDate                  wire.Time
	EndDate                    wire.Time
	Description                string `json:",omitempty"`
	State                      string `json:",omitempty"`
	ActionAfterCompletion      string `json:",omitempty"`
	FlexibleTimeWindow         FlexibleTimeWindow
	Target                     ScheduleTarget
	KmsKeyArn                  string `json:",omitempty"`
	ClientToken                string `json:",omitempty"`
}

// ScheduleOutput is a schedule's name.
type ScheduleOutput struct{ ScheduleArn string }

// The words of EventBridge Scheduler.
const (
	flexible = "FLEXIBLE"
	off      = "OFF"
	keep     = "NONE"
	remove   = "DELETE"
)

// maxWindow is a day, in minutes.
const maxWindow = 1440

// CreateSchedule makes a schedule in a group that there is.
func (s *Schedules) CreateSchedule(ctx context.Context, in ScheduleInput) (ScheduleOutput, error) {
	return s.put(ctx, in, func(rev *deploy.Revision, next schedule.Schedule) error {
		if _, _, taken := s.find(in.GroupName, in.Name); taken {
			return fault.Coded(fault.Conflict, "ConflictException", "Schedule %s already exists.", in.Name)
		}
		rev.Schedules = append(rev.Schedules, next)
		return nil
	})
}

// UpdateSchedule makes a schedule anew: what is not given is as it would be of a new one.
func (s *Schedules) UpdateSchedule(ctx context.Context, in ScheduleInput) (ScheduleOutput, error) {
	return s.put(ctx, in, func(rev *deploy.Revision, next schedule.Schedule) error {
		for i := range rev.Schedules {
			if was := rev.Schedules[i]; is(&was, in.GroupName, in.Name) {
				next.Created, next.Tags, next.Stack = was.Created, was.Tags, was.Stack
				rev.Schedules[i] = next
				return nil
			}
		}
		return noSchedule(in.Name)
	})
}

func (s *Schedules) put(ctx context.Context, in ScheduleInput, store func(*deploy.Revision, schedule.Schedule) error) (ScheduleOutput, error) {
	in.GroupName = cmp.Or(in.GroupName, schedule.DefaultGroup)
	next, err := s.stored(in)
	if err != nil {
		return ScheduleOutput{}, err
	}
	if !s.hasGroup(in.GroupName) {
		return ScheduleOutput{}, noGroup(in.GroupName)
	}
	stack, _, _ := s.find(in.GroupName, in.Name)
	_, err = s.Deployer.Edit(context.WithoutCancel(ctx), stack, func(rev *deploy.Revision) error { return store(rev, next) })
	return ScheduleOutput{next.ARN}, err
}

// stored is a schedule as revisions have it.
func (s *Schedules) stored(in ScheduleInput) (schedule.Schedule, error) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	next := schedule.Schedule{
		Stack: deploy.APIStack, Name: in.Name, Group: in.GroupName, ARN: arn.Schedule(s.Region, in.GroupName, in.Name), Scheduler: true,
		Expression: in.ScheduleExpression, Zone: in.ScheduleExpressionTimezone, Start: in.StartDate.Time, End: in.EndDate.Time,
		Description: in.Description, Disabled: in.State == disabled, DeleteAfter: in.ActionAfterCompletion == remove,
		Function: functionOf(in.Target.Arn), Input: in.Target.Input, Role: in.Target.RoleArn, Created: now, Modified: now,
	}
	if next.Function == "" {
		next.To = in.Target.Arn
	}
	if in.Target.SqsParameters != nil {
		next.ToGroup = in.Target.SqsParameters.MessageGroupId
	}
	if in.Target.DeadLetterConfig != nil {
		next.DeadLetter = in.Target.DeadLetterConfig.Arn
	}
	if p := in.Target.RetryPolicy; p != nil {
		next.MaxAge, next.MaxRetries = p.MaximumEventAgeInSeconds, p.MaximumRetryAttempts
	}
	if w := in.FlexibleTimeWindow; w.Mode == flexible && w.MaximumWindowInMinutes != nil {
		next.Window = *w.MaximumWindowInMinutes
	}
	return next, in.check()
}

func (in *ScheduleInput) check() error {
	w := in.FlexibleTimeWindow
	switch {
	case !ruleName.MatchString(in.Name):
		return invalid("Name %q must be 1 to 64 letters, digits and .-_", in.Name)
	case in.State != "" && in.State != enabled && in.State != disabled:
		return invalid("State %q is neither %s nor %s", in.State, enabled, disabled)
	case in.ActionAfterCompletion != "" && in.ActionAfterCompletion != keep && in.ActionAfterCompletion != remove:
		return invalid("ActionAfterCompletion %q is neither %s nor %s", in.ActionAfterCompletion, keep, remove)
	case w.Mode != off && w.Mode != flexible:
		return invalid("FlexibleTimeWindow: Mode %q is neither %s nor %s", w.Mode, off, flexible)
	case (w.Mode == flexible) != (w.MaximumWindowInMinutes != nil):
		return invalid("FlexibleTimeWindow: MaximumWindowInMinutes is for the Mode %s, which needs it", flexible)
	case w.Mode == flexible && (*w.MaximumWindowInMinutes < 1 || *w.MaximumWindowInMinutes > maxWindow):
		return invalid("FlexibleTimeWindow: MaximumWindowInMinutes %d is not between 1 and %d", *w.MaximumWindowInMinutes, maxWindow)
	case len(in.Description) > 512:
		return invalid("Description has %d bytes; the limit is 512", len(in.Description))
	case in.KmsKeyArn != "":
		return invalid("KmsKeyArn is not supported here: what is kept of a schedule is not sealed by a key of its own")
	case len(in.Target.EventBridgeParameters) > 0:
		return invalid("Target: EventBridgeParameters is not supported here: an event bus gets the Input as it is")
	}
	return nil
}

// ScheduleName names a schedule.
type ScheduleName struct {
	Name        string
	GroupName   string `json:",omitempty"`
	ClientToken string `json:",omitempty"`
}

// Schedule is what there is of a schedule.
type Schedule struct {
	Name                       string
	GroupName                  string
	Arn                        string
	ScheduleExpression         string
	ScheduleExpressionTimezone string
	StartDate                  wire.Time `json:",omitzero"`
	EndDate                    wire.Time `json:",omitzero"`
	Description                string    `json:",omitempty"`
	State                      string
	ActionAfterCompletion      string
	FlexibleTimeWindow         FlexibleTimeWindow
	Target                     ScheduleTarget `audit:"hidden"`
	CreationDate               wire.Time      `json:",omitzero"`
	LastModificationDate       wire.Time      `json:",omitzero"`
}

// GetSchedule describes a schedule.
func (s *Schedules) GetSchedule(_ context.Context, in ScheduleName) (Schedule, error) {
	_, found, ok := s.find(in.GroupName, in.Name)
	if !ok {
		return Schedule{}, noSchedule(in.Name)
	}
	out := Schedule{
		Name: found.Name, GroupName: groupOf(&found), Arn: found.ARN, ScheduleExpression: found.Expression,
		ScheduleExpressionTimezone: cmp.Or(found.Zone, "UTC"), StartDate: wire.At(found.Start), EndDate: wire.At(found.End), Description: found.Description,
		State: stateOf(&found), ActionAfterCompletion: keep, FlexibleTimeWindow: FlexibleTimeWindow{Mode: off},
		Target:       ScheduleTarget{Arn: s.targetOf(&found), RoleArn: found.Role, Input: found.Input},
		CreationDate: wire.At(found.Created), LastModificationDate: wire.At(found.Modified),
	}
	if found.DeleteAfter {
		out.ActionAfterCompletion = remove
	}
	if found.Window > 0 {
		out.FlexibleTimeWindow = FlexibleTimeWindow{flexible, &found.Window}
	}
	if found.ToGroup != "" {
		out.Target.SqsParameters = &SqsParameters{found.ToGroup}
	}
	if found.DeadLetter != "" {
		out.Target.DeadLetterConfig = &DeadLetterConfig{found.DeadLetter}
	}
	if found.MaxAge != 0 || found.MaxRetries != nil {
		out.Target.RetryPolicy = &RetryPolicy{found.MaxAge, found.MaxRetries}
	}
	return out, nil
}

// DeleteSchedule removes a schedule.
func (s *Schedules) DeleteSchedule(ctx context.Context, in ScheduleName) (struct{}, error) {
	stack, _, ok := s.find(in.GroupName, in.Name)
	if !ok {
		return struct{}{}, noSchedule(in.Name)
	}
	_, err := s.Deployer.Edit(context.WithoutCancel(ctx), stack, func(rev *deploy.Revision) error {
		rev.Schedules = slices.DeleteFunc(rev.Schedules, func(found schedule.Schedule) bool { return is(&found, in.GroupName, in.Name) })
		return nil
	})
	return struct{}{}, err
}

// Complete removes a schedule that has no tick left.
func (s *Schedules) Complete(ctx context.Context, of schedule.Schedule) error {
	_, err := s.DeleteSchedule(ctx, ScheduleName{Name: of.Name, GroupName: of.Group})
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return err
}

// ListSchedulesInput narrows and pages a list of schedules.
type ListSchedulesInput struct {
	ScheduleGroup string `json:",omitempty"`
	NamePrefix    string `json:",omitempty"`
	State         string `json:",omitempty"`
	NextToken     string `json:",omitempty"`
	MaxResults    *int   `json:",omitempty"`
}

// ScheduleSummary is a schedule in a list.
type ScheduleSummary struct {
	Name                 string
	GroupName            string
	Arn                  string
	State                string
	Target               struct{ Arn string }
	CreationDate         wire.Time `json:",omitzero"`
	LastModificationDate wire.Time `json:",omitzero"`
}

// ListSchedulesOutput is a page of schedules.
type ListSchedulesOutput struct {
	Schedules []ScheduleSummary
	NextToken string `json:",omitempty"`
}

// ListSchedules lists the schedules of all stacks, by group and name.
func (s *Schedules) ListSchedules(_ context.Context, in ListSchedulesInput) (ListSchedulesOutput, error) {
	var list []ScheduleSummary
	for _, rev := range s.Deployer.List() {
		for i := range rev.Schedules {
			found := &rev.Schedules[i]
			if !found.Scheduler || !strings.HasPrefix(found.Name, in.NamePrefix) || in.ScheduleGroup != "" && in.ScheduleGroup != groupOf(found) || in.State != "" && in.State != stateOf(found) {
				continue
			}
			list = append(list, ScheduleSummary{
				Name: found.Name, GroupName: groupOf(found), Arn: found.ARN, State: stateOf(found), Target: struct{ Arn string }{s.targetOf(found)},
				CreationDate: wire.At(found.Created), LastModificationDate: wire.At(found.Modified),
			})
		}
	}
	slices.SortFunc(list, func(a, b ScheduleSummary) int { return strings.Compare(a.Arn, b.Arn) })
	list, next, err := page(list, in.NextToken, in.MaxResults)
	return ListSchedulesOutput{list, next}, err
}

func noSchedule(name string) error {
	return fault.Coded(fault.NotFound, "ResourceNotFoundException", "Schedule %s does not exist.", name)
}

// is reports whether a schedule is the one of a name in a group.
func is(found *schedule.Schedule, group, name string) bool {
	return found.Scheduler && found.Name == name && groupOf(found) == cmp.Or(group, schedule.DefaultGroup)
}

func groupOf(s *schedule.Schedule) string { return cmp.Or(s.Group, schedule.DefaultGroup) }

func stateOf(s *schedule.Schedule) string {
	if s.Disabled {
		return disabled
	}
	return enabled
}

func (s *Schedules) targetOf(found *schedule.Schedule) string {
	if found.Function != "" {
		return arn.Function(s.Region, found.Function)
	}
	return found.To
}

// find returns a schedule and the stack that it is part of; one that is not there yet
// would be part of deploy.APIStack.
func (s *Schedules) find(group, name string) (stack string, found schedule.Schedule, ok bool) {
	for stack, rev := range s.Deployer.List() {
		for i := range rev.Schedules {
			if is(&rev.Schedules[i], group, name) {
				return stack, rev.Schedules[i], true
			}
		}
	}
	return deploy.APIStack, schedule.Schedule{}, false
}
