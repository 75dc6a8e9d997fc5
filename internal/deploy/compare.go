package deploy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/alert/alarm"
	"github.com/dropstack/dropstack/internal/bucket"
	"github.com/dropstack/dropstack/internal/bus"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/accesslog"
	"github.com/dropstack/dropstack/internal/edge/waf"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/ingest"
	"github.com/dropstack/dropstack/internal/monitor"
	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/queue"
	"github.com/dropstack/dropstack/internal/schedule"
	"github.com/dropstack/dropstack/internal/topic"
)

// Diff is what a deployment would do to a stack. It shows no secret: of
// environments it has the names alone.
type Diff struct {
	Stack    string   `json:"stack"`
	From     string   `json:"from,omitempty"` // revision that is active; "": the stack is new
	Changes  []Change `json:"changes"`
	Restarts []string `json:"restarts"` // functions whose instances start anew
	Shifts   []Moving `json:"shifts,omitempty"`
}

// Moving is an alias whose callers a deployment moves to new code bit by bit.
type Moving struct {
	Function string `json:"function"`
	Alias    string `json:"alias"`
	Type     string `json:"type"`
}

// Actions of changes.
const (
	ActionCreate = "create"
	ActionChange = "change"
	ActionRemove = "remove"
)

// Change is what becomes of one thing that a stack has.
type Change struct {
	Action string  `json:"action"`
	Kind   string  `json:"kind"` // function, route, topic ...
	Name   string  `json:"name"`
	Fields []Field `json:"fields,omitempty"` // of ActionChange; of a new distribution its host names
}

// Field is one part of a thing before and after. A side on which it is not there is
// empty.
type Field struct {
	Name string `json:"name"` // as in the revision: memorySize, environment.NAME ...
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// Empty reports whether nothing changes.
func (d *Diff) Empty() bool { return len(d.Changes) == 0 }

// Compare says what changes when next takes the place of old, nil: of nothing.
func Compare(old, next *Revision) *Diff {
	d := &Diff{Stack: next.Stack, Changes: []Change{}, Restarts: []string{}}
	if old == nil {
		old = &Revision{}
	}
	d.From = old.ID
	compare(d, "function", timeless(old.Functions), timeless(next.Functions), func(f function.Function) string { return f.Name })
	compare(d, "alias", old.Aliases, next.Aliases, func(a function.DeclaredAlias) string { return a.Function + ":" + a.Name })
	compare(d, "layer", layers(old), layers(next), func(l Layer) string { return fmt.Sprintf("%s:%d", l.Name, l.Version) })
	compare(d, "API", bare(old.APIs), bare(next.APIs), func(a gateway.API) string { return a.Name + " " + a.Kind })
	compare(d, "route", routes(old), routes(next), func(r listedRoute) string { return r.name() })
	compare(d, "API key", old.APIKeys, next.APIKeys, func(k gateway.APIKey) string { return k.Name })
	compare(d, "usage plan", old.UsagePlans, next.UsagePlans, func(p gateway.UsagePlan) string { return p.Name })
	compare(d, "topic", old.Topics, next.Topics, func(t topic.Topic) string { return t.ARN })
	compare(d, "subscription", settled(old), settled(next), subscriptionName)
	compare(d, "queue", unstamped(old.Queues), unstamped(next.Queues), func(q queue.Queue) string { return q.Name })
	compare(d, "event source", old.Mappings, next.Mappings, func(m queue.Mapping) string { return m.Source + " to " + m.Function })
	compare(d, "bus", old.Buses, next.Buses, func(b bus.Bus) string { return b.Name })
	compare(d, "rule", old.Rules, next.Rules, func(r bus.Rule) string { return cmp.Or(r.Bus, bus.Default) + "/" + r.Name })
	compare(d, "schedule", old.Schedules, next.Schedules, func(s schedule.Schedule) string { return strings.TrimSpace(s.Name + " " + s.Target) })
	compare(d, "schedule group", undatedGroups(old.ScheduleGroups), undatedGroups(next.ScheduleGroups), func(g schedule.Group) string { return g.Name })
	compare(d, "bucket", named(old.Buckets), named(next.Buckets), func(b namedBucket) string { return b.Name })
	compare(d, "bucket event", old.Notifications, next.Notifications, func(n bucket.Notification) string { return n.Bucket + " " + n.ID })
	compare(d, "bucket setting", old.BucketSettings, next.BucketSettings, func(s bucket.Settings) string { return s.Bucket })
	compare(d, "distribution", undeclared(old), undeclared(next), func(x edge.Distribution) string { return x.ID })
	d.hosts(next)
	compare(d, "web ACL", old.WebACLs, next.WebACLs, func(a waf.WebACL) string { return a.Name })
	compare(d, "IP set", old.IPSets, next.IPSets, func(s waf.IPSet) string { return s.Name })
	compare(d, "pattern set", old.PatternSets, next.PatternSets, func(s waf.RegexPatternSet) string { return s.Name })
	compare(d, "access log reader", old.AccessReaders, next.AccessReaders, func(r accesslog.Reader) string { return r.Function })
	compare(d, "role", old.Roles, next.Roles, func(r iam.DeclaredRole) string { return r.Name })
	compareNetworks(d, old.Network, next.Network)
	compare(d, "log source", old.LogSources, next.LogSources, func(s ingest.Source) string { return s.Bucket + "/" + s.Prefix })
	compare(d, "log group", old.LogGroups, next.LogGroups, func(g logs.Declared) string { return g.Name })
	compare(d, "alert rule", sourceless(old.Alerts), sourceless(next.Alerts), func(r alert.Rule) string { return strings.TrimPrefix(r.Group+"/"+r.Name, "/") })
	compare(d, "alarm", old.Alarms, next.Alarms, func(a alarm.Alarm) string { return a.AlarmName })
	compare(d, "metric filter", old.MetricFilters, next.MetricFilters, func(f alarm.Filter) string { return f.Name })
	compare(d, "monitor", old.Monitors, next.Monitors, func(m monitor.Monitor) string { return m.Name })
	compare(d, "output", old.Outputs, next.Outputs, func(o Output) string { return o.Key })
	if old.ID != "" {
		compare(d, "stack", []*Revision{old.settings()}, []*Revision{next.settings()}, func(*Revision) string { return next.Stack })
	}
	for _, was := range old.Functions {
		i := slices.IndexFunc(next.Functions, func(f function.Function) bool { return f.Name == was.Name })
		if i < 0 || !function.Restarts(was, next.Functions[i]) {
			continue
		}
		d.Restarts = append(d.Restarts, was.Name)
		if s := next.Functions[i].Shift; s != nil {
			d.Shifts = append(d.Shifts, Moving{was.Name, s.Alias, s.Type})
		}
	}
	return d
}

// settings are what a revision says of the stack itself.
func (r *Revision) settings() *Revision {
	return &Revision{Region: r.Region, Keep: r.Keep, AlertSettings: r.AlertSettings}
}

// compare adds what becomes of the things of a kind, which their names tell apart.
func compare[T any](d *Diff, kind string, old, next []T, name func(T) string) {
	was, is := byName(old, name), byName(next, name)
	for _, n := range slices.Sorted(maps.Keys(is)) {
		before, there := was[n]
		if !there {
			d.Changes = append(d.Changes, Change{Action: ActionCreate, Kind: kind, Name: n})
		} else if fields := differences(before, is[n]); len(fields) > 0 {
			d.Changes = append(d.Changes, Change{ActionChange, kind, n, fields})
		}
	}
	for _, n := range slices.Sorted(maps.Keys(was)) {
		if _, stays := is[n]; !stays {
			d.Changes = append(d.Changes, Change{Action: ActionRemove, Kind: kind, Name: n})
		}
	}
}

// byName has things by their names; those of one name are counted.
func byName[T any](list []T, name func(T) string) map[string]T {
	all := map[string]T{}
	for _, x := range list {
		n := name(x)
		for i := 2; ; i++ {
			if _, taken := all[n]; !taken {
				break
			}
			n = fmt.Sprintf("%s (%d)", name(x), i)
		}
		all[n] = x
	}
	return all
}

func compareNetworks(d *Diff, old, next network.Model) {
	compare(d, "VPC", old.VPCs, next.VPCs, func(v network.VPC) string { return v.ID })
	compare(d, "subnet", old.Subnets, next.Subnets, func(s network.Subnet) string { return s.ID })
	compare(d, "security group", old.Groups, next.Groups, func(g network.SecurityGroup) string { return g.ID })
	compare(d, "interface", old.Interfaces, next.Interfaces, func(i network.Interface) string { return i.ID })
	compare(d, "peering", old.Peerings, next.Peerings, func(p network.Peering) string { return p.ID })
	compare(d, "zone", old.Zones, next.Zones, func(z network.Zone) string { return z.Name })
	compare(d, "endpoint", old.Endpoints, next.Endpoints, func(e network.Endpoint) string { return e.ID })
}

// timeless are functions without what a deployment fills in.
func timeless(list []function.Function) []function.Function {
	list = slices.Clone(list)
	for i := range list {
		list[i].Modified, list[i].CodeSize, list[i].Sealed = time.Time{}, 0, nil
	}
	return list
}

func layers(r *Revision) []Layer {
	list := slices.Clone(r.Layers)
	for i := range list {
		list[i].Created = time.Time{}
	}
	return list
}

// undeclared are distributions without the configuration that they were made of, which
// says the same once more.
func undeclared(r *Revision) []edge.Distribution {
	list := slices.Clone(r.Distributions)
	for i := range list {
		list[i].Declared = nil
	}
	return list
}

// hosts says of distributions that are new by which names they are reached.
func (d *Diff) hosts(next *Revision) {
	for i := range d.Changes {
		c := &d.Changes[i]
		k := slices.IndexFunc(next.Distributions, func(x edge.Distribution) bool { return x.ID == c.Name })
		if c.Kind != "distribution" || c.Action != ActionCreate || k < 0 {
			continue
		}
		c.Fields = append(c.Fields, Field{Name: "domain", To: next.Distributions[k].Domain})
		if aliases := next.Distributions[k].Aliases; len(aliases) > 0 {
			c.Fields = append(c.Fields, Field{Name: "aliases", To: "[" + strings.Join(aliases, " ") + "]"})
		}
	}
}

// bare are APIs without their routes, which are things of their own.
func bare(list []gateway.API) []gateway.API {
	list = slices.Clone(list)
	for i := range list {
		list[i].Routes = nil
	}
	return list
}

// listedRoute is a route with the API that it is of.
type listedRoute struct {
	gateway.Route
	api string
}

func (r listedRoute) name() string { return r.api + " " + r.Method + " " + r.Path }

func routes(r *Revision) (list []listedRoute) {
	for _, api := range r.APIs {
		for _, route := range api.Routes {
			list = append(list, listedRoute{route, api.Name})
		}
	}
	return list
}

// settled are subscriptions without what their endpoints have answered.
func settled(r *Revision) []topic.Subscription {
	list := slices.Clone(r.Subscriptions)
	for i := range list {
		list[i].State, list[i].Requested = "", time.Time{}
	}
	return list
}

// subscriptionName tells a subscription from others without its endpoint, which may
// be a person's or hold a password.
func subscriptionName(s topic.Subscription) string {
	topicName := s.Topic[strings.LastIndex(s.Topic, ":")+1:]
	return topicName + " to " + cmp.Or(s.Function, cmp.Or(s.Protocol, topic.ProtocolLambda)+" "+s.ARN[strings.LastIndex(s.ARN, ":")+1:])
}

func unstamped(list []queue.Queue) []queue.Queue {
	list = slices.Clone(list)
	for i := range list {
		list[i].Created, list[i].Modified = time.Time{}, time.Time{}
	}
	return list
}

func undatedGroups(list []schedule.Group) []schedule.Group {
	list = slices.Clone(list)
	for i := range list {
		list[i].Created, list[i].Modified = time.Time{}, time.Time{}
	}
	return list
}

// namedBucket is a bucket, of which a revision has the name only.
type namedBucket struct {
	Name string `json:"name"`
}

func named(buckets []string) (list []namedBucket) {
	for _, name := range buckets {
		list = append(list, namedBucket{name})
	}
	return list
}
