package arn

// EventBus is the name of an event bus.
func EventBus(region, name string) string { return of("events", region, "event-bus/"+name) }

// BusRule is the name of a rule of an event bus; "" is the default one, whose rules
// do not name it.
func BusRule(region, bus, name string) string {
	if bus == "" || bus == "default" {
		return Rule(region, name)
	}
	return of("events", region, "rule/"+bus+"/"+name)
}

// Schedule is the name of a schedule of EventBridge Scheduler.
func Schedule(region, group, name string) string {
	return of("scheduler", region, "schedule/"+group+"/"+name)
}

// ScheduleGroup is the name of a group of schedules.
func ScheduleGroup(region, name string) string {
	return of("scheduler", region, "schedule-group/"+name)
}
