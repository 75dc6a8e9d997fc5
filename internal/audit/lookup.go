package audit

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/wire"
)

// LookupEventsInput selects records as CloudTrail does.
type LookupEventsInput struct {
	LookupAttributes []LookupAttribute `json:",omitempty"` // one at most
	StartTime        *wire.Time        `json:",omitempty"`
	EndTime          *wire.Time        `json:",omitempty"`
	EventCategory    string            `json:",omitempty"` // "insight": there are none
	MaxResults       *int              `json:",omitempty"` // 1-50
	NextToken        string            `json:",omitempty"`
}

// LookupAttribute is a condition: EventId, EventName, ReadOnly, Username,
// ResourceType, ResourceName, EventSource or AccessKeyId.
type LookupAttribute struct {
	AttributeKey   string
	AttributeValue string
}

// LookupEventsOutput is a page, the newest event first.
type LookupEventsOutput struct {
	Events    []LookedUp
	NextToken string `json:",omitempty"`
}

// LookedUp is an event as LookupEvents gives it; CloudTrailEvent is all of it, as
// JSON text.
type LookedUp struct {
	EventId         string             `json:",omitempty"`
	EventName       string             `json:",omitempty"`
	ReadOnly        string             `json:",omitempty"` // "true" or "false"
	AccessKeyId     string             `json:",omitempty"`
	EventTime       wire.Time          `json:",omitzero"`
	EventSource     string             `json:",omitempty"`
	Username        string             `json:",omitempty"`
	Resources       []LookedUpResource `json:",omitempty"`
	CloudTrailEvent string             `json:",omitempty"`
}

// LookedUpResource is a resource of an event, by name: an ARN where there is one.
type LookedUpResource struct {
	ResourceType string `json:",omitempty"`
	ResourceName string `json:",omitempty"`
}

// maxLookup is CloudTrail's largest page, and its default.
const maxLookup = 50

// LookupEvents returns a page of the log, management and data events alike.
func (l *Log) LookupEvents(ctx context.Context, in LookupEventsInput) (LookupEventsOutput, error) {
	limit := maxLookup
	if in.MaxResults != nil {
		if limit = *in.MaxResults; limit < 1 || limit > maxLookup {
			return LookupEventsOutput{}, fault.Coded(fault.Invalid, "InvalidMaxResultsException", "MaxResults %d: from 1 to 50", limit)
		}
	}
	f, err := in.filter()
	if err != nil {
		return LookupEventsOutput{}, err
	}
	out := LookupEventsOutput{Events: []LookedUp{}}
	if in.EventCategory == "insight" {
		return out, nil
	}
	p, err := l.read(ctx, f, limit, in.NextToken)
	if err != nil {
		return LookupEventsOutput{}, err
	}
	for i, e := range p.events {
		out.Events = append(out.Events, lookedUp(e, string(p.raw[i])))
	}
	out.NextToken = p.next
	return out, nil
}

func lookedUp(e Event, text string) LookedUp {
	up := LookedUp{
		EventId: e.EventID, EventName: e.EventName, ReadOnly: strconv.FormatBool(e.ReadOnly), AccessKeyId: e.UserIdentity.AccessKeyID,
		EventTime: wire.At(e.EventTime), EventSource: e.EventSource, Username: e.UserIdentity.Name(), CloudTrailEvent: text,
	}
	for _, r := range e.Resources {
		up.Resources = append(up.Resources, LookedUpResource{r.Type, r.ARN})
	}
	return up
}

func (in LookupEventsInput) filter() (filter, error) {
	var f filter
	if in.StartTime != nil {
		f.start = in.StartTime.Time
	}
	if in.EndTime != nil {
		f.end = in.EndTime.Time
	}
	switch {
	case !f.start.IsZero() && !f.end.IsZero() && f.end.Before(f.start):
		return f, fault.Coded(fault.Invalid, "InvalidTimeRangeException", "EndTime is before StartTime")
	case in.EventCategory != "" && in.EventCategory != "insight":
		return f, fault.Coded(fault.Invalid, "InvalidEventCategoryException", "EventCategory %q: insight, or none", in.EventCategory)
	case len(in.LookupAttributes) > 1:
		return f, fault.Coded(fault.Invalid, "InvalidLookupAttributesException", "%d lookup attributes: one at most", len(in.LookupAttributes))
	}
	for _, a := range in.LookupAttributes {
		test, known := attributes[a.AttributeKey]
		if !known || a.AttributeValue == "" {
			return f, fault.Coded(fault.Invalid, "InvalidLookupAttributesException", "AttributeKey %q with value %q: the keys are AccessKeyId, EventId, EventName, EventSource, ReadOnly, ResourceName, ResourceType and Username, and a value is needed", a.AttributeKey, a.AttributeValue)
		}
		matches, needles := func(e *Event) bool { return test(e, a.AttributeValue) }, []string{a.AttributeValue}
		if a.AttributeKey == "ReadOnly" || a.AttributeValue == root {
			needles = nil // not in the text
		}
		f.require(matches, needles...)
	}
	return f, nil
}

var attributes = map[string]func(e *Event, value string) bool{
	"AccessKeyId": func(e *Event, v string) bool { return e.UserIdentity.AccessKeyID == v },
	"EventId":     func(e *Event, v string) bool { return e.EventID == v },
	"EventName":   func(e *Event, v string) bool { return e.EventName == v },
	"EventSource": func(e *Event, v string) bool { return e.EventSource == v },
	"ReadOnly":    func(e *Event, v string) bool { return strconv.FormatBool(e.ReadOnly) == v },
	"Username":    func(e *Event, v string) bool { return e.UserIdentity.Name() == v },
	"ResourceType": func(e *Event, v string) bool {
		return slices.ContainsFunc(e.Resources, func(r Resource) bool { return r.Type == v })
	},
	"ResourceName": func(e *Event, v string) bool {
		return slices.ContainsFunc(e.Resources, func(r Resource) bool { return r.ARN == v || isLast(r.ARN, v) })
	},
}

// isLast says whether a name is that of an ARN's resource: key of
// arn:…:key/… or topic of arn:aws:sns:…:topic.
func isLast(arn, name string) bool {
	rest, ok := strings.CutSuffix(arn, name)
	return ok && (strings.HasSuffix(rest, "/") || strings.HasSuffix(rest, ":"))
}
