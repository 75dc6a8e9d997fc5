package spec

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Alerting is custom.dropstack.alerts: rules in the words of Prometheus' files, here
// or in files, and what holds for all alerts of the stack.
type Alerting struct {
	Pos      Pos
	Owner    string
	Receiver string
	Rules    []AlertRule
	Files    []AlertFile
	Shipped  []Tuning
}

// AlertRule is a rule.
type AlertRule struct {
	Pos, ExprPos            Pos
	Name                    string
	Record                  bool
	Group                   string
	Expr, Query             string
	Within, For, KeepFiring time.Duration `json:",omitzero"`
	Every, Behind           time.Duration `json:",omitzero"`
	Limit                   int           `json:",omitzero"`
	LogGroups               []string
	Labels, Annotations     map[string]string
}

// AlertFile is a file of rules.
type AlertFile struct {
	Pos  Pos
	Path string // as in the file
	Doc  []byte
}

// Tuning is a built-in rule that is off, or different, for the stack's functions.
type Tuning struct {
	Pos                Pos
	Name               string
	Off                bool
	Threshold, Minimum *float64
	For                *time.Duration
	Severity           string
}

// alerting reads custom.dropstack.alerts: groups of rules, or an object that has some.
func (r *reader) alerting(n *node) {
	const what = "custom.dropstack.alerts"
	a := &Alerting{Pos: n.pos}
	r.svc.Alerting = a
	if n.kind == list {
		r.each(n, what, func(v *node) { r.ruleGroup(a, v, what) })
		return
	}
	r.strict(n, what, keys{
		"owner":    func(v *node) { a.Owner = r.str(v, what+".owner") },
		"receiver": func(v *node) { a.Receiver = r.str(v, what+".receiver") },
		"groups":   func(v *node) { r.each(v, what+".groups", func(v *node) { r.ruleGroup(a, v, what+".groups") }) },
		"files":    func(v *node) { r.each(v, what+".files", func(v *node) { r.ruleFile(a, v, what+".files") }) },
		"shipped": func(v *node) {
			if r.is(v, object, what+".shipped") {
				for _, f := range v.fields {
					r.tuning(a, f, what+".shipped."+f.key)
				}
			}
		},
	})
}

func (r *reader) ruleFile(a *Alerting, n *node, what string) {
	path := r.str(n, what)
	if path == "" {
		return
	}
	if !filepath.IsLocal(path) {
		r.fail(n.pos, "%s: %s is not below the service's directory", what, path)
		return
	}
	doc, err := os.ReadFile(filepath.Join(r.svc.Dir, path))
	if err != nil {
		r.fail(n.pos, "%s: %s cannot be read; is it there?", what, path)
		return
	}
	a.Files = append(a.Files, AlertFile{n.pos, path, doc})
}

func (r *reader) ruleGroup(a *Alerting, n *node, what string) {
	like := AlertRule{Labels: map[string]string{}}
	var rules *node
	r.strict(n, what, keys{
		"name":         func(v *node) { like.Group = r.str(v, what+".name") },
		"interval":     r.lasting(&like.Every, what+".interval"),
		"query_offset": r.lasting(&like.Behind, what+".query_offset"),
		"limit":        func(v *node) { like.Limit = r.integer(v, what+".limit", 0, 1_000_000) },
		"labels":       func(v *node) { like.Labels = r.words(v, what+".labels") },
		"rules":        set(&rules),
	})
	if n.kind == object && like.Group == "" {
		r.fail(n.pos, "%s: a group needs a name", what)
	}
	if rules != nil {
		r.each(rules, what+".rules", func(v *node) { r.alertRule(a, v, like, what+".rules") })
	}
}

func (r *reader) alertRule(a *Alerting, n *node, rule AlertRule, what string) {
	rule.Pos, rule.ExprPos = n.pos, n.pos
	var alert, record string
	own := map[string]string{}
	r.strict(n, what, keys{
		"alert":           func(v *node) { alert = r.str(v, what+".alert") },
		"record":          func(v *node) { record = r.str(v, what+".record") },
		"expr":            func(v *node) { rule.Expr, rule.ExprPos = r.str(v, what+".expr"), v.pos },
		"query":           func(v *node) { rule.Query, rule.ExprPos = r.str(v, what+".query"), v.pos },
		"within":          r.lasting(&rule.Within, what+".within"),
		"log_groups":      func(v *node) { rule.LogGroups = r.strings(v, what+".log_groups") },
		"for":             r.lasting(&rule.For, what+".for"),
		"keep_firing_for": r.lasting(&rule.KeepFiring, what+".keep_firing_for"),
		"labels":          func(v *node) { own = r.words(v, what+".labels") },
		"annotations":     func(v *node) { rule.Annotations = r.words(v, what+".annotations") },
	})
	if n.kind != object {
		return
	}
	if (alert == "") == (record == "") {
		r.fail(n.pos, "%s: a rule is an alert or a record: give it one of the two names", what)
		return
	}
	rule.Name, rule.Record, rule.Labels = alert+record, record != "", over(rule.Labels, own)
	a.Rules = append(a.Rules, rule)
}

func (r *reader) tuning(a *Alerting, f field, what string) {
	n := r.vars.resolve(f.value)
	t := Tuning{Pos: f.pos, Name: f.key}
	switch {
	case n == nil || n.kind == broken:
		return
	case n.scalar():
		switch strings.ToLower(n.text) {
		case "off", "false":
			t.Off = true
		case "on", "true":
			return
		default:
			r.fail(n.pos, "%s must be off, or an object with threshold, minimum, for, severity; not %q", what, n.text)
			return
		}
	default:
		number := func(to **float64, key string) func(*node) {
			return func(v *node) { *to = new(r.decimal(v, what+"."+key, -1e15, 1e15)) }
		}
		r.strict(n, what, keys{
			"threshold": number(&t.Threshold, "threshold"), "minimum": number(&t.Minimum, "minimum"),
			"for": func(v *node) {
				t.For = new(time.Duration)
				r.lasting(t.For, what+".for")(v)
			},
			"severity": func(v *node) { t.Severity = r.choice(v, what+".severity", "critical", "warning", "info") },
		})
	}
	a.Shipped = append(a.Shipped, t)
}

// words reads an object of strings.
func (r *reader) words(n *node, what string) map[string]string {
	m := map[string]string{}
	if r.is(n, object, what) {
		for _, f := range n.fields {
			m[f.key] = r.str(f.value, what+"."+f.key)
		}
	}
	return m
}

var (
	durationForm = regexp.MustCompile(`^([0-9]+(ms|[smhdwy]))+$`)
	durationPart = regexp.MustCompile(`([0-9]+)(ms|[smhdwy])`)
	durationUnit = map[string]time.Duration{
		"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
		"d": 24 * time.Hour, "w": 7 * 24 * time.Hour, "y": 365 * 24 * time.Hour,
	}
)

// lasting reads a time as Prometheus writes it: 30s, 1h30m, 2d.
func (r *reader) lasting(to *time.Duration, what string) func(*node) {
	return func(n *node) {
		text := r.str(n, what)
		if text == "0" || n.kind == broken {
			return
		}
		units := 0
		var total time.Duration
		for _, part := range durationPart.FindAllStringSubmatch(text, -1) {
			count, err := strconv.Atoi(part[1])
			if err != nil || count > 1_000_000 {
				units = -1
				break
			}
			units++
			total += time.Duration(count) * durationUnit[part[2]]
		}
		if units < 1 || !durationForm.MatchString(text) || total < 0 {
			r.fail(n.pos, "%s must be a time such as 30s, 5m, 1h30m or 2d, not %q", what, text)
			return
		}
		*to = total
	}
}
