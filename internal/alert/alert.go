// Package alert watches what is measured and logged, and tells people.
//
// A Rule is a question that is asked again and again. What it answers are alerts,
// one for each set of labels; an alert that goes on for the rule's time fires. Firing
// alerts are grouped, silenced and sent to receivers as Alertmanager does, whose
// engine this is.
package alert

import "time"

// Names of labels and annotations that the platform gives meaning to.
const (
	NameLabel     = "alertname"
	SeverityLabel = "severity" // critical, warning or info
	StackLabel    = "stack"    // SERVICE-STAGE, of rules that a stack declares
	FunctionLabel = "function"

	SummaryAnnotation     = "summary"
	DescriptionAnnotation = "description"
	OwnerAnnotation       = "owner"   // who looks after it: a name or an address
	RunbookAnnotation     = "runbook" // URL
	LogsAnnotation        = "logs"    // a question to the logs, whose newest records are the evidence
)

// Rule is a condition that is watched.
type Rule struct {
	Name        string            `json:"name"`
	Record      bool              `json:"record,omitempty"` // nobody is told: what Expr answers is kept as the series Name
	Group       string            `json:"group,omitempty"`  // rules of one group are asked one after the other
	Expr        string            `json:"expr,omitempty"`   // PromQL; every series that it answers is an alert
	Query       string            `json:"query,omitempty"`  // or a question to the logs, asked of the last Within; every row is an alert
	Within      time.Duration     `json:"within,omitempty"`
	Groups      []string          `json:"groups,omitempty"` // log groups of Query
	For         time.Duration     `json:"for,omitempty"`    // how long it has to go on
	KeepFiring  time.Duration     `json:"keepFiring,omitempty"`
	Every       time.Duration     `json:"every,omitempty"`  // how often it is asked; 0: 15 s
	Behind      time.Duration     `json:"behind,omitempty"` // how long ago the moment is that it is asked about
	Limit       int               `json:"limit,omitempty"`  // of alerts, or series, of the group's rules each; 0: none
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"` // templates, as Prometheus has them
	Source      string            `json:"source,omitempty"`      // where it stands: FILE:LINE, or "built in"
}
