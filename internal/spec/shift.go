package spec

import (
	"regexp"
	"slices"
	"strings"
)

// Shift is deploymentSettings of serverless-plugin-canary-deployments: callers of
// an alias are moved to a new version bit by bit.
type Shift struct {
	Pos     Pos
	Alias   string // which events call
	Type    string // of CodeDeploy, such as Canary10Percent5Minutes
	TypePos Pos
	Before  string   // name of the function that is asked before any caller is moved
	After   string   // and after all are
	Alarms  []string // names of alarms that send callers back
}

var aliasName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)

// deploymentSettings finds what custom says for all functions that have settings.
func (r *reader) deploymentSettings(custom *node) *node {
	if custom = r.vars.resolve(custom); custom != nil && custom.kind == object {
		if n := r.vars.resolve(custom.get("deploymentSettings")); n != nil && n.kind == object {
			return n
		}
	}
	return &node{kind: object}
}

// shifts tells whether a function has settings that hold in this stage.
func (r *reader) shifts(n *node) bool {
	own := r.vars.resolve(n.get("deploymentSettings"))
	if own == nil || own.kind != object {
		return false
	}
	stages := r.vars.resolve(r.settings.get("stages"))
	if stages == nil || stages.kind != list || len(stages.items) == 0 {
		return true
	}
	return slices.ContainsFunc(stages.items, func(n *node) bool { return r.vars.resolve(n).text == r.svc.Stage })
}

// settingsOf are deploymentSettings of a function over those of custom.
func (r *reader) settingsOf(n *node) *node {
	own := r.vars.resolve(n.get("deploymentSettings"))
	all := &node{pos: own.pos, kind: object, fields: slices.Clone(own.fields)}
	for _, f := range r.settings.fields {
		if own.get(f.key) == nil {
			all.fields = append(all.fields, f)
		}
	}
	return all
}

// aliasOf is the alias that events of a function call, "" for none.
func (r *reader) aliasOf(n *node) string {
	switch {
	case r.shifts(n):
		if v := r.vars.resolve(r.settingsOf(n).get("alias")); v != nil && v.scalar() {
			return v.text
		}
	case r.isProvisioned(n):
		return Provisioned
	}
	return ""
}

// shift reads deploymentSettings.
func (r *reader) shift(f field, what string) *Shift {
	if !r.shifts(f.value) {
		return nil
	}
	what += ".deploymentSettings"
	n := r.settingsOf(f.value)
	s := &Shift{Pos: n.pos}
	hook := func(into *string, key string) func(*node) {
		return func(v *node) {
			name := r.str(v, what+"."+key)
			target, ok := r.names[logicalFunctionOf(name)]
			if !ok && v.kind != broken {
				r.fail(v.pos, "%s.%s: %q is no function of this service", what, key, name)
			}
			*into = target.name
		}
	}
	r.object(n, what, keys{
		"type": func(v *node) {
			s.Type, s.TypePos = r.str(v, what+".type"), v.pos
		},
		"alias": func(v *node) {
			if s.Alias = r.str(v, what+".alias"); !aliasName.MatchString(s.Alias) && v.kind != broken {
				r.fail(v.pos, "%s.alias must be 1 to 128 letters, digits, _ and -, not %q", what, s.Alias)
			}
		},
		"preTrafficHook":  hook(&s.Before, "preTrafficHook"),
		"postTrafficHook": hook(&s.After, "postTrafficHook"),
		"stages":          nil, "codeDeployRole": nil, "codeDeployRolePermissionsBoundary": nil, // nobody else shifts
		"alarms": func(v *node) { r.shiftAlarms(s, v, what+".alarms") },
		"triggerConfigurations": func(v *node) {
			r.warn(v.pos, "%s.triggerConfigurations has no effect: `dropstack info` shows how far callers have been moved", what)
		},
	}, effects{})
	for _, missing := range []struct{ key, got string }{{"type", s.Type}, {"alias", s.Alias}} {
		if missing.got == "" && n.get(missing.key) == nil {
			r.fail(n.pos, "%s.%s is missing", what, missing.key)
		}
	}
	return s
}

// logicalFunctionOf is logicalFunction of what may be empty.
func logicalFunctionOf(key string) string {
	if strings.TrimSpace(key) == "" {
		return ""
	}
	return logicalFunction(key)
}

// shiftAlarms reads alarms: logical ids of this service's, those of custom.alerts
// among them, or objects with the name of any. They are known later.
func (r *reader) shiftAlarms(s *Shift, n *node, what string) {
	for _, v := range r.items(n, what) {
		if v.kind == object && !isIntrinsic(v) {
			r.object(v, what, keys{"name": func(v *node) { s.Alarms = append(s.Alarms, r.value(v, what+".name")) }}, effects{})
			continue
		}
		r.later = append(r.later, func() {
			name := r.value(v, what)
			if known, ok := r.names[name]; ok && v.scalar() {
				name = known.name
			} else if v.scalar() {
				r.warn(v.pos, "%s: %s is no alarm of this service, and taken for the name of another one", what, name)
			}
			s.Alarms = append(s.Alarms, name)
		})
	}
}
