package query

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dropstack/dropstack/internal/fault"
)

// commands are the words that a stage begins with, and what reads the rest of it.
var commands map[string]func(p *parser) (Stage, error)

func init() {
	commands = map[string]func(p *parser) (Stage, error){
		"search": (*parser).searchStage, "filter": (*parser).filter, "fields": (*parser).fields, "display": (*parser).display,
		"parse": (*parser).parse, "stats": (*parser).stats, "sort": (*parser).sort, "limit": (*parser).limit, "head": (*parser).limit,
		"top": (*parser).top, "dedup": (*parser).dedup,
	}
}

// missing are Logs Insights' commands that there are not, and what is there instead.
var missing = map[string]string{
	"pattern": "", "diff": "", "anomaly": "", "unmask": "", "unnest": "", "lookup": "", "join": "", "subqueries": "", "source": "",
	"filterindex": "; use filter", "tail": "; use sort @timestamp and limit", "addtotals": "",
}

// reserved are words that are no names unless they stand in backquotes.
var reserved = map[string]bool{"and": true, "or": true, "not": true, "like": true, "in": true, "as": true, "by": true, "asc": true, "desc": true}

// parser reads a query.
type parser struct {
	scanner
	depth     int
	aggregate int // 0: there are none here; 1: there may be; 2: within one
}

// Parse reads a query. The error, if any, is a SyntaxError in a fault.
func Parse(text string) (*Query, error) {
	if len(text) > maxText {
		return nil, fault.Coded(fault.Invalid, "MalformedQueryException", "the query has %d bytes; at most %d are taken", len(text), maxText)
	}
	if !utf8.ValidString(text) {
		return nil, fault.Coded(fault.Invalid, "MalformedQueryException", "the query is not UTF-8")
	}
	p := &parser{scanner: scanner{text: text}}
	q := &Query{}
	for p.space(); !p.end(); p.space() {
		if p.at() == '|' {
			if p.pos++; len(q.Stages) == 0 && q.Stages == nil {
				q.Stages = []Stage{} // a query may begin with a pipe
			}
			p.space()
		}
		s, err := p.stage(q.Stages == nil)
		if err != nil {
			return nil, err
		}
		q.Stages = append(q.Stages, s)
		if p.space(); !p.end() && p.at() != '|' {
			return nil, p.mistake(-1, "expected | and another command, or the end%s", hint(s))
		}
	}
	if len(q.Stages) == 0 && q.Stages != nil {
		return nil, p.mistake(len(text), "expected a command after |: %s", commandList())
	}
	if len(q.Stages) == 0 {
		q.Stages = []Stage{&Search{Where: &Find{Parts: []string{"", ""}}}}
	}
	return q, nil
}

// hint tells what may have been meant by what follows a stage.
func hint(s Stage) string {
	switch s.(type) {
	case *Search:
		return ""
	case *Stats:
		return ", or by"
	case *Fields, *Display:
		return ", or a comma and another field"
	}
	return ""
}

func commandList() string {
	names := make([]string, 0, len(commands))
	for name := range commands {
		if name != "head" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// commandWord tells whether a query that begins with text begins with a command.
func commandWord(text string) bool {
	s := scanner{text: text}
	word := s.command()
	return commands[word] != nil || isMissing(word)
}

func isMissing(word string) bool { _, ok := missing[word]; return ok }

// command is the word at the beginning of a stage, if it may be a command.
func (s *scanner) command() string {
	rest, n := s.rest(), 0
	for n < len(rest) && (rest[n] >= 'a' && rest[n] <= 'z' || rest[n] >= 'A' && rest[n] <= 'Z') {
		n++
	}
	if n < len(rest) && strings.IndexByte(" \t\r\n|\"'/(`@#", rest[n]) < 0 {
		return ""
	}
	return rest[:n]
}

func (p *parser) stage(first bool) (Stage, error) {
	start, word := p.pos, p.command()
	if !first {
		word = strings.ToLower(word)
	}
	read := commands[word]
	switch {
	case read != nil:
		p.pos += len(word)
		s, err := read(p)
		if err != nil && first && word != "search" {
			if e, ok := syntaxError(err); ok {
				e.Message += "; to search for the word, write \"" + word + "\" in quotes"
			}
		}
		return s, err
	case isMissing(word) && !first:
		return nil, p.mistake(start, "the command is not available here%s; expected %s", missing[word], commandList())
	case !first:
		return nil, p.mistake(start, "expected a command: %s", commandList())
	case isMissing(word) && strings.Contains(p.text, "|"):
		return nil, p.mistake(start, "the command is not available here%s; to search for the word, write it in quotes", missing[word])
	}
	return p.searchStage()
}

func (p *parser) searchStage() (Stage, error) {
	where, err := p.searchOr("")
	return &Search{where}, err
}

func (p *parser) filter() (Stage, error) {
	where, err := p.maybeStatistic()
	return &Filter{asCondition(where)}, err
}

// asCondition makes of texts that stand for a condition what they search for.
func asCondition(e Expr) Expr {
	switch x := e.(type) {
	case *Literal:
		if x.Value.kind == Text {
			return &Find{Kind: FindPhrase, Text: x.Value.s}
		}
	case *Binary:
		if x.Op == "and" || x.Op == "or" {
			x.X, x.Y = asCondition(x.X), asCondition(x.Y)
		}
	case *Unary:
		if x.Op == "not" {
			x.X = asCondition(x.X)
		}
	}
	return e
}

func (p *parser) fields() (Stage, error) {
	items, err := p.items()
	return &Fields{items}, err
}

func (p *parser) display() (Stage, error) {
	items, err := p.items()
	return &Display{items}, err
}

// items reads expressions with commas between them, and their names.
func (p *parser) items() (list []Item, err error) {
	err = p.list(func() error {
		e, err := p.expr(bindAny)
		if err != nil {
			return err
		}
		as, err := p.as()
		list = append(list, Item{e, as})
		return err
	})
	return list, err
}

// list reads what has commas between it.
func (p *parser) list(read func() error) error {
	for {
		if err := read(); err != nil {
			return err
		}
		if p.space(); p.at() != ',' {
			return nil
		}
		p.pos++
	}
}

// as reads the name that an item is given.
func (p *parser) as() (string, error) {
	if p.space(); !p.seesWord("as") {
		return "", nil
	}
	p.pos += len("as")
	return p.fieldName("a name for it")
}

func (p *parser) fieldName(what string) (string, error) {
	p.space()
	start := p.pos
	name, ok := p.name()
	if !ok || reserved[strings.ToLower(name)] && p.text[start] != '`' {
		return "", p.mistake(start, "expected %s", what)
	}
	return name, nil
}

func (p *parser) parse() (Stage, error) {
	s := &Extract{From: &Field{Name: "@message"}}
	p.space()
	if c := p.at(); c != '"' && c != '\'' && c != '/' {
		var err error
		if s.From, err = p.operand(); err != nil {
			return nil, err
		}
	}
	p.space()
	start := p.pos
	var err error
	if s.Pattern, err = p.pattern("a pattern: a text with * such as \"user *\", or a regular expression with (?<names>) such as /user (?<user>\\S+)/"); err != nil {
		return nil, err
	}
	wanted := strings.Count(s.Pattern.Text, "*")
	if s.Pattern.Regexp {
		s.Names, wanted = namesOf(s.Pattern.Text), regexp.MustCompile(s.Pattern.Text).NumSubexp()
	}
	p.space()
	place := p.pos
	switch {
	case wanted == 0:
		return nil, p.mistake(start, "the pattern has nothing to take out: put a * or a (?<name>…) into it")
	case s.Names != nil:
		return s, nil
	case !p.seesWord("as"):
		return nil, p.mistake(place, "expected as, and a name for each of the %d parts", wanted)
	}
	p.pos += len("as")
	err = p.list(func() error {
		name, err := p.fieldName("a name")
		s.Names = append(s.Names, name)
		return err
	})
	if err == nil && len(s.Names) != wanted {
		err = p.mistake(place, "the pattern takes out %d parts, and there are %d names", wanted, len(s.Names))
	}
	return s, err
}

// namesOf are the names of a regular expression's groups; nil if none has one.
func namesOf(pattern string) (names []string) {
	for _, name := range regexp.MustCompile(pattern).SubexpNames() {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

// pattern reads a text or a regular expression.
func (p *parser) pattern(what string) (Pattern, error) {
	p.space()
	start := p.pos
	switch p.at() {
	case '"', '\'':
		s, ok := p.quoted()
		if !ok {
			return Pattern{}, p.mistake(start, "the quotes are not closed")
		}
		return Pattern{Text: s}, nil
	case '/':
		s, err := p.regexp()
		return Pattern{Text: s, Regexp: true}, err
	}
	return Pattern{}, p.mistake(start, "expected %s", what)
}

// regexp reads a regular expression and tries it.
func (p *parser) regexp() (string, error) {
	start := p.pos
	s, ok := p.slashed()
	if !ok {
		return "", p.mistake(start, "the regular expression is not closed by /")
	}
	if _, err := regexp.Compile(s); err != nil {
		return "", p.mistake(start, "%v", err)
	}
	return s, nil
}

func (p *parser) stats() (Stage, error) {
	s := &Stats{}
	start := p.pos
	p.aggregate = 1
	err := p.list(func() error {
		p.space()
		at := p.pos
		e, err := p.statistic()
		if err != nil {
			return err
		}
		if !aggregates(e) {
			return p.mistake(at, "expected a statistic, such as count(*), avg(FIELD) or pct(FIELD, 95)")
		}
		as, err := p.as()
		s.Items = append(s.Items, Item{e, as})
		return err
	})
	p.aggregate = 0
	if err != nil || len(s.Items) == 0 {
		return nil, orMistake(err, p, start)
	}
	if p.space(); p.seesWord("by") {
		p.pos += len("by")
		s.By, err = p.items()
	}
	return s, err
}

func orMistake(err error, p *parser, at int) error {
	if err != nil {
		return err
	}
	return p.mistake(at, "expected a statistic")
}

// statistic reads an expression of statistics; count may stand by itself.
func (p *parser) statistic() (Expr, error) {
	if p.seesWord("count") {
		there := p.scanner
		there.pos += len("count")
		if there.space(); there.at() != '(' && there.at() != ':' {
			p.pos += len("count")
			return &Call{Name: "count", Args: []Expr{&Star{}}}, nil
		}
	}
	return p.expr(bindAny)
}

func (p *parser) sort() (Stage, error) {
	s := &Sort{}
	err := p.list(func() error {
		e, err := p.maybeStatistic()
		if err != nil {
			return err
		}
		k := Key{Expr: e}
		switch p.space(); {
		case p.seesWord("desc"):
			p.pos, k.Desc = p.pos+len("desc"), true
		case p.seesWord("asc"):
			p.pos += len("asc")
		}
		s.Keys = append(s.Keys, k)
		return nil
	})
	return s, err
}

// maybeStatistic reads an expression, in which the columns of stats may be called by
// their statistics.
func (p *parser) maybeStatistic() (Expr, error) {
	p.aggregate = 1
	defer func() { p.aggregate = 0 }()
	return p.expr(bindAny)
}

func (p *parser) limit() (Stage, error) {
	n, err := p.count(MaxRows)
	return &Limit{n}, err
}

func (p *parser) count(most int) (int, error) {
	p.space()
	start := p.pos
	digits, unit := "", ""
	if c := p.at(); c-'0' <= 9 {
		digits, unit = p.number()
	}
	n, err := strconv.Atoi(digits)
	if err != nil || unit != "" || n < 1 || n > most {
		return 0, p.mistake(start, "expected a number from 1 to %d", most)
	}
	return n, nil
}

func (p *parser) top() (Stage, error) {
	s := &Top{N: 10}
	var err error
	if p.space(); p.at()-'0' <= 9 {
		if s.N, err = p.count(MaxRows); err != nil {
			return nil, err
		}
	}
	s.By, err = p.items()
	return s, err
}

func (p *parser) dedup() (Stage, error) {
	s := &Dedup{}
	err := p.list(func() error {
		e, err := p.expr(bindAny)
		s.By = append(s.By, e)
		return err
	})
	return s, err
}
