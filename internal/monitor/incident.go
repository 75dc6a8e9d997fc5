package monitor

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Incident is a time during which a monitor was down or slow.
type Incident struct {
	ID           string    `json:"id"`
	Monitor      string    `json:"monitor"`
	Stack        string    `json:"stack,omitempty"`
	State        State     `json:"state"`           // the worst it has come to: down or slow
	Cause        string    `json:"cause,omitempty"` // in words
	Opened       time.Time `json:"opened"`
	Acknowledged time.Time `json:"acknowledged,omitzero"`
	By           string    `json:"acknowledgedBy,omitempty"` // ARN
	Resolved     time.Time `json:"resolved,omitzero"`        // zero: it goes on
	Reopened     int       `json:"reopened,omitempty"`       // how often it was over and came back
	Evidence     []Result  `json:"evidence,omitempty"`       // of each location, the first that told of it
	Timeline     []Entry   `json:"timeline"`
}

// Entry is something that happened in an incident.
type Entry struct {
	At       time.Time `json:"at"`
	Event    string    `json:"event"` // opened, worse, seen, acknowledged, reopened, resolved
	Location string    `json:"location,omitempty"`
	Text     string    `json:"text"`
}

const (
	maxTimeline   = 100
	keepIncidents = 100             // of a monitor
	relapse       = 5 * time.Minute // after which an outage is another incident
)

// Duration is how long the incident lasted, or has lasted.
func (i *Incident) Duration(now time.Time) time.Duration {
	if !i.Resolved.IsZero() {
		now = i.Resolved
	}
	return now.Sub(i.Opened).Round(time.Second)
}

func (i *Incident) note(at time.Time, event, location, text string) {
	if len(i.Timeline) < maxTimeline || event != "seen" {
		i.Timeline = append(i.Timeline, Entry{at.UTC(), event, location, text})
	}
	if n := len(i.Timeline); n > 2*maxTimeline { // one that comes back all day long
		i.Timeline = slices.Delete(i.Timeline, 1, n-2*maxTimeline+1)
	}
}

// witness keeps what the locations see, those that see nothing wrong too. It tells
// whether there is something new.
func (i *Incident) witness(w *watch, v view) (news bool) {
	for _, location := range v.heard {
		r := w.at[location].last
		k := slices.IndexFunc(i.Evidence, func(old Result) bool { return old.Location == location })
		if k < 0 {
			i.Evidence = append(i.Evidence, r)
		} else if rank(r.State) > rank(i.Evidence[k].State) {
			i.Evidence[k] = r
		}
		text := cmp.Or(r.Reason, "it is "+string(r.State))
		if r.State == Slow {
			text = "it is slow" // how slow is another matter each time
		}
		if i.said(location) != text {
			news = true
			i.note(r.At, "seen", location, text)
		}
	}
	slices.SortFunc(i.Evidence, func(a, b Result) int { return cmp.Compare(a.Location, b.Location) })
	return news
}

// said is what a location was noted to have seen last.
func (i *Incident) said(location string) string {
	for _, e := range slices.Backward(i.Timeline) {
		if e.Location == location {
			return e.Text
		}
	}
	return ""
}

// rank orders states by how bad they are.
func rank(s State) int {
	switch s {
	case Down:
		return 2
	case Slow:
		return 1
	}
	return 0
}

// cause says in words what is wrong, as most locations have it.
func (w *watch) cause(v view, state State, now time.Time) string {
	among := v.failing
	if state == Slow {
		among = append(slices.Clone(v.slow), v.failing...)
	}
	votes := map[string][]string{}
	for _, location := range among {
		reason := w.at[location].last.Reason
		if state == Slow {
			reason = "it is slow" // the times differ
		}
		votes[reason] = append(votes[reason], location)
	}
	if len(votes) == 0 {
		return ""
	}
	reasons := slices.SortedFunc(maps.Keys(votes), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(votes[b]), len(votes[a])), cmp.Compare(a, b))
	})
	text := reasons[0]
	if state == Slow && w.at[among[0]].last.Reason != "" {
		text = w.at[among[0]].last.Reason
	}
	if len(v.heard) > 1 {
		text += fmt.Sprintf(" (%d of %d locations: %s)", len(among), len(v.heard), strings.Join(slices.Sorted(slices.Values(among)), ", "))
	}
	if since := now.Sub(w.deployed); !w.deployed.IsZero() && since < 30*time.Minute {
		text += fmt.Sprintf("; %s was deployed %v before", w.Stack, since.Round(time.Second))
	}
	return text
}
