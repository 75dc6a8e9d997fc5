package status

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/monitor"
)

// report is the page's contents, and the JSON.
type report struct {
	Title    string        `json:"title"`
	Updated  time.Time     `json:"updated"`
	State    monitor.State `json:"state"` // the worst of the monitors
	Summary  string        `json:"summary"`
	Groups   []group       `json:"groups"`
	Open     []incident    `json:"incidents"`   // those that go on
	Past     []incident    `json:"history"`     // of 90 days, the newest first
	Planned  []maintenance `json:"maintenance"` // that goes on or is to come
	Watching int           `json:"-"`
}

type group struct {
	Name     string    `json:"name,omitempty"`
	Monitors []watched `json:"monitors"`
}

type watched struct {
	Title  string        `json:"title"`
	State  monitor.State `json:"state"`
	Since  time.Time     `json:"since,omitzero"`
	Uptime *float64      `json:"uptime"` // share of 90 days; null: nothing is known
	Days   []day         `json:"days"`   // the oldest first
}

type day struct {
	Day    string        `json:"day"`
	Uptime *float64      `json:"uptime"`
	State  monitor.State `json:"state"`
	Words  string        `json:"-"`
	X      int           `json:"-"`
}

type incident struct {
	Monitor      string        `json:"monitor"` // its title
	ID           string        `json:"id"`
	State        monitor.State `json:"state"`
	Opened       time.Time     `json:"opened"`
	Acknowledged time.Time     `json:"acknowledged,omitzero"`
	Resolved     time.Time     `json:"resolved,omitzero"`
	Lasted       time.Duration `json:"-"`
	Seconds      int64         `json:"seconds"`
}

type maintenance struct {
	Start  time.Time `json:"start"`
	End    time.Time `json:"end"`
	Reason string    `json:"reason,omitempty"`
	Of     []string  `json:"monitors"` // titles
	Now    bool      `json:"now"`
}

// window is how many days are shown.
const window = 90

func newReport(title string, in monitor.Public, now time.Time) *report {
	r := &report{Title: title, Updated: now, Groups: []group{}, Open: []incident{}, Past: []incident{}, Planned: []maintenance{}}
	titles, public := map[string]string{}, map[string]bool{}
	for _, s := range in.Monitors {
		titles[s.Name], public[s.Name] = cmp.Or(s.Title, s.Name), true
		i := slices.IndexFunc(r.Groups, func(g group) bool { return g.Name == s.Group })
		if i < 0 {
			i = len(r.Groups)
			r.Groups = append(r.Groups, group{Name: s.Group})
		}
		r.Groups[i].Monitors = append(r.Groups[i].Monitors, watchedOf(s, now))
		r.Watching++
	}
	slices.SortStableFunc(r.Groups, func(a, b group) int { return cmp.Compare(a.Name, b.Name) })
	for _, g := range r.Groups {
		slices.SortStableFunc(g.Monitors, func(a, b watched) int { return cmp.Compare(a.Title, b.Title) })
	}
	for _, i := range in.Incidents {
		one := incident{
			Monitor: titles[i.Monitor], ID: i.ID, State: i.State, Opened: i.Opened, Acknowledged: i.Acknowledged, Resolved: i.Resolved,
			Lasted: i.Duration(now), Seconds: int64(i.Duration(now).Seconds()),
		}
		switch {
		case i.Resolved.IsZero():
			r.Open = append(r.Open, one)
		case now.Sub(i.Opened) < window*24*time.Hour:
			r.Past = append(r.Past, one)
		}
	}
	for _, w := range in.Windows {
		m := maintenance{Start: w.Start, End: w.Start.Add(time.Duration(w.Length)), Reason: w.Reason, Now: !w.Start.After(now), Of: []string{}}
		for _, name := range w.Monitors {
			if public[name] {
				m.Of = append(m.Of, titles[name])
			}
		}
		r.Planned = append(r.Planned, m)
	}
	r.sum()
	return r
}

func watchedOf(s monitor.Status, now time.Time) watched {
	w := watched{Title: cmp.Or(s.Title, s.Name), State: s.State, Since: s.Since}
	w.Uptime = known(monitor.Days(s.Days).Sum(now.AddDate(0, 0, 1-window).Format(time.DateOnly)).Uptime())
	for n := range window {
		date := now.AddDate(0, 0, n+1-window).Format(time.DateOnly)
		d := day{Day: date, State: monitor.Unknown, Words: date + ": nothing is known", X: 4 * n}
		if i := slices.IndexFunc(s.Days, func(d monitor.Day) bool { return d.Day == date }); i >= 0 {
			d.fill(s.Days[i])
		}
		w.Days = append(w.Days, d)
	}
	return w
}

// fill says how a day was: by its worst, if that lasted longer than nobody notices.
func (d *day) fill(of monitor.Day) {
	const noticed = 30 // seconds
	d.Uptime = known(of.Uptime())
	switch {
	case of.Down > noticed:
		d.State = monitor.Down
	case of.Slow > noticed:
		d.State = monitor.Slow
	case of.Up > 0 || of.Slow > 0 || of.Down > 0:
		d.State = monitor.Up
	case of.Maintenance > 0:
		d.State = monitor.Maintenance
	}
	d.Words = d.Day + ": "
	if d.Uptime != nil {
		d.Words += percent(*d.Uptime) + " up"
	}
	for _, part := range []struct {
		seconds float64
		word    string
	}{{of.Down, "down"}, {of.Slow, "slow"}, {of.Maintenance, "in maintenance"}} {
		if part.seconds >= 1 {
			d.Words += ", " + length(time.Duration(part.seconds)*time.Second) + " " + part.word
		}
	}
	d.Words = strings.Replace(d.Words, ": , ", ": ", 1)
}

func known(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}

// percent rounds down: what was down for a minute was not up all the time.
func percent(v float64) string {
	return strconv.FormatFloat(math.Floor(v*1e5)/1e3, 'f', -1, 64) + " %"
}

// Percent is the uptime in words.
func (w watched) Percent() string {
	if w.Uptime == nil {
		return ""
	}
	return percent(*w.Uptime)
}

// Words is a state as it is shown.
func (w watched) Words() string {
	switch w.State {
	case monitor.Up:
		return "Operational"
	case monitor.Slow:
		return "Slow"
	case monitor.Down:
		return "Down"
	case monitor.Maintenance:
		return "In maintenance"
	case monitor.Paused:
		return "Not watched"
	}
	return "Not known yet"
}

// Words tells of an incident.
func (i incident) Words() string {
	verb := map[bool]string{true: "is", false: "was"}[i.Resolved.IsZero()]
	return fmt.Sprintf("%s %s %s", i.Monitor, verb, i.State)
}

// sum says in one sentence how everything stands.
func (r *report) sum() {
	counts := map[monitor.State]int{}
	for _, g := range r.Groups {
		for _, w := range g.Monitors {
			counts[w.State]++
		}
	}
	several := func(n int, what string) string {
		if n == 1 {
			return "One service is " + what
		}
		return fmt.Sprintf("%d services are %s", n, what)
	}
	switch {
	case r.Watching == 0:
		r.State, r.Summary = monitor.Unknown, "Nothing is public yet"
	case counts[monitor.Down] == r.Watching:
		r.State, r.Summary = monitor.Down, "Everything is down"
	case counts[monitor.Down] > 0:
		r.State, r.Summary = monitor.Down, several(counts[monitor.Down], "down")
	case counts[monitor.Slow] > 0:
		r.State, r.Summary = monitor.Slow, several(counts[monitor.Slow], "slow")
	case counts[monitor.Maintenance] > 0:
		r.State, r.Summary = monitor.Maintenance, several(counts[monitor.Maintenance], "in maintenance")
	case counts[monitor.Up] == 0:
		r.State, r.Summary = monitor.Unknown, "Nothing is known yet"
	default:
		r.State, r.Summary = monitor.Up, "Everything works"
	}
}
