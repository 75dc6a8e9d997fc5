package policy

import "strings"

// The versions of the language. Variables came with the second.
const (
	oldVersion = "2008-10-17"
	newVersion = "2012-10-17"
)

// Parse reads, checks and compiles a document. The error has AWS's code
// MalformedPolicyDocument and says where in the text what is wrong.
func Parse(kind Kind, text string) (Document, error) {
	p := parser{reader: reader{text: text}, kind: kind, sids: map[string]bool{}}
	root, err := p.read()
	if err != nil {
		return Document{}, err
	}
	return p.document(root)
}

type parser struct {
	reader
	kind      Kind
	variables bool
	sids      map[string]bool
}

func (p *parser) document(root node) (Document, error) {
	d := Document{text: p.text}
	if err := p.object(root, "Version", "Id", "Statement"); err != nil {
		return d, err
	}
	if v, ok := root.member("Version"); ok {
		if v.kind != isString || v.text != oldVersion && v.text != newVersion {
			return d, p.malformed(v, "must be %q or %q", newVersion, oldVersion)
		}
		p.variables = v.text == newVersion
	}
	if id, ok := root.member("Id"); ok {
		if id.kind != isString {
			return d, p.malformed(id, "must be a string")
		}
		d.ID = id.text
	}
	list, ok := root.member("Statement")
	if !ok {
		return d, p.malformed(root, "has no Statement")
	}
	statements := list.items
	if list.kind == '{' {
		statements = []node{list}
	} else if list.kind != '[' || len(statements) == 0 {
		return d, p.malformed(list, "must be a statement or a list of at least one")
	}
	for _, n := range statements {
		s, err := p.statement(n)
		if err != nil {
			return d, err
		}
		d.statements = append(d.statements, s)
	}
	return d, nil
}

// object checks that a node is one, with no members but these.
func (p *parser) object(n node, names ...string) error {
	if n.kind != '{' {
		return p.malformed(n, "must be an object")
	}
next:
	for _, m := range n.members {
		for _, name := range names {
			if m.name == name {
				continue next
			}
		}
		return p.malformed(m, "there is no such element; here may stand %s", strings.Join(names, ", "))
	}
	return nil
}

func (p *parser) statement(n node) (s statement, err error) {
	err = p.object(n, "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition")
	if err != nil {
		return s, err
	}
	s.start, s.end = p.position(n.at), p.position(n.end)
	for _, read := range []func(node, *statement) error{p.sid, p.effect, p.actions, p.principals, p.resources, p.conditions} {
		if err := read(n, &s); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (p *parser) sid(n node, s *statement) error {
	sid, ok := n.member("Sid")
	if !ok {
		return nil
	}
	if sid.kind != isString {
		return p.malformed(sid, "must be a string")
	}
	if p.kind == Identity {
		for _, c := range []byte(sid.text) {
			if !alphanumeric(c) {
				return p.malformed(sid, "%q: only letters and digits may stand in it", sid.text)
			}
		}
	}
	if p.sids[sid.text] && sid.text != "" {
		return p.malformed(sid, "%q: statement ids must be unique within a policy", sid.text)
	}
	p.sids[sid.text] = true
	s.sid = sid.text
	return nil
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func (p *parser) effect(n node, s *statement) error {
	effect, ok := n.member("Effect")
	if !ok {
		return p.malformed(n, "has no Effect")
	}
	if effect.kind != isString || effect.text != "Allow" && effect.text != "Deny" {
		return p.malformed(effect, `must be "Allow" or "Deny"`)
	}
	s.deny = effect.text == "Deny"
	return nil
}

// either finds the one of an element and its Not form that a statement has.
func (p *parser) either(n node, name string) (element node, not, ok bool, err error) {
	element, ok = n.member(name)
	negative, both := n.member("Not" + name)
	switch {
	case ok && both:
		return negative, true, true, p.malformed(negative, "stands beside %s; a statement has one of them", name)
	case both:
		return negative, true, true, nil
	}
	return element, false, ok, nil
}

func (p *parser) actions(n node, s *statement) error {
	element, not, ok, err := p.either(n, "Action")
	if err != nil {
		return err
	}
	if !ok {
		return p.malformed(n, "has neither Action nor NotAction")
	}
	list, err := p.strings(element, false)
	if err != nil {
		return err
	}
	s.notActions = not
	for _, item := range list {
		if why := wrongAction(item.text); why != "" {
			return p.malformed(item, "%q: %s", item.text, why)
		}
		if p.kind == Trust && !strings.HasPrefix(strings.ToLower(item.text), "sts:") {
			return p.malformed(item, "%q: a trust policy speaks of sts: actions only", item.text)
		}
		action, err := compile(item.text, true, false)
		if err != nil {
			return p.malformed(item, "%v", err)
		}
		s.actions = append(s.actions, action)
	}
	return nil
}

func wrongAction(text string) string {
	if text == "*" {
		return ""
	}
	service, name, ok := strings.Cut(text, ":")
	if !ok || service == "" || name == "" {
		return `an action is "*" or of the form service:Action`
	}
	for _, c := range []byte(service) {
		if !alphanumeric(c) && c != '-' && service != "*" {
			return "before the colon stands the name of a service, without wildcards"
		}
	}
	for _, c := range []byte(name) {
		if !alphanumeric(c) && strings.IndexByte("*?-_.", c) < 0 {
			return "after the colon may stand letters, digits and the wildcards * and ?"
		}
	}
	return ""
}

func (p *parser) principals(n node, s *statement) error {
	element, not, ok, err := p.either(n, "Principal")
	switch {
	case err != nil:
		return err
	case p.kind == Identity && ok:
		return p.malformed(element, "a policy of an identity has no principal: it is the identity's")
	case p.kind == Identity:
		return nil
	case !ok:
		return p.malformed(n, "has neither Principal nor NotPrincipal")
	case not && (p.kind == Trust || !s.deny):
		return p.malformed(element, "may only stand in a resource's policy beside Deny")
	}
	s.notPrinc = not
	if element.kind == isString {
		if element.text != "*" {
			return p.malformed(element, `must be "*" or an object with members of %s`, principalTypes)
		}
		s.principals = []principal{{text: "*", all: true}}
		return nil
	}
	if element.kind != '{' || len(element.members) == 0 {
		return p.malformed(element, `must be "*" or an object with members of %s`, principalTypes)
	}
	for _, m := range element.members {
		list, err := p.strings(m, false)
		if err != nil {
			return err
		}
		for _, item := range list {
			one, err := compilePrincipal(m.name, item.text)
			if err != nil {
				return p.malformed(item, "%v", err)
			}
			s.principals = append(s.principals, one)
		}
	}
	return nil
}

func (p *parser) resources(n node, s *statement) error {
	element, not, ok, err := p.either(n, "Resource")
	switch {
	case err != nil:
		return err
	case p.kind == Trust && ok:
		return p.malformed(element, "a trust policy has no resource: it is the role")
	case p.kind == Trust:
		s.anywhere = true
		return nil
	case !ok:
		return p.malformed(n, "has neither Resource nor NotResource")
	}
	list, err := p.strings(element, false)
	if err != nil {
		return err
	}
	s.notRes = not
	for _, item := range list {
		r, err := compileResource(item.text, p.variables)
		if err != nil {
			return p.malformed(item, "%q: %v", item.text, err)
		}
		s.resources = append(s.resources, r)
	}
	return nil
}

func (p *parser) conditions(n node, s *statement) error {
	block, ok := n.member("Condition")
	if !ok {
		return nil
	}
	if block.kind != '{' {
		return p.malformed(block, "must be an object of operators")
	}
	for _, operator := range block.members {
		base, err := parseOperator(operator.name)
		if err != nil {
			return p.malformed(operator, "%v", err)
		}
		if operator.kind != '{' || len(operator.members) == 0 {
			return p.malformed(operator, "must be an object of condition keys and their values")
		}
		for _, key := range operator.members {
			c := base
			if c.key, c.lower = key.name, strings.ToLower(key.name); !isKey(c.lower) {
				return p.malformed(key, "%q is no condition key that is known here", key.name)
			}
			if err := p.values(key, &c); err != nil {
				return err
			}
			s.conditions = append(s.conditions, c)
		}
	}
	return nil
}

func (p *parser) values(n node, c *condition) error {
	list, err := p.strings(n, true)
	if err != nil {
		return err
	}
	for _, item := range list {
		v, err := c.operator.value(item.text, p.variables)
		if err != nil {
			return p.malformed(item, "%v", err)
		}
		c.values = append(c.values, v)
	}
	return nil
}
