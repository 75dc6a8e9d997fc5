package spec

import "strconv"

// Monitor is one entry of custom.dropstack.monitors: a URL that is watched.
type Monitor struct {
	Pos         Pos
	Name        string
	URL         string // or Path
	Path        string // of the stack's own URL
	Title       string
	Group       string
	Public      bool
	Owner       string
	Runbook     string
	Every       Length
	Timeout     Length
	Slow        Length
	Method      string
	Headers     map[string]string
	Body        string
	NoRedirects bool
	Locations   []string
	Quorum      int `json:",omitzero"`
	Expect      Expect
}

// Length is a length of time as it is written, such as 1m30s.
type Length struct {
	Pos  Pos
	Text string
}

// Expect is what an answer has to be.
type Expect struct {
	Status      []string
	Contains    []string
	Lacks       []string
	Matches     []string
	Headers     map[string]string
	JSON        []ExpectJSON
	Certificate Length
	Within      Length
}

// ExpectJSON is what a value in a body of JSON has to be.
type ExpectJSON struct {
	Path         string
	Equals       *string
	Above, Below *float64
}

func (r *reader) monitor(n *node) {
	const what = "monitor"
	m := Monitor{Pos: n.pos}
	text := func(into *string, key string) func(*node) {
		return func(v *node) { *into = r.str(v, what+"."+key) }
	}
	length := func(into *Length, key string) func(*node) {
		return func(v *node) { *into = Length{v.pos, r.str(v, what+"."+key)} }
	}
	r.strict(n, what, keys{
		"name": text(&m.Name, "name"), "url": text(&m.URL, "url"), "path": text(&m.Path, "path"),
		"title": text(&m.Title, "title"), "group": text(&m.Group, "group"), "owner": text(&m.Owner, "owner"), "runbook": text(&m.Runbook, "runbook"),
		"method": text(&m.Method, "method"), "body": text(&m.Body, "body"),
		"every": length(&m.Every, "every"), "timeout": length(&m.Timeout, "timeout"), "slow": length(&m.Slow, "slow"),
		"public":    func(v *node) { m.Public = r.boolean(v, what+".public") },
		"redirects": func(v *node) { m.NoRedirects = !r.boolean(v, what+".redirects") },
		"headers":   func(v *node) { m.Headers = r.texts(v, what+".headers") },
		"locations": func(v *node) { m.Locations = r.strings(v, what+".locations") },
		"quorum":    func(v *node) { m.Quorum = r.integer(v, what+".quorum", 1, 100) },
		"expect":    func(v *node) { m.Expect = r.expect(v, what+".expect", length) },
	})
	switch {
	case n.kind != object:
		return
	case m.Name == "":
		r.fail(n.pos, "the monitor has no name")
	case (m.URL == "") == (m.Path == ""):
		r.fail(n.pos, "monitor %s has a url, or a path of this service's own URL, and not both", m.Name)
	case m.Path != "" && m.Path[0] != '/':
		r.fail(n.pos, "monitor %s: the path %q does not begin with /", m.Name, m.Path)
	}
	for _, other := range r.svc.Monitors {
		if other.Name == m.Name {
			r.fail(n.pos, "monitor %s is there twice, also in line %d", m.Name, other.Pos.Line)
		}
	}
	r.svc.Monitors = append(r.svc.Monitors, m)
}

// texts reads a map of texts.
func (r *reader) texts(n *node, what string) map[string]string {
	all := map[string]string{}
	if r.is(n, object, what) {
		for _, f := range n.fields {
			all[f.key] = r.str(f.value, what+"."+f.key)
		}
	}
	return all
}

func (r *reader) expect(n *node, what string, length func(*Length, string) func(*node)) (e Expect) {
	list := func(into *[]string, key string) func(*node) {
		return func(v *node) { *into = r.strings(v, what+"."+key) }
	}
	r.strict(n, what, keys{
		"status": list(&e.Status, "status"), "contains": list(&e.Contains, "contains"), "lacks": list(&e.Lacks, "lacks"), "matches": list(&e.Matches, "matches"),
		"headers": func(v *node) { e.Headers = r.texts(v, what+".headers") },
		"json": func(v *node) {
			r.each(v, what+".json", func(v *node) { e.JSON = append(e.JSON, r.expectJSON(v, what+".json")) })
		},
		"certificate": length(&e.Certificate, "expect.certificate"), "within": length(&e.Within, "expect.within"),
	})
	return e
}

func (r *reader) expectJSON(n *node, what string) (j ExpectJSON) {
	number := func(into **float64, key string) func(*node) {
		return func(v *node) {
			f, err := strconv.ParseFloat(v.text, 64)
			if !v.scalar() || err != nil {
				r.fail(v.pos, "%s.%s must be a number", what, key)
				return
			}
			*into = &f
		}
	}
	r.strict(n, what, keys{
		"path":   func(v *node) { j.Path = r.str(v, what+".path") },
		"equals": func(v *node) { text := r.str(v, what+".equals"); j.Equals = &text },
		"above":  number(&j.Above, "above"), "below": number(&j.Below, "below"),
	})
	return j
}
