package spec

import (
	"encoding/json"
	"regexp"
)

// ScheduleEvent is one or more rate() or cron() expressions.
type ScheduleEvent struct {
	Expressions []Expression
	Name        string
	Description string
	Disabled    bool
	Input       Input
	Scheduler   bool   // method: scheduler, EventBridge Scheduler
	Zone        string // of cron expressions; with Scheduler only
	Group       string // likewise
}

// Expression is a schedule expression and its place.
type Expression struct {
	Pos  Pos
	Text string
}

// Input says what a target gets in place of the event; at most one member is set,
// besides Pos.
type Input struct {
	Pos      Pos
	Text     string            // JSON
	Path     string            // JSONPath
	Template string            // with <name> where a part goes
	Paths    map[string]string `json:",omitempty"` // JSONPaths of the parts, by name
}

// Limits of rules.
const (
	maxInput       = 8192 // characters
	maxDescription = 512
)

var ruleName = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)

func (r *reader) ruleName(n *node, what string) string {
	name := r.str(n, what)
	if !ruleName.MatchString(name) && n.kind != broken {
		r.fail(n.pos, "%s must be 1 to 64 letters, digits and . - _, not %q", what, name)
	}
	return name
}

func (r *reader) ruleDescription(n *node, what string) string {
	text := r.str(n, what)
	if len([]rune(text)) > maxDescription {
		r.fail(n.pos, "%s has %d characters; the limit is %d", what, len([]rune(text)), maxDescription)
	}
	return text
}

func (r *reader) schedule(n *node, what string) *ScheduleEvent {
	e := &ScheduleEvent{}
	rates := func(v *node) {
		add := func(v *node) { e.Expressions = append(e.Expressions, Expression{v.pos, r.value(v, what+".rate")}) }
		if v.kind != list {
			add(v)
			return
		}
		r.each(v, what+".rate", add)
	}
	if n.scalar() {
		rates(n)
		return e
	}
	named := n.pos
	var zone, group *node
	known := keys{
		"rate":        rates,
		"enabled":     func(v *node) { e.Disabled = !r.boolean(v, what+".enabled") },
		"name":        func(v *node) { e.Name, named = r.ruleName(v, what+".name"), v.pos },
		"description": func(v *node) { e.Description = r.ruleDescription(v, what+".description") },
		"method":      func(v *node) { e.Scheduler = r.choice(v, what+".method", "eventBus", "scheduler") == "scheduler" },
		"roleArn":     nil, // nobody has to be allowed to call the function
		"groupName":   set(&group),
		"timezone":    set(&zone),
	}
	r.inputs(known, &e.Input, what)
	r.object(n, what, known, effects{})
	for key, v := range map[string]*node{"timezone": zone, "groupName": group} {
		if v != nil && !e.Scheduler {
			r.fail(v.pos, "%s.%s goes with method: scheduler only", what, key)
		}
	}
	if zone != nil {
		e.Zone = r.str(zone, what+".timezone")
	}
	if group != nil {
		e.Group = r.ruleName(group, what+".groupName")
	}
	if e.Scheduler && (e.Input.Path != "" || e.Input.Template != "") {
		r.fail(e.Input.Pos, "%s: inputPath and inputTransformer do not go with method: scheduler", what)
	}
	if len(e.Expressions) == 0 && n.kind == object && n.get("rate") == nil {
		r.fail(n.pos, "%s.rate is missing, such as rate(10 minutes)", what)
	}
	if e.Name != "" && len(e.Expressions) > 1 {
		r.fail(named, "%s.name goes with a single rate only", what)
	}
	return e
}

// inputs adds the keys that say what a target gets.
func (r *reader) inputs(to keys, in *Input, what string) {
	once := func(key string, read func(*node)) {
		to[key] = func(v *node) {
			if in.Pos != (Pos{}) {
				r.fail(v.pos, "%s: only one of input, inputPath and inputTransformer", what)
				return
			}
			in.Pos = v.pos
			read(v)
		}
	}
	once("input", func(v *node) {
		if in.Text = r.input(v, what+".input"); len([]rune(in.Text)) > maxInput {
			r.fail(v.pos, "%s.input has %d characters; the limit is %d", what, len([]rune(in.Text)), maxInput)
		}
	})
	once("inputPath", func(v *node) { in.Path = r.str(v, what+".inputPath") })
	once("inputTransformer", func(v *node) {
		r.object(v, what+".inputTransformer", keys{
			"inputTemplate": func(v *node) { in.Template = r.value(v, what+".inputTransformer.inputTemplate") },
			"inputPathsMap": func(v *node) { in.Paths = r.stringMap(v, what+".inputTransformer.inputPathsMap") },
		}, effects{})
		if v.kind == object && v.get("inputTemplate") == nil {
			r.fail(v.pos, "%s.inputTransformer.inputTemplate is missing", what)
		}
	})
}

// input is JSON, written as a map or, as the framework also takes it, as a string.
// In a map, body may be the text of JSON.
func (r *reader) input(n *node, what string) string {
	if n.kind == text {
		if json.Valid([]byte(n.text)) {
			return n.text
		}
		return r.text(n.text, n, what)
	}
	value := r.jsonOf(n, what)
	if m, ok := value.(map[string]any); ok {
		if body, ok := m["body"].(string); ok && json.Valid([]byte(body)) {
			m["body"] = json.RawMessage(body)
		}
	}
	return r.text(value, n, what)
}

// plainValue turns a node into what encoding/json takes.
func (r *reader) plainValue(n *node) any {
	if n = r.vars.resolve(n); !r.spend(n) {
		return nil
	}
	switch n.kind {
	case text:
		return n.text
	case boolean:
		return n.text == "true"
	case number:
		if json.Valid([]byte(n.text)) {
			return json.RawMessage(n.text)
		}
		return n.text
	case list:
		out := []any{}
		for _, item := range n.items {
			out = append(out, r.plainValue(item))
		}
		return out
	case object:
		out := map[string]any{}
		for _, f := range n.fields {
			out[f.key] = r.plainValue(f.value)
		}
		return out
	}
	return nil
}
