package arn

// EventBus is the name of an event bus.
func EventBus(region, name string) string { return of("events", region, "event-bus/"+name) }

// BusRule is the name of a rule of an event bus other than the default one.
func BusRule(region, bus, name string) string { return of("events", region, "rule/"+bus+"/"+name) }

// Schedule is the name of a schedule of EventBridge Scheduler.
func Schedule(region, group, name string) string {
	return of("scheduler", region, "schedule/"+group+"/"+name)
}

// ScheduleGroup is the name of a group of schedules.
func ScheduleGroup(region, name string) string {
	return of("scheduler", region, "schedule-group/"+name)
}
