package query

import "strings"

// searchOr reads a search. Words and values are looked for in field, or where it is ""
// in the message.
func (p *parser) searchOr(field string) (Expr, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.mistake(-1, "the search is nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	x, err := p.searchAnd(field)
	for err == nil && p.keyword("OR") {
		var y Expr
		if y, err = p.searchAnd(field); err == nil {
			x = &Binary{"or", x, y}
		}
	}
	return x, err
}

// searchAnd reads terms that all have to be found.
func (p *parser) searchAnd(field string) (Expr, error) {
	x, err := p.searchNot(field)
	for err == nil {
		and := p.keyword("AND")
		if p.space(); !and && (p.end() || p.at() == '|' || p.at() == ')' || p.seesKeyword("OR")) {
			return x, nil
		}
		var y Expr
		if y, err = p.searchNot(field); err == nil {
			x = &Binary{"and", x, y}
		}
	}
	return nil, err
}

// keyword reads a word that is written in capitals.
func (p *parser) keyword(word string) bool {
	if p.space(); !p.seesKeyword(word) {
		return false
	}
	p.pos += len(word)
	return true
}

func (p *parser) seesKeyword(word string) bool {
	after, ok := strings.CutPrefix(p.rest(), word)
	return ok && (after == "" || strings.IndexByte(" \t\r\n()|\"", after[0]) >= 0)
}

func (p *parser) searchNot(field string) (Expr, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.mistake(-1, "the search is nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	not := p.keyword("NOT")
	if rest := p.rest(); !not && len(rest) > 1 && rest[0] == '-' && (nameByte(rest[1]) || strings.IndexByte("\"(/`\\*", rest[1]) >= 0) {
		p.pos++
		not = true
	}
	if !not {
		return p.term(field)
	}
	x, err := p.searchNot(field)
	return &Unary{"not", x}, err
}

// term reads one thing to look for.
func (p *parser) term(field string) (Expr, error) {
	p.space()
	start := p.pos
	if p.at() == '(' {
		p.pos++
		x, err := p.searchOr(field)
		if err != nil {
			return nil, err
		}
		if p.space(); p.at() != ')' {
			return nil, p.mistake(-1, "expected ) for the ( in column %d", start+1)
		}
		p.pos++
		return x, nil
	}
	if field != "" {
		return p.test(field)
	}
	if name, ok := p.tested(); ok {
		return p.test(name)
	}
	switch word := p.run(); word {
	case "=", "==", "!=", "<", "<=", ">", ">=", "=~":
		return nil, p.mistake(start, "a search compares in the way of field:>500; field > 500 is for filter")
	}
	return p.test("")
}

// run is all up to the next white space.
func (p *parser) run() string {
	rest := p.rest()
	if n := strings.IndexAny(rest, " \t\r\n"); n >= 0 {
		return rest[:n]
	}
	return rest
}

// tested reads the name and the colon of a test of a field. What looks like one but
// is a URL, a word with a colon at its end or an address is none.
func (p *parser) tested() (string, bool) {
	start := p.pos
	if name, ok := p.name(); ok && p.at() == ':' {
		p.pos++
		if rest := p.rest(); rest != "" && !strings.HasPrefix(rest, "//") && strings.IndexByte(" \t\r\n)|:", rest[0]) < 0 {
			return name, true
		}
	}
	p.pos = start
	return "", false
}

// test reads what is looked for in a field, or in the message.
func (p *parser) test(field string) (Expr, error) {
	start := p.pos
	f := &Find{Field: field}
	switch c := p.at(); {
	case c == '(' && field != "":
		return p.term(field)
	case c == '"':
		s, ok := p.quoted()
		if !ok {
			return nil, p.mistake(start, "the quotes are not closed")
		}
		f.Kind, f.Text = FindPhrase, s
		return f, nil
	case c == '/' && p.closes():
		s, err := p.regexp()
		f.Kind, f.Text = FindRegexp, s
		return f, err
	case (c == '[' || c == '{') && field != "":
		return p.bounds(f)
	case (c == '<' || c == '>') && field != "":
		f.Kind = FindCompare
		if f.Op = p.text[p.pos : p.pos+1]; p.sees(f.Op + "=") {
			f.Op += "="
		}
		p.pos += len(f.Op)
		v, err := p.bound("")
		f.Value = v
		return f, err
	}
	if f.Parts = p.parts(); f.Parts == nil {
		return nil, p.mistake(start, "expected a word, a phrase in quotes, field:value or (")
	}
	return f, nil
}

// closes tells whether a regular expression comes next, and not a path: the slash
// that closes it is the end of the term.
func (p *parser) closes() bool {
	there := p.scanner
	_, ok := there.slashed()
	return ok && (there.end() || strings.IndexByte(" \t\r\n)|", there.at()) >= 0)
}

// parts reads a word and splits it at its asterisks. A backslash takes the meaning
// from what follows it; brackets within a word are part of it.
func (p *parser) parts() []string {
	parts, open := []string{""}, 0
	start := p.pos
	for ; !p.end(); p.pos++ {
		c := p.at()
		switch {
		case c == '\\' && p.pos+1 < len(p.text):
			p.pos++
			parts[len(parts)-1] += p.text[p.pos : p.pos+1]
			continue
		case c <= ' ', c == '|', c == '"':
			return wordOf(parts, p.pos > start)
		case c == '(' && p.pos == start, c == ')' && open == 0:
			return wordOf(parts, p.pos > start)
		case c == '(':
			open++
		case c == ')':
			open--
		case c == '*':
			parts = append(parts, "")
			continue
		}
		parts[len(parts)-1] += p.text[p.pos : p.pos+1]
	}
	return wordOf(parts, p.pos > start)
}

// wordOf leaves out asterisks that stand beside others.
func wordOf(parts []string, any bool) []string {
	if !any {
		return nil
	}
	list := parts[:1:1]
	for i, part := range parts[1:] {
		if part == "" && i < len(parts)-2 {
			continue
		}
		list = append(list, part)
	}
	return list
}

// bounds reads a range.
func (p *parser) bounds(f *Find) (Expr, error) {
	start := p.pos
	const form = "expected a range such as [400 TO 499], [400 TO *] or {400 TO 500}, where { and } leave the bound out"
	f.Kind, f.Range = FindRange, &Bounds{LowExclusive: p.at() == '{'}
	p.pos++
	var err error
	if f.Range.Low, err = p.bound("]}"); err != nil {
		return nil, p.mistake(start, form)
	}
	if p.space(); !p.seesWord("TO") {
		return nil, p.mistake(start, form)
	}
	p.pos += len("TO")
	if f.Range.High, err = p.bound("]}"); err != nil {
		return nil, p.mistake(start, form)
	}
	p.space()
	if c := p.at(); c != ']' && c != '}' {
		return nil, p.mistake(start, form)
	}
	f.Range.HighExclusive = p.at() == '}'
	p.pos++
	return f, nil
}

// bound reads a value to compare with; one of a range, which ends at its brackets,
// may be *.
func (p *parser) bound(until string) (Value, error) {
	p.space()
	start := p.pos
	if p.at() == '"' {
		s, ok := p.quoted()
		if !ok {
			return Value{}, p.mistake(start, "the quotes are not closed")
		}
		return TextValue(s), nil
	}
	n := strings.IndexAny(p.rest(), " \t\r\n()|\""+until)
	if n < 0 {
		n = len(p.rest())
	}
	s := p.rest()[:n]
	p.pos += n
	switch {
	case s == "":
		return Value{}, p.mistake(start, "expected a value to compare with")
	case s == "*" && until != "":
		return Value{}, nil
	}
	return TextValue(s), nil
}
