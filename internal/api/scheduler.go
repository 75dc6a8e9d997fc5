package api

import (
	"cmp"
	"net/http"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/event"
	"github.com/dropstack/dropstack/internal/schedule"
)

// Scheduler is EventBridge Scheduler's API, which is REST with JSON bodies.
type Scheduler struct {
	Schedules *event.Schedules
	Region    string
}

// Service is the service "scheduler".
func (s *Scheduler) Service() *Service {
	one := func(group, name string) []Need {
		return on(arn.Schedule(s.Region, cmp.Or(group, schedule.DefaultGroup), name))
	}
	group := func(name string) []Need { return on(arn.ScheduleGroup(s.Region, name)) }
	// who makes a schedule hands its role on, if there is one
	put := func(in event.ScheduleInput) []Need {
		needs := one(in.GroupName, in.Name)
		if in.Target.RoleArn != "" {
			needs = append(needs, Need{Action: "iam:PassRole", Resource: in.Target.RoleArn, Conditions: map[string][]string{"iam:PassedToService": {"scheduler.amazonaws.com"}}})
		}
		return needs
	}
	named := func(in event.ScheduleName) []Need { return one(in.GroupName, in.Name) }
	grouped := func(in event.GroupInput) []Need { return group(in.Name) }
	r := s.Schedules
	return &Service{Scope: "scheduler", routes: []route{
		{"POST", "/schedules/{Name}", "CreateSchedule", http.StatusOK, op(r.CreateSchedule, put)},
		{"PUT", "/schedules/{Name}", "UpdateSchedule", http.StatusOK, op(r.UpdateSchedule, put)},
		{"GET", "/schedules/{Name}", "GetSchedule", http.StatusOK, op(r.GetSchedule, named)},
		{"DELETE", "/schedules/{Name}", "DeleteSchedule", http.StatusOK, op(r.DeleteSchedule, named)},
		{"GET", "/schedules", "ListSchedules", http.StatusOK, op(r.ListSchedules, nil)},

		{"POST", "/schedule-groups/{Name}", "CreateScheduleGroup", http.StatusOK, op(r.CreateScheduleGroup, func(in event.CreateGroupInput) []Need { return group(in.Name) })},
		{"GET", "/schedule-groups/{Name}", "GetScheduleGroup", http.StatusOK, op(r.GetScheduleGroup, grouped)},
		{"DELETE", "/schedule-groups/{Name}", "DeleteScheduleGroup", http.StatusOK, op(r.DeleteScheduleGroup, grouped)},
		{"GET", "/schedule-groups", "ListScheduleGroups", http.StatusOK, op(r.ListScheduleGroups, nil)},

		{"POST", "/tags/{ResourceARN}", "TagResource", http.StatusOK, op(r.TagResource, func(in event.TagResourceInput) []Need { return on(in.ResourceARN) })},
		{"DELETE", "/tags/{ResourceARN}", "UntagResource", http.StatusOK, op(r.UntagResource, func(in event.UntagResourceInput) []Need { return on(in.ResourceARN) })},
		{"GET", "/tags/{ResourceARN}", "ListTagsForResource", http.StatusOK, op(r.ListTagsForResource, func(in event.ListTagsInput) []Need { return on(in.ResourceARN) })},
	}}
}
