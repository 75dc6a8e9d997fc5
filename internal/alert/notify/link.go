package notify

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/alert"
)

// link adds where to look further: the function, what was measured, the logs, and a
// silence that is filled in.
func (n *Notifier) link(say func(name, value string), labels map[string]string, expression string, q Question) {
	if n.Console == "" {
		return
	}
	base := strings.TrimSuffix(n.Console, "/")
	if fn := labels[alert.FunctionLabel]; fn != "" {
		say(consoleAnnotation, base+"/#/functions/"+url.PathEscape(fn))
	} else if m := labels["monitor"]; m != "" {
		say(consoleAnnotation, base+"/#/uptime/"+url.PathEscape(m))
	} else {
		say(consoleAnnotation, base+"/#/alerts")
	}
	if expression != "" {
		say(exploreAnnotation, base+"/#/explore?"+url.Values{"a": {measured(expression)}}.Encode())
	}
	find := url.Values{}
	if q.Function != "" {
		find.Set("group", "/aws/lambda/"+q.Function)
	}
	if q.Query != "" {
		find.Set("q", q.Query)
	}
	if len(find) > 0 {
		say(logsURLAnnotation, base+"/#/logs?"+find.Encode())
	}
	var filter []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		filter = append(filter, fmt.Sprintf("%s=%q", name, labels[name]))
	}
	say(silenceAnnotation, base+"/#/alerts?"+url.Values{"silence": {"{" + strings.Join(filter, ",") + "}"}}.Encode())
}
