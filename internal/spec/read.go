package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// Error lists everything that is wrong with a serverless.yml. Its kind is
// fault.Invalid.
type Error struct {
	Problems []Problem // by file and line
}

// Error has one problem a line, each beginning with file:line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the error its kind.
func (e *Error) Unwrap() error {
	return fault.Errorf(fault.Invalid, "the service description is not valid")
}

// reader turns nodes into values and collects what is wrong on the way.
type reader struct {
	vars      *variables
	problems  []Problem
	warnings  []Problem
	svc       *Service
	names     map[string]resource // by logical id, for Ref and Fn::GetAtt
	targets   map[string]string   // what a destination calls, by function key
	plugin    *warmup
	pseudo    bool              // #{…} stands for a pseudo parameter
	fromFiles map[string]string // what serverless-dotenv-plugin gives to all functions
	env       *node             // provider.environment
	defaults  defaults
	spent     int  // values made of other values
	elsewhere bool // the provider is not aws
	nets      nets
	naming    []func() // of resources whose names are made of those of others
	later     []func() // what refers to resources that may come after it
	perms     roles
	gates     gates
	settings  *node              // custom.deploymentSettings
	ownAlarms map[string][]*node // alarms of functions, by their keys
	buckets   map[string]Bucket  // of provider.s3, by key
	template  template
	granting  bool                // what is read may name what is not deployed
	touched   bool                // and has
	undone    map[string]resource // what resources that are not deployed would be called, by logical id
}

// maxSpent bounds what anchors that hold anchors can blow up to.
const maxSpent = 100_000

// spend counts one value; false when a file asks for too many.
func (r *reader) spend(n *node) bool {
	if r.spent++; r.spent == maxSpent+1 {
		r.fail(n.pos, "anchors or variables make more than %d values", maxSpent)
	}
	return r.spent <= maxSpent
}

// defaults are the provider's, for functions that do not say otherwise.
type defaults struct {
	runtime, layers *node
	vpc, key        *node
	memory, timeout int
	unversioned     bool
	logs            logging
}

func (r *reader) fail(pos Pos, format string, args ...any) {
	r.add(&r.problems, pos, fmt.Sprintf(format, args...))
}

func (r *reader) warn(pos Pos, format string, args ...any) {
	r.add(&r.warnings, pos, fmt.Sprintf(format, args...))
}

// add keeps a message once: defaults are read again for every function.
func (r *reader) add(to *[]Problem, pos Pos, message string) {
	if p := (Problem{pos, message}); !slices.Contains(*to, p) {
		*to = append(*to, p)
	}
}

// err sorts and returns the problems, nil if there are none.
func (r *reader) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	return &Error{Problems: byPlace(r.problems)}
}

func byPlace(problems []Problem) []Problem {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Column, b.Pos.Column), cmp.Compare(a.Message, b.Message))
	})
	return problems
}

// keys says what to do with the value of each known key; nil ignores it silently.
type keys map[string]func(*node)

// effects names keys that cannot be ignored, and what ignoring them would mean.
type effects map[string]string

// object hands the values of a map to the functions for their keys. Keys without
// a value are absent. Of the others, those in effects are problems, the rest
// warnings.
func (r *reader) object(n *node, what string, known keys, harm effects) {
	if n = r.vars.resolve(n); !r.is(n, object, what) {
		return
	}
	for _, f := range n.fields {
		read, ok := known[f.key]
		switch path := strings.TrimPrefix(what+"."+f.key, "."); {
		case ok && read != nil:
			if v := r.vars.resolve(f.value); v.kind != null && v.kind != broken {
				read(v)
			}
		case ok:
		case harm[f.key] != "":
			r.fail(f.pos, "%s is not supported yet: %s", path, harm[f.key])
		default:
			r.warn(f.pos, "%s is not supported and has no effect", path)
		}
	}
}

// is reports whether n is of a kind; if not, that is a problem.
func (r *reader) is(n *node, k kind, what string) bool {
	if n != nil && n.kind != k && n.kind != broken {
		r.fail(n.pos, "%s must be %s, not %s", what, kindNames[k], kindNames[n.kind])
	}
	return n != nil && n.kind == k
}

// str reads a string; numbers and booleans are taken as they are written.
func (r *reader) str(n *node, what string) string {
	if n = r.vars.resolve(n); n == nil || n.kind == broken {
		return ""
	}
	if !n.scalar() {
		r.fail(n.pos, "%s must be a string, not %s", what, kindNames[n.kind])
		return ""
	}
	return n.text
}

func (r *reader) integer(n *node, what string, lo, hi int) int {
	n = r.vars.resolve(n)
	if n == nil || n.kind == broken {
		return lo
	}
	v, err := strconv.Atoi(n.text)
	if !n.scalar() || err != nil || v < lo || v > hi {
		got := n.text
		if !n.scalar() {
			got = kindNames[n.kind]
		}
		r.fail(n.pos, "%s must be a whole number from %d to %d, not %s", what, lo, hi, got)
		return lo
	}
	return v
}

// decimal reads a number that may have a fraction.
func (r *reader) decimal(n *node, what string, lo, hi float64) float64 {
	n = r.vars.resolve(n)
	if n == nil || n.kind == broken {
		return lo
	}
	v, err := strconv.ParseFloat(n.text, 64)
	if !n.scalar() || err != nil || !(v >= lo && v <= hi) {
		got := n.text
		if !n.scalar() {
			got = kindNames[n.kind]
		}
		plainly := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
		r.fail(n.pos, "%s must be a number from %s to %s, not %s", what, plainly(lo), plainly(hi), got)
		return lo
	}
	return v
}

func (r *reader) boolean(n *node, what string) bool {
	n = r.vars.resolve(n)
	if n == nil || n.kind == broken {
		return false
	}
	if !n.scalar() || (n.text != "true" && n.text != "false") {
		got := n.text
		if !n.scalar() {
			got = kindNames[n.kind]
		}
		r.fail(n.pos, "%s must be true or false, not %s", what, got)
	}
	return n.text == "true"
}

// each calls visit for every item of a list that has a value.
func (r *reader) each(n *node, what string, visit func(*node)) {
	if n = r.vars.resolve(n); !r.is(n, list, what) {
		return
	}
	for _, item := range n.items {
		if item = r.vars.resolve(item); item.kind != null && item.kind != broken {
			visit(item)
		}
	}
}

// strings reads a list of strings, or one string as a list of it.
func (r *reader) strings(n *node, what string) (out []string) {
	if n = r.vars.resolve(n); n != nil && n.scalar() {
		return []string{n.text}
	}
	r.each(n, what, func(item *node) { out = append(out, r.str(item, what)) })
	return out
}
