package alert

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs/query"
)

const (
	// every is how often a rule is asked that says nothing about it.
	every = 15 * time.Second
	// within is how far back a question to the logs looks that says nothing about it.
	within = 5 * time.Minute
	// leastEvery keeps rules from being all that the platform does.
	leastEvery = time.Second
)

// Check says what is wrong with a rule, as fault.Invalid.
func (r Rule) Check() error {
	switch {
	case r.Name == "":
		return fault.Errorf(fault.Invalid, "a rule without a name: give it one with alert or record")
	case (r.Expr == "") == (r.Query == ""):
		return fault.Errorf(fault.Invalid, "rule %s needs an expr, in PromQL, or a query to the logs: one of them", r.Name)
	case r.Record && r.Query != "":
		return fault.Errorf(fault.Invalid, "rule %s records, and takes an expr: what the logs answer is no series", r.Name)
	case r.For < 0 || r.KeepFiring < 0 || r.Within < 0 || r.Limit < 0:
		return fault.Errorf(fault.Invalid, "rule %s: times and limits are not negative", r.Name)
	case r.Every != 0 && r.Every < leastEvery:
		return fault.Errorf(fault.Invalid, "rule %s is asked every %v: at least %v", r.Name, r.Every, leastEvery)
	}
	if r.Query != "" {
		if _, err := query.Parse(r.Query); err != nil {
			return fault.Errorf(fault.Invalid, "rule %s: %w", r.Name, err)
		}
	}
	var errs []error
	format := r.format()
	for _, wrong := range format.Validate(rulefmt.RuleNode{}, model.UTF8Validation, parser.NewParser(parser.Options{})) {
		message := wrong.Error()
		for range 2 { // places in a file that there is not
			message = strings.TrimPrefix(message, "0:0: ")
		}
		errs = append(errs, errors.New(message))
	}
	if len(errs) > 0 {
		return fault.Errorf(fault.Invalid, "rule %s: %w", r.Name, errors.Join(errs...))
	}
	return nil
}

// format is the rule in the words of Prometheus' files.
func (r Rule) format() rulefmt.Rule {
	f := rulefmt.Rule{
		Expr: r.expression(), For: model.Duration(r.For), KeepFiringFor: model.Duration(r.KeepFiring),
		Labels: maps.Clone(r.Labels), Annotations: maps.Clone(r.Annotations),
	}
	if r.Record {
		f.Record = r.Name
	} else {
		f.Alert = r.Name
	}
	return f
}

// rowsName is the series that stands for what the logs answer: rules on logs are
// evaluated as all others are, and the evaluator asks the logs instead.
const rowsName = "dropstack_log_rows"

// expression is what the evaluator is asked: PromQL, or what stands for a question
// to the logs.
func (r Rule) expression() string {
	if r.Query == "" {
		return r.Expr
	}
	return rowsName + "{" + NameLabel + "=" + quoted(r.Name) + ",query=" + quoted(r.Query) +
		",within=" + quoted(r.Within.String()) + ",groups=" + quoted(strings.Join(r.Groups, "\n")) + "}"
}

// question is the question to the logs that an expression stands for.
func question(expression string) (r Rule, ok bool) {
	if !strings.HasPrefix(expression, rowsName+"{") {
		return Rule{}, false
	}
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	selector, isSelector := expr.(*parser.VectorSelector)
	if err != nil || !isSelector {
		return Rule{}, false
	}
	for _, m := range selector.LabelMatchers {
		switch m.Name {
		case NameLabel:
			r.Name = m.Value
		case "query":
			r.Query, ok = m.Value, true
		case "within":
			r.Within, _ = time.ParseDuration(m.Value) // as Duration has said it
		case "groups":
			r.Groups = slices.DeleteFunc(strings.Split(m.Value, "\n"), func(g string) bool { return g == "" })
		}
	}
	if r.Within == 0 {
		r.Within = within
	}
	return r, ok
}

func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`).Replace(s) + `"`
}

// groups puts rules into the groups that Prometheus' evaluator wants, in the order
// in which they come.
func groups(rules []Rule) *rulefmt.RuleGroups {
	type key struct {
		name          string
		every, behind time.Duration
	}
	out, at, names := &rulefmt.RuleGroups{}, map[key]int{}, map[string]int{}
	for _, r := range rules {
		k := key{r.Group, r.Every, r.Behind}
		i, known := at[k]
		if !known {
			i = len(out.Groups)
			at[k] = i
			g := rulefmt.RuleGroup{Name: r.Group, Interval: model.Duration(r.Every), Limit: r.Limit}
			if g.Name == "" {
				g.Name = "rules"
			}
			if names[g.Name]++; names[g.Name] > 1 { // the same name at another rhythm
				g.Name += " every " + model.Duration(r.Every).String()
			}
			if r.Behind != 0 {
				behind := model.Duration(r.Behind)
				g.QueryOffset = &behind
			}
			out.Groups = append(out.Groups, g)
		}
		out.Groups[i].Rules = append(out.Groups[i].Rules, r.format())
	}
	return out
}
