package notify

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	engine "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/template"

	"github.com/dropstack/dropstack/internal/alert"
)

// message is a request of chat.postMessage and chat.update, and of incoming webhooks.
type message struct {
	Channel     string       `json:"channel,omitempty"`
	TS          string       `json:"ts,omitempty"`        // of the message that is edited
	ThreadTS    string       `json:"thread_ts,omitempty"` // of the message that is answered
	Broadcast   bool         `json:"reply_broadcast,omitempty"`
	Username    string       `json:"username,omitempty"`
	IconEmoji   string       `json:"icon_emoji,omitempty"`
	IconURL     string       `json:"icon_url,omitempty"`
	Text        string       `json:"text"` // what notifications show
	Attachments []attachment `json:"attachments,omitempty"`
}

// attachment gives blocks a coloured edge, which is why it is there.
type attachment struct {
	Color    string  `json:"color"`
	Fallback string  `json:"fallback"`
	Blocks   []block `json:"blocks"`
}

// words is a group in the words of a message.
type words struct {
	*template.Data
	title string // "": what the alerts are called
	text  string // of the configuration; "": none
	color string // likewise
}

// attachment shows the group: first what fires, then what is over, with the evidence
// of as many as there is room for.
func (w words) attachment() attachment {
	list := append(w.Alerts.Firing(), w.Alerts.Resolved()...)
	blocks := []block{header(w.headline())}
	if w.text != "" {
		blocks = append(blocks, section(w.text))
	}
	for i, a := range list {
		part := about(a)
		if len(blocks)+len(part)+1 > maxBlocks { // one is for the rest
			blocks = append(blocks, remark(fmt.Sprintf("and %d more: %s", len(list)-i, escape(names(list[i:])))))
			break
		}
		blocks = append(blocks, part...)
	}
	return attachment{Color: w.edge(), Fallback: shorten(w.headline(), maxPlain), Blocks: blocks}
}

// headline says in a line what has happened.
func (w words) headline() string {
	title := w.title
	if title == "" {
		title = called(w.Data)
	}
	if firing := len(w.Alerts.Firing()); firing > 1 {
		return fmt.Sprintf("%s %s (%d)", sign(w.Data), title, firing)
	}
	return sign(w.Data) + " " + title
}

// called is what all alerts of a group are called: the rule, and what it is about.
func called(d *template.Data) string {
	name := d.CommonLabels[alert.NameLabel]
	if name == "" {
		name = "Alerts"
	}
	for _, about := range []string{alert.FunctionLabel, "monitor", alert.StackLabel} {
		if v := d.CommonLabels[about]; v != "" {
			return name + ": " + v
		}
	}
	return name
}

func sign(d *template.Data) string {
	switch {
	case len(d.Alerts.Firing()) == 0:
		return "✅ Resolved:"
	case gravest(d) == "critical":
		return "🔴"
	case gravest(d) == "info":
		return "🔵"
	}
	return "🟠"
}

// gravest is the severity that counts for a group.
func gravest(d *template.Data) string {
	found := "info"
	for _, a := range d.Alerts.Firing() {
		switch a.Labels[alert.SeverityLabel] {
		case "critical":
			return "critical"
		case "info":
		default:
			found = "warning"
		}
	}
	return found
}

func (w words) edge() string {
	switch {
	case w.color != "":
		return w.color
	case len(w.Alerts.Firing()) == 0:
		return "#2eb67d"
	case gravest(w.Data) == "critical":
		return "#d0021b"
	case gravest(w.Data) == "info":
		return "#1d9bd1"
	}
	return "#f5a623"
}

// about shows one alert.
func about(a template.Alert) []block {
	note := a.Annotations
	over := a.Status != "firing"
	line := "*" + escape(cmp.Or(note[alert.SummaryAnnotation], a.Labels[alert.NameLabel])) + "*"
	if over {
		line = "~" + escape(cmp.Or(note[alert.SummaryAnnotation], a.Labels[alert.NameLabel])) + "~ resolved after " + lasted(a.StartsAt, a.EndsAt)
	}
	if d := note[alert.DescriptionAnnotation]; d != "" && !over {
		line += "\n" + escape(d)
	}
	if t := note[trendAnnotation]; t != "" {
		line += "\n`" + escape(t) + "` last hour"
	}
	out := []block{section(line)}
	if over {
		return out
	}
	since := a.StartsAt.UTC()
	if b, any := facts(
		[2]string{"Severity", a.Labels[alert.SeverityLabel]}, [2]string{"Value", note[valueAnnotation]},
		[2]string{"Function", a.Labels[alert.FunctionLabel]}, [2]string{"Monitor", a.Labels["monitor"]},
		[2]string{"Stack", a.Labels[alert.StackLabel]}, [2]string{"Owner", note[alert.OwnerAnnotation]},
		[2]string{"Since", since.Format("2006-01-02 15:04:05 UTC")},
	); any {
		out = append(out, b)
	}
	if s := note[sampleAnnotation]; s != "" {
		out = append(out, preformatted(s))
	}
	if b, any := links(
		[2]string{"Console", note[consoleAnnotation]}, [2]string{"Graph", note[exploreAnnotation]}, [2]string{"Logs", note[logsURLAnnotation]},
		[2]string{"Runbook", cmp.Or(note[alert.RunbookAnnotation], note["runbook_url"])}, [2]string{"Silence", note[silenceAnnotation]},
	); any {
		out = append(out, b)
	}
	return out
}

// reply is what is said in the thread of a message when it is edited, as an edit
// alone tells nobody; and whether the whole channel should hear it.
func (w words) reply(why engine.NotifyReason) (said string, broadcast bool) {
	firing := w.Alerts.Firing()
	switch why {
	case engine.ReasonAllAlertsResolved:
		starts, ends := span(w.Alerts)
		return "✅ Resolved after " + lasted(starts, ends) + ".", false
	case engine.ReasonNewResolvedAlerts:
		return fmt.Sprintf("✅ %s resolved; %d still firing.", escape(names(w.Alerts.Resolved())), len(firing)), false
	case engine.ReasonNewAlertsInGroup:
		return fmt.Sprintf("%s now %d firing: %s", sign(w.Data), len(firing), escape(names(firing))), true
	}
	starts, _ := span(firing)
	return fmt.Sprintf("%s still firing, since %s.", sign(w.Data), lasted(starts, time.Now())), true
}

// names are what a list of alerts is about.
func names(list []template.Alert) string {
	var out []string
	for _, a := range list {
		out = append(out, cmp.Or(a.Labels[alert.FunctionLabel], a.Labels["monitor"], a.Annotations[alert.SummaryAnnotation], a.Labels[alert.NameLabel]))
	}
	return cut(strings.Join(out, ", "), 1000)
}

// span is from when until when any of the alerts went on.
func span(list []template.Alert) (starts, ends time.Time) {
	for _, a := range list {
		if starts.IsZero() || a.StartsAt.Before(starts) {
			starts = a.StartsAt
		}
		ends = latest(ends, a.EndsAt)
	}
	return starts, ends
}

// lasted words a duration as people do.
func lasted(starts, ends time.Time) string {
	d := ends.Sub(starts)
	switch {
	case d < time.Second:
		return "less than a second"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}
