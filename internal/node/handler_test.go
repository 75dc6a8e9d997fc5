package node_test

import (
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
)

// story is a function, what it is given, and what has to come of it. The words
// of errors and logs are those of AWS's client, version 3.3.
type story struct {
	name    string
	files   string // see unpack
	handler string // default index.handler
	env     map[string]string
	events  []string // default {}; what follows is about the last one
	header  map[string]string

	call        string // default response
	want        string // the response
	errorType   string
	message     string // of the error; with a * at its end only how it begins
	trace       string // a regular expression that a line of the trace matches
	contentType string
	log         string // a regular expression that standard output matches
	without     string // one that it does not match
	stderr      string // a regular expression
	exit        int    // how the process ends by itself; 0: it lives on
	since       int    // the first major version that can do this
}

func TestHandlers(t *testing.T) {
	for _, in := range nodes(t) {
		t.Run(in.Version.String(), func(t *testing.T) {
			for _, list := range [][]story{returning, describing, modules, failing, ending, starting, logging, streaming} {
				for _, s := range list {
					t.Run(strings.ReplaceAll(s.name, " ", "_"), func(t *testing.T) {
						t.Parallel()
						if in.Version.Major < s.since {
							t.Skipf("not run: Node %d came with it", s.since)
						}
						play(t, start(t, in, unpack(t, s.files), s.environment()), s)
					})
				}
			}
		})
	}
}

func (s story) environment() map[string]string {
	env := map[string]string{}
	for k, v := range s.env {
		env[k] = v
	}
	if s.handler != "" {
		env["_HANDLER"] = s.handler
	}
	return env
}

func play(t *testing.T, p *process, s story) {
	t.Helper()
	events := s.events
	if events == nil {
		events = []string{"{}"}
	}
	var out outcome
	for _, e := range events {
		out = p.invoke(t, e, s.header)
	}
	if want := or(s.call, "response"); out.call != want {
		t.Errorf("got %s %s, want %s", out.call, out.body, want)
	}
	if s.want != "" && out.body != s.want {
		t.Errorf("got %s, want %s", out.body, s.want)
	}
	if s.contentType != "" && out.contentType != s.contentType {
		t.Errorf("content type: got %q, want %q", out.contentType, s.contentType)
	}
	if s.errorType != "" {
		s.blame(t, out)
	}
	if s.exit != 0 {
		if code := p.code(t); code != s.exit {
			t.Errorf("exit status: got %d, want %d", code, s.exit)
		}
		if asked := len(p.asked); asked > len(events) {
			t.Errorf("asked for an event %d times before it ended, want at most %d", asked, len(events))
		}
	} else {
		p.asks(t, 1+len(events)) // the first, and then one after each
		p.kill()
	}
	match(t, "log", s.log, p.out.String(), true)
	match(t, "log", s.without, p.out.String(), false)
	match(t, "stderr", s.stderr, p.stderr.String(), true)
}

func (s story) blame(t *testing.T, out outcome) {
	t.Helper()
	if out.errorType != s.errorType {
		t.Errorf("header: got error type %q, want %q", out.errorType, s.errorType)
	}
	if out.errorBody != "" {
		body, err := base64.StdEncoding.DecodeString(out.errorBody)
		if err != nil {
			t.Errorf("trailer: %v", err)
		}
		out.body = string(body)
	}
	f := out.failure(t)
	if f.ErrorType != s.errorType {
		t.Errorf("got error type %q, want %q", f.ErrorType, s.errorType)
	}
	begin, open := strings.CutSuffix(s.message, "*")
	if f.ErrorMessage != s.message && !(open && strings.HasPrefix(f.ErrorMessage, begin)) {
		t.Errorf("got message %q, want %q", f.ErrorMessage, s.message)
	}
	match(t, "trace", s.trace, strings.Join(f.Trace, "\n"), true)
}

func match(t *testing.T, what, pattern, text string, want bool) {
	t.Helper()
	if pattern != "" && regexp.MustCompile(pattern).MatchString(text) != want {
		t.Errorf("%s matches %s: want %v, got:\n%s", what, pattern, want, text)
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

var (
	megabytes     = strings.Repeat("s", 3e6)
	fourMegabytes = strings.Repeat("x", 4<<20)
	accents       = strings.Repeat("é", 1e6)
)
