package waf

// Default is the name of the web ACL that comes with the platform, for a
// Request.ACL.
const Default = "default"

// injected matches when one of the values of its places looks like SQL injection, or
// like cross-site scripting.
type injected struct {
	places []int
	judge  func(text string, of uint16) bool
}

func (m injected) match(x *exam) bool {
	for _, at := range m.places {
		values := x.look(at)
		for i := range values {
			if v := &values[i]; m.judge(v.text, v.of) {
				x.matched(v)
				return true
			}
		}
	}
	return false
}

func lowSQLi(text string, of uint16) bool { return sqli(text, of, false) }

// standard is the default web ACL: clients of reputation lists, if there are any,
// SQL injection and cross-site scripting are blocked, everything else is let through.
// Bodies come last, so that a request whose head is reason enough never has its body
// asked for.
func standard(listed matcher) *acl {
	head := []int{inPath, inQuery, inCookies, inHeaders}
	block := Action{Block: &BlockAction{}}
	a := &acl{other: Action{Allow: &AllowAction{}}, metric: Default}
	add := func(name, label string, m matcher) {
		a.rules = append(a.rules, &rule{
			name: name, full: Default + "/" + name, statement: m, action: block,
			labels: []string{"awswaf:managed:dropstack:default:" + label}, metric: name, counted: true,
		})
	}
	if listed != nil {
		add("Reputation", "reputation", listed)
	}
	add("SQLi", "sqli", injected{head, lowSQLi})
	add("XSS", "xss", injected{head, xss})
	add("SQLiBody", "sqli-body", injected{[]int{inBody}, lowSQLi})
	add("XSSBody", "xss-body", injected{[]int{inBody}, xss})
	return a
}
