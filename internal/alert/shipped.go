package alert

import (
	_ "embed"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/dropstack/dropstack/internal/fault"
)

// BuiltIn is where shipped rules stand.
const BuiltIn = "built in"

//go:embed shipped.yml
var shippedFile []byte

//go:embed usual.yml
var usualFile []byte

// Shipped is the rules that every platform has. They are not changed.
var Shipped = sync.OnceValue(func() []Rule {
	var list []Rule
	for _, file := range [][]byte{shippedFile, usualFile} {
		rules, err := Parse(BuiltIn, file)
		if err != nil {
			panic(err) // a test reads them
		}
		list = append(list, rules...)
	}
	for i := range list {
		list[i].Source = BuiltIn
	}
	return list
})

func shippedNames() (names []string) {
	for _, r := range Shipped() {
		names = append(names, r.Name)
	}
	return names
}

// Settings are what a stack says of its alerts as a whole.
type Settings struct {
	Owner    string          `json:"owner,omitempty"`    // who looks after it
	Receiver string          `json:"receiver,omitempty"` // who is told: a label that routes know
	Shipped  map[string]Tune `json:"shipped,omitempty"`  // what is different for its functions, by rule
}

// ReceiverLabel names who is told.
const ReceiverLabel = "receiver"

// annotate adds what holds for all alerts of the stack.
func (s Settings) annotate(a Alert) {
	if s.Owner != "" && a.Annotations[OwnerAnnotation] == "" {
		a.Annotations[OwnerAnnotation] = s.Owner
	}
	if s.Receiver != "" && a.Labels[ReceiverLabel] == "" {
		a.Labels[ReceiverLabel] = s.Receiver
	}
}

// Tune is how a shipped rule is different for a stack's functions.
type Tune struct {
	Off       bool           `json:"off,omitempty"`
	Threshold *float64       `json:"threshold,omitempty"`
	Minimum   *float64       `json:"minimum,omitempty"` // of what has to have happened
	For       *time.Duration `json:"for,omitempty"`
	Severity  string         `json:"severity,omitempty"`
}

// Check says what is wrong with settings, as fault.Invalid.
func (s Settings) Check() error {
	for _, name := range slices.Sorted(maps.Keys(s.Shipped)) {
		i := slices.IndexFunc(Shipped(), func(r Rule) bool { return r.Name == name })
		if i < 0 {
			return fault.Errorf(fault.Invalid, "there is no built-in rule %q; they are %s", name, strings.Join(shippedNames(), ", "))
		}
		if _, err := s.Shipped[name].apply(Shipped()[i], []string{"f"}); err != nil {
			return err
		}
	}
	return nil
}

// rules are those of a stack: its own, and the shipped ones that are different for
// its functions.
func (d *Declared) rules(stack string, shipped []Rule) ([]Rule, error) {
	var list []Rule
	for _, r := range d.Rules {
		r.Labels = with(r.Labels, StackLabel, stack)
		if d.Settings.Receiver != "" && r.Labels[ReceiverLabel] == "" {
			r.Labels = with(r.Labels, ReceiverLabel, d.Settings.Receiver)
		}
		if d.Settings.Owner != "" && r.Annotations[OwnerAnnotation] == "" {
			r.Annotations = with(r.Annotations, OwnerAnnotation, d.Settings.Owner)
		}
		list = append(list, r)
	}
	if len(d.Functions) == 0 {
		return list, nil
	}
	for _, r := range shipped {
		t, tuned := d.Settings.Shipped[r.Name]
		if !tuned || t.Off {
			continue
		}
		next, err := t.apply(r, d.Functions)
		if err != nil {
			return nil, err
		}
		next.Labels = with(next.Labels, StackLabel, stack)
		list = append(list, next)
	}
	return list, nil
}

// except is the shipped rules without the functions for which they are different.
func (w *Watcher) except(shipped []Rule) ([]Rule, error) {
	list := slices.Clone(shipped)
	for i, r := range list {
		var without []string
		for _, d := range w.stacks {
			if _, tuned := d.Settings.Shipped[r.Name]; tuned {
				without = append(without, d.Functions...)
			}
		}
		if len(without) == 0 {
			continue
		}
		slices.Sort(without)
		var err error
		if list[i].Expr, err = narrow(r.Expr, labels.MatchNotRegexp, without); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func with(m map[string]string, key, value string) map[string]string {
	next := maps.Clone(m)
	if next == nil {
		next = map[string]string{}
	}
	next[key] = value
	return next
}

// apply is the rule for these functions only, with other numbers.
func (t Tune) apply(r Rule, functions []string) (Rule, error) {
	expr, err := narrow(r.Expr, labels.MatchRegexp, functions)
	if err != nil {
		return r, fault.Errorf(fault.Invalid, "the built-in rule %s is not of functions; a rule of its name in a file of --rules takes its place", r.Name)
	}
	r.Expr, err = numbers(expr, t.Threshold, t.Minimum)
	if err != nil {
		return r, fault.Errorf(fault.Invalid, "the built-in rule %s: %w", r.Name, err)
	}
	if t.For != nil {
		r.For = *t.For
	}
	if t.Severity != "" {
		r.Labels = with(r.Labels, SeverityLabel, t.Severity)
	}
	return r, r.Check()
}

// narrow adds a condition on the function to every series of an expression.
func narrow(expression string, how labels.MatchType, functions []string) (string, error) {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	if err != nil {
		return "", err
	}
	names := make([]string, len(functions))
	for i, f := range functions {
		names[i] = regexp.QuoteMeta(f)
	}
	m, err := labels.NewMatcher(how, FunctionLabel, strings.Join(names, "|"))
	if err != nil {
		return "", err
	}
	foreign := false
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			foreign = foreign || !strings.HasPrefix(s.Name, "dropstack_function_")
			s.LabelMatchers = append(s.LabelMatchers, m)
		}
		return nil
	})
	if foreign {
		return "", fmt.Errorf("%s is not of functions only", expression)
	}
	return expr.String(), nil
}

// numbers puts others in place of the first and the second number that an
// expression compares with.
func numbers(expression string, with ...*float64) (string, error) {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	if err != nil {
		return "", err
	}
	var found []*parser.NumberLiteral
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if b, ok := n.(*parser.BinaryExpr); ok && b.Op.IsComparisonOperator() {
			if v, ok := b.RHS.(*parser.NumberLiteral); ok {
				found = append(found, v)
			}
		}
		return nil
	})
	slices.SortFunc(found, func(a, b *parser.NumberLiteral) int { return int(a.PosRange.Start - b.PosRange.Start) })
	for i, v := range with {
		switch {
		case v == nil:
		case i >= len(found):
			return "", fmt.Errorf("it has no %s to change to %s", [...]string{"threshold", "minimum"}[i], strconv.FormatFloat(*v, 'g', -1, 64))
		default:
			found[i].Val = *v
		}
	}
	return expr.String(), nil
}
