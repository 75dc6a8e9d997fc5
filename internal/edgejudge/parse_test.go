package edgejudge

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// cases reads all files of testdata.
func cases(t *testing.T) []testCase {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	var all []testCase
	names := map[string]bool{}
	for _, file := range files {
		group := strings.TrimSuffix(filepath.Base(file), ".txt")
		_, group, _ = strings.Cut(group, "-") // the number orders the files
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		some, err := parse(group, string(text))
		if err != nil {
			t.Fatalf("%s:%v", file, err)
		}
		for _, c := range some {
			if names[c.name] {
				t.Errorf("%s: two cases are called %q", file, c.name)
			}
			names[c.name] = true
			c.id = fmt.Sprintf("c%03d", len(all)+1)
			all = append(all, c)
		}
	}
	return all
}

func parse(group, text string) ([]testCase, error) {
	var all []testCase
	var c *testCase
	var s *step
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		word, rest, _ := strings.Cut(line, " ")
		err := error(nil)
		switch {
		case line == "" || word == "#":
		case word == "case":
			all = append(all, testCase{group: group, name: rest, at: "/plain"})
			c, s = &all[len(all)-1], nil
		case c == nil:
			err = fmt.Errorf("%q before the first case", line)
		case slices.Contains([]string{"must", "should", "optional"}, word):
			c.kind, c.source = word, rest
		case word == "at":
			c.at = rest
		case word == ">" && s != nil && s.request != nil && s.want == nil && len(s.answers) == 0 && strings.Contains(rest, ": ") && !strings.HasPrefix(rest, "GET"):
			err = s.request.add(rest)
		case word == ">":
			c.steps = append(c.steps, step{line: i + 1})
			s = &c.steps[len(c.steps)-1]
			s.request, err = parseRequest(rest)
		case word == "!":
			c.steps = append(c.steps, step{line: i + 1, command: strings.Fields(rest)})
			s = &c.steps[len(c.steps)-1]
			if s.command[0] == "pause" {
				d, bad := time.ParseDuration(s.command[1])
				c.seconds, err = c.seconds+d.Seconds(), bad
			}
		case s == nil:
			err = fmt.Errorf("%q before the first step", line)
		case word == "<":
			var a answer
			a, err = parseAnswer(rest)
			s.answers = append(s.answers, a)
		case word == "=":
			s.want, err = parseWant(s.want, rest)
		case word == "?":
			var checks []check
			checks, err = parseChecks(strings.Split(rest, " | "))
			s.seen = append(s.seen, checks...)
		default:
			err = fmt.Errorf("%q: a line begins with case, must, should, optional, at, >, <, =, ? or !", line)
		}
		if err != nil {
			return nil, fmt.Errorf("%d: %w", i+1, err)
		}
	}
	for _, c := range all {
		if c.kind == "" || c.source == "" || len(c.steps) == 0 {
			return nil, fmt.Errorf("1: case %q has no kind, no source or no steps", c.name)
		}
	}
	return all, nil
}

func parseRequest(text string) (*request, error) {
	parts := strings.Split(text, " | ")
	r := &request{path: "/a", times: 1}
	words := strings.Fields(parts[0])
	r.method = words[0]
	for i := 1; i < len(words); i++ {
		switch {
		case words[i] == "as" && i+1 < len(words):
			i++
			r.name = words[i]
		case words[i] == "times" && i+1 < len(words):
			i++
			n, err := strconv.Atoi(words[i])
			if err != nil {
				return nil, err
			}
			r.times = n
		default:
			r.path = words[i]
		}
	}
	for _, part := range parts[1:] {
		if err := r.add(part); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *request) add(part string) error {
	if body, ok := strings.CutPrefix(part, "@body "); ok {
		r.body = body
		return nil
	}
	if n, ok := strings.CutPrefix(part, "@long "); ok { // X-Long: N letters
		size, err := strconv.Atoi(n)
		r.headers = append(r.headers, header{"X-Long", strings.Repeat("l", size)})
		return err
	}
	name, value, ok := strings.Cut(part, ":")
	if !ok {
		return fmt.Errorf("header %q has no colon", part)
	}
	r.headers = append(r.headers, header{name, strings.TrimPrefix(value, " ")})
	return nil
}

func parseAnswer(text string) (a answer, err error) {
	a.repeat, a.abort, a.part = 1, -1, -1
	parts := strings.Split(text, " | ")
	status, times, repeated := strings.Cut(parts[0], " x")
	if a.status, err = strconv.Atoi(status); err != nil {
		return a, fmt.Errorf("status %q: %w", status, err)
	}
	if repeated {
		if a.repeat, err = strconv.Atoi(times); err != nil {
			return a, err
		}
	}
	number := func(s string) int {
		n, bad := strconv.Atoi(s)
		if bad != nil {
			err = bad
		}
		return n
	}
	for _, part := range parts[1:] {
		words := strings.Fields(part)
		switch {
		case part == "@chunked":
			a.chunked = true
		case part == "@refuse":
			a.refuse = true
		case part == "@anonymous":
			a.anonymous = true
		case part == "@nodate":
			a.nodate = true
		case words[0] == "@size":
			a.size = number(words[1])
		case words[0] == "@random":
			a.size, a.random = number(words[1]), true
		case words[0] == "@hold":
			a.hold = words[1]
		case words[0] == "@part":
			a.part, a.partHold = number(words[1]), words[2]
		case words[0] == "@abort":
			a.abort = number(words[1])
		case words[0] == "@raw":
			a.raw = append(a.raw, strings.TrimPrefix(part, "@raw "))
		default:
			name, value, ok := strings.Cut(part, ":")
			if !ok {
				return a, fmt.Errorf("%q is neither a header nor known", part)
			}
			a.headers = append(a.headers, header{name, strings.TrimPrefix(value, " ")})
		}
	}
	return a, err
}

var sources = []string{"origin", "cache", "validated", "stale", "either", "edge", "broken", "eventually"}

func parseWant(w *want, text string) (*want, error) {
	parts := strings.Split(text, " | ")
	if w == nil {
		words := strings.Fields(parts[0])
		w = &want{source: words[0], status: 200}
		if !slices.Contains(sources, w.source) {
			return nil, fmt.Errorf("%q is none of %s", w.source, strings.Join(sources, ", "))
		}
		for _, word := range words[1:] {
			var err error
			if n, ok := strings.CutPrefix(word, "#"); ok {
				w.number, err = strconv.Atoi(n)
			} else {
				w.status, err = strconv.Atoi(word)
			}
			if err != nil {
				return nil, err
			}
		}
		parts = parts[1:]
	}
	checks, err := parseChecks(parts)
	w.checks = append(w.checks, checks...)
	return w, err
}

var between = regexp.MustCompile(`^(\d+)\.\.(\d+)$`)

func parseChecks(parts []string) (all []check, err error) {
	for _, part := range parts {
		if name, ok := strings.CutPrefix(part, "!"); ok {
			all = append(all, check{name: name, absent: true})
			continue
		}
		name, value, ok := strings.Cut(part, ":")
		if !ok {
			if name, value, ok = strings.Cut(part, " "); !ok || name != "asked" {
				return nil, fmt.Errorf("check %q is neither \"Name: value\" nor \"!Name\"", part)
			}
		}
		c := check{name: name, exact: strings.TrimPrefix(value, " ")}
		c.name, c.maybe = strings.CutSuffix(name, "?")
		if m := between.FindStringSubmatch(c.exact); m != nil {
			c.ranged = true
			c.lo, _ = strconv.Atoi(m[1])
			c.hi, _ = strconv.Atoi(m[2])
		} else if len(c.exact) > 1 && c.exact[0] == '/' && c.exact[len(c.exact)-1] == '/' {
			if c.match, err = regexp.Compile(c.exact[1 : len(c.exact)-1]); err != nil {
				return nil, err
			}
		}
		all = append(all, c)
	}
	return all, nil
}

// holds says what is wrong with the values of a header, "" if nothing is.
func (c check) holds(values []string) string {
	got := strings.Join(values, ", ")
	switch {
	case c.absent && len(values) > 0:
		return fmt.Sprintf("%s is %q, must be missing", c.name, got)
	case c.absent, c.maybe && len(values) == 0:
		return ""
	case len(values) == 0:
		return c.name + " is missing"
	case c.ranged:
		if n, err := strconv.Atoi(got); err != nil || n < c.lo || n > c.hi {
			return fmt.Sprintf("%s is %q, must be from %d to %d", c.name, got, c.lo, c.hi)
		}
	case c.match != nil:
		if !c.match.MatchString(got) {
			return fmt.Sprintf("%s is %q, must match %s", c.name, got, c.match)
		}
	case got != c.exact:
		return fmt.Sprintf("%s is %q, must be %q", c.name, got, c.exact)
	}
	return ""
}
