package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
)

// event is a line of go test -json (go doc test2json, go help buildjson).
type event struct {
	Action, Package, Test, Output string
}

type test struct{ pkg, name string }

// skipped is a test that has not run.
type skipped struct {
	test
	reason string
	unmet  bool // it has to run here
}

// suite is what has been heard so far.
type suite struct {
	out  io.Writer
	must *regexp.Regexp // nil: nothing has to run

	tests    map[test][]byte   // what those that run have printed
	packages map[string][]byte // and beside them their packages
	passed   int
	failed   []test
	skips    []skipped
}

func (s *suite) read(events *bufio.Reader) error {
	for {
		line, err := events.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil || e.Action == "" {
				_, _ = s.out.Write(line) // go test's own words
			} else {
				s.hear(e)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *suite) hear(e event) {
	t := test{e.Package, e.Test}
	switch {
	case e.Action == "build-output":
		fmt.Fprint(s.out, e.Output)
	case e.Action == "output" && e.Test == "":
		s.packages[e.Package] = append(s.packages[e.Package], e.Output...)
	case e.Action == "output":
		s.tests[t] = append(s.tests[t], e.Output...)
	case e.Test == "":
		s.ends(e)
	case e.Action == "pass":
		s.passed++
		delete(s.tests, t)
	case e.Action == "skip":
		s.skips = append(s.skips, skipped{t, reason(s.tests[t]), s.must != nil && s.must.MatchString(t.pkg)})
		delete(s.tests, t)
	case e.Action == "fail":
		s.failed = append(s.failed, t)
		_, _ = s.out.Write(s.tests[t])
		delete(s.tests, t)
	}
}

// ends tells what became of a package: the line that go test has for it, or all
// that was printed, also by tests that it ended in the midst of.
func (s *suite) ends(e event) {
	text := s.packages[e.Package]
	switch e.Action {
	case "pass", "skip":
		for line := range bytes.Lines(text) {
			if bytes.HasPrefix(line, []byte("ok ")) || bytes.HasPrefix(line, []byte("? ")) {
				_, _ = s.out.Write(line)
			}
		}
	case "fail":
		for t, text := range s.tests {
			if t.pkg == e.Package {
				_, _ = s.out.Write(text)
				delete(s.tests, t)
			}
		}
		_, _ = s.out.Write(text)
	default: // it starts, pauses or goes on
		return
	}
	delete(s.packages, e.Package)
}

// said is a line that a test logs.
var said = regexp.MustCompile(`(?m)^\s+\S+\.go:\d+: (?:not run: )?(.*)$`)

// reason is what a test said last before it was skipped.
func reason(text []byte) string {
	lines := said.FindAllSubmatch(text, -1)
	if len(lines) == 0 {
		return "it gives no reason"
	}
	return string(lines[len(lines)-1][1])
}

// summary ends the run. Unmet says that something has not run that has to.
func (s *suite) summary() (unmet bool) {
	if len(s.skips) > 0 {
		fmt.Fprintln(s.out, "\nnot run:")
		slices.SortFunc(s.skips, func(a, b skipped) int { return cmp.Or(strings.Compare(a.pkg, b.pkg), strings.Compare(a.name, b.name)) })
		w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		for _, skip := range s.skips {
			note := skip.reason
			if skip.unmet {
				unmet, note = true, "HAS TO RUN HERE: "+note
			}
			fmt.Fprintf(w, "  %s\t%s\t%s\n", skip.pkg, skip.name, note)
		}
		_ = w.Flush()
	}
	if len(s.failed) > 0 {
		fmt.Fprintln(s.out, "\nfailed:")
		for _, t := range s.failed {
			fmt.Fprintf(s.out, "  %s %s\n", t.pkg, t.name)
		}
	}
	fmt.Fprintf(s.out, "\n%d tests passed, %d failed, %d not run\n", s.passed, len(s.failed), len(s.skips))
	return unmet
}
