package spec

// Output is an entry of resources.Outputs.
type Output struct {
	Pos         Pos
	Key         string
	Value       string
	Description string
	Export      string // name for Fn::ImportValue; "": it is exported to nobody
}

// outputs reads resources.Outputs, when everything that they refer to has a name.
func (r *reader) outputs(n *node) {
	if !r.is(n, object, "resources.Outputs") {
		return
	}
	for _, f := range n.fields {
		r.later = append(r.later, func() { r.output(f) })
	}
}

func (r *reader) output(f field) {
	what := "output " + f.key
	out := Output{Pos: f.pos, Key: f.key}
	there, undone := true, false
	r.object(f.value, what, keys{
		"Value":       func(v *node) { out.Value, undone = r.undeployed(v, what+".Value") },
		"Description": func(v *node) { out.Description = r.str(v, what+".Description") },
		"Condition":   func(v *node) { there = r.conditional(v, what+".Condition") },
		"Export": func(v *node) {
			r.object(v, what+".Export", keys{"Name": func(v *node) { out.Export = r.value(v, what+".Export.Name") }}, effects{})
		},
	}, effects{})
	v := r.vars.resolve(f.value)
	switch {
	case v.kind == object && v.get("Value") == nil:
		r.fail(f.pos, "%s has no Value", what)
	case undone && there:
		r.warn(f.pos, "%s is left out: it refers to a resource that is not deployed here", what)
	case there:
		r.svc.Outputs = append(r.svc.Outputs, out)
	}
}

// undeployed is a value, and whether it refers to what is not deployed.
func (r *reader) undeployed(n *node, what string) (value string, undone bool) {
	r.granting, r.touched = true, false
	value = r.value(n, what)
	r.granting, undone = false, r.touched
	return value, undone
}
