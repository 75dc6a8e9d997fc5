package spec

import (
	"regexp"
	"strings"
)

// check looks at what only the whole service shows.
func (r *reader) check() {
	names := map[string]Function{}
	rest, http := map[string]Pos{}, map[string]Pos{}
	for i := range r.svc.Functions {
		fn := &r.svc.Functions[i]
		if first, twice := names[fn.Name]; twice {
			r.fail(fn.Pos, "function %s has the name %q, like function %s at %s; give it another", fn.Key, fn.Name, first.Key, first.Pos)
		}
		names[fn.Name] = *fn
		if len(fn.Name) > maxFunctionName {
			r.fail(fn.Pos, "function name %q has %d characters; the limit is %d: shorten the service, the stage or the function, or give it a name", fn.Name, len(fn.Name), maxFunctionName)
		}
		for _, e := range fn.Events {
			r.route(rest, e.Pos, e.HTTP)
			r.route(http, e.Pos, e.HTTPAPI)
		}
		r.patience(fn)
		r.dormant(fn)
	}
	r.fillCORS()
	r.twice()
	r.distributions()
}

var (
	greedy = regexp.MustCompile(`\{[^{}]*\+\}`)
	single = regexp.MustCompile(`\{[^{}+]*\}`)
)

// route reports a route that is there already; the names of its path parameters
// do not tell it apart.
func (r *reader) route(seen map[string]Pos, pos Pos, e *HTTPEvent) {
	if e == nil || e.Method == "" || e.Path == "" {
		return
	}
	key := e.Method + " " + single.ReplaceAllString(greedy.ReplaceAllString(e.Path, "{+}"), "{}")
	if first, twice := seen[key]; twice {
		r.fail(pos, "route %s %s is there already, at %s; remove one", e.Method, e.Path, first)
		return
	}
	seen[key] = pos
}

// patience warns of a function that may run longer than its gateway waits.
func (r *reader) patience(fn *Function) {
	for _, e := range fn.Events {
		if limit := restSeconds; e.HTTP != nil && !e.HTTP.Stream && fn.TimeoutSeconds > limit {
			r.warn(e.Pos, "function %s may take %d s, but a REST API answers 504 after %d s", fn.Key, fn.TimeoutSeconds, limit)
			return
		}
		if limit := httpSeconds; e.HTTPAPI != nil && fn.TimeoutSeconds > limit {
			r.warn(e.Pos, "function %s may take %d s, but an HTTP API answers 503 after %d s", fn.Key, fn.TimeoutSeconds, limit)
			return
		}
	}
}

// dormant warns of settings of a function that others make pointless.
func (r *reader) dormant(fn *Function) {
	p := fn.Package
	if IsNode(fn.Runtime) && len(p.Patterns)+len(p.Exclude) > 0 && !p.Individually && !r.svc.Package.Individually {
		r.warn(p.Pos, "the patterns of function %s have no effect, as in the Serverless Framework, unless package.individually is true", fn.Key)
	}
	if n := fn.ReservedConcurrency; n != nil && fn.ProvisionedConcurrency > *n {
		r.fail(fn.Pos, "function %s has provisionedConcurrency %d, which is more than its reservedConcurrency %d", fn.Key, fn.ProvisionedConcurrency, *n)
	} else if n != nil && fn.Warm > *n {
		r.fail(fn.Pos, "function %s keeps %d instances warm, which is more than its reservedConcurrency %d", fn.Key, fn.Warm, *n)
	}
}

func (r *reader) events() func(func(Event) bool) {
	return func(yield func(Event) bool) {
		for _, fn := range r.svc.Functions {
			for _, e := range fn.Events {
				if !yield(e) {
					return
				}
			}
		}
	}
}

func (r *reader) distributions() {
	names, aliases := map[string]Pos{}, map[string]Pos{}
	var first *Distribution
	for i := range r.svc.Distributions {
		d := &r.svc.Distributions[i]
		r.once(names, d.Name, d.Pos, "distribution")
		for _, a := range d.Aliases {
			r.once(aliases, strings.ToLower(a), d.Pos, "alias")
		}
		if d.Default && first != nil {
			r.fail(d.Pos, "distribution %s is a second default, after %s at %s", d.Name, first.Name, first.Pos)
		}
		if d.Default && first == nil {
			first = d
		}
	}
}

func (r *reader) once(seen map[string]Pos, name string, pos Pos, what string) {
	if before, twice := seen[name]; twice && name != "" {
		r.fail(pos, "%s %s is there already, at %s", what, name, before)
		return
	}
	seen[name] = pos
}
