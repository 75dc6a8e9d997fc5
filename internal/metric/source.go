package metric

import (
	"strings"

	"github.com/prometheus/prometheus/model/labels"
)

// source says which series of ours a metric of AWS's is.
type source struct {
	metric string
	unit   string
	kind   kind
	series string
	scale  float64  // from our unit to theirs
	among  []string // of a tally: the counters whose sum is how often it could have happened
	total  string   // of a level: the series of all functions together
}

type kind int

const (
	tally        kind = iota // of a counter: each event is a 1, each that could have been one a 0
	distribution             // of a histogram
	level                    // of a gauge
)

const lambda = "AWS/Lambda"

// sources are the metrics of functions. AWS itself has no InitDuration here: its
// Lambda Insights do.
var sources = []source{
	{metric: "Invocations", unit: "Count", kind: tally, series: invocationsName, among: []string{invocationsName}},
	{metric: "Errors", unit: "Count", kind: tally, series: errorsName, among: []string{invocationsName}},
	{metric: "Throttles", unit: "Count", kind: tally, series: throttlesName, among: []string{invocationsName, throttlesName}},
	{metric: "Duration", unit: "Milliseconds", kind: distribution, series: durationName, scale: 1000},
	{metric: "InitDuration", unit: "Milliseconds", kind: distribution, series: initName, scale: 1000},
	{metric: "ConcurrentExecutions", unit: "Count", kind: level, series: concurrentName, scale: 1, total: allRunningName},
	{metric: "AsyncEventAge", unit: "Milliseconds", kind: distribution, series: ageName, scale: 1000},
	{metric: "DeadLetterErrors", unit: "Count", kind: tally, series: letterErrorsName, among: []string{letterErrorsName}},
}

func sourceOf(m Metric) (source, bool) {
	if m.Namespace != lambda {
		return source{}, false
	}
	for _, s := range sources {
		if s.metric == m.MetricName {
			return s, true
		}
	}
	return source{}, false
}

// perVersion says that the series know versions and qualifiers.
func (s source) perVersion() bool {
	switch s.series {
	case concurrentName, ageName, letterErrorsName:
		return false
	}
	return true
}

// matchers select the series of a metric's dimensions: none of them is all
// functions, FunctionName one, Resource NAME or NAME:QUALIFIER, ExecutedVersion
// what ran. ok is false for dimensions that there are not.
func (s source) matchers(dims []Dimension) (ms []*labels.Matcher, ok bool) {
	for _, d := range dims {
		switch {
		case d.Name == "FunctionName":
			ms = append(ms, equal("function", d.Value))
		case !s.perVersion():
			return nil, false
		case d.Name == "Resource":
			name, qualifier, _ := strings.Cut(d.Value, ":")
			ms = append(ms, equal("function", name), equal("qualifier", qualifier))
		case d.Name == "ExecutedVersion":
			ms = append(ms, equal("version", d.Value))
		default:
			return nil, false
		}
	}
	return ms, true
}

// dimensions are those under which a series of ours is listed.
func (s source) dimensions(l labels.Labels) [][]Dimension {
	fn, qualifier := l.Get("function"), l.Get("qualifier")
	name := Dimension{"FunctionName", fn}
	if !s.perVersion() {
		return [][]Dimension{{}, {name}}
	}
	resource := Dimension{"Resource", fn}
	if qualifier == "" {
		return [][]Dimension{{}, {name}, {name, resource}}
	}
	resource.Value += ":" + qualifier
	return [][]Dimension{{}, {name}, {name, resource}, {name, resource, {"ExecutedVersion", l.Get("version")}}}
}
