package notify

import (
	"fmt"
	"strings"
)

// Mail is the mail server of the platform, and who gets mail about alerts as long as
// nobody has said who is told.
type Mail struct {
	Server     string // host:port; "": no mail
	From       string
	User       string
	Password   string
	RequireTLS bool
	To         string // "": nobody
}

// Words that every configuration of ours has: what makes a group, and which alerts say
// no more than a graver one does.
const (
	grouping = `  group_by: [alertname, stack, function, monitor]
  group_wait: 10s
  group_interval: 1m
  repeat_interval: 4h
`
	inhibitions = `inhibit_rules:
  # of one function, the critical alert says it all
  - source_matchers: ['severity="critical"', 'function!=""']
    target_matchers: ['severity=~"warning|info"', 'function!=""']
    equal: [stack, function]
  # of one monitor likewise
  - source_matchers: ['severity="critical"', 'monitor!=""']
    target_matchers: ['severity=~"warning|info"', 'monitor!=""']
    equal: [monitor]
  # when a stack cannot be reached, what else is odd about it is a consequence
  - source_matchers: ['alertname="MonitorDown"', 'stack!=""']
    target_matchers: ['severity=~"warning|info"', 'stack!=""']
    equal: [stack]
  # when the disk is full, so is what could not be written
  - source_matchers: ['alertname="DiskNearlyFull"']
    target_matchers: ['alertname=~"LogRecordsLost|RulesLate|RulesFail"']
`
)

// fallback is who is told as long as nobody has said so: whoever has an address, else
// those alone who look.
func (n *Notifier) fallback() (*plan, error) {
	receiver, comment := "console", "receivers:\n  - name: console\n"
	if n.Mail.Server != "" && n.Mail.To != "" {
		receiver = "mail"
		comment = "receivers:\n  - name: mail\n    email_configs:\n      - to: " + fmt.Sprintf("%q", n.Mail.To) + "\n"
	}
	var b strings.Builder
	b.WriteString("route:\n  receiver: " + receiver + "\n" + grouping + inhibitions + comment)
	return parse("built in", b.String(), true, n.Mail)
}
