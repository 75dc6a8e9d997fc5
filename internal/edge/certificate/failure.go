package certificate

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/mholt/acmez/v3/acme"
)

// Failure is a name for which no certificate could be got.
type Failure struct {
	Host    string    `json:"host"`
	Problem string    `json:"problem"`
	Advice  string    `json:"advice,omitempty"`
	Tries   int       `json:"tries"`
	Until   time.Time `json:"until"` // nobody causes another order before
}

// Waits between orders for the same name: twice as long each time.
const (
	firstWait   = time.Minute
	longestWait = time.Hour
)

// failures is what went wrong lately, by name.
type failures struct {
	mu     sync.Mutex // guards byName
	byName map[string]Failure
}

// add remembers a failure, and reports whether it is another one than before.
func (f *failures) add(name string, err error, now time.Time) (Failure, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.byName[name]
	next := Failure{Host: name, Tries: before.Tries + 1}
	next.Problem, next.Advice = explain(err)
	wait := min(firstWait<<min(before.Tries, 10), longestWait)
	if limited(err) {
		wait = longestWait
	}
	next.Until = now.Add(wait)
	if f.byName == nil {
		f.byName = map[string]Failure{}
	}
	f.byName[name] = next
	return next, next.Problem != before.Problem
}

func (f *failures) clear(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.byName, name)
}

// forget drops failures of names that nobody has asked for lately.
func (f *failures) forget(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.byName, func(_ string, at Failure) bool { return now.After(at.Until.Add(24 * time.Hour)) })
}

// waiting is an error while it is too early for another order.
func (f *failures) waiting(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at, known := f.byName[name]; known && time.Now().Before(at.Until) {
		return fmt.Errorf("no certificate for %s: %s; it is tried again after %s", name, at.Problem, at.Until.UTC().Format(time.RFC3339))
	}
	return nil
}

func (f *failures) list() []Failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := []Failure{}
	for _, one := range f.byName {
		all = append(all, one)
	}
	return all
}

// limited reports whether an authority has had too many orders.
func limited(err error) bool {
	problem, ok := errors.AsType[acme.Problem](err)
	return ok && strings.HasSuffix(problem.Type, ":rateLimited")
}

// explain says what is wrong and what to do about it.
func explain(err error) (problem, advice string) {
	if err == nil {
		return "the authority gave no certificate", ""
	}
	p, ok := errors.AsType[acme.Problem](err)
	if !ok {
		return err.Error(), "is the address of --acme-directory right, and can this machine reach it? a private authority also needs --acme-ca-root"
	}
	for _, sub := range p.Subproblems {
		if p.Detail == "" {
			p.Detail = sub.Detail
		}
	}
	kind := p.Type[strings.LastIndex(p.Type, ":")+1:]
	problem = strings.TrimSpace(kind + ": " + p.Detail)
	switch kind {
	case "dns":
		advice = "point the name's A and AAAA records to this machine"
	case "connection", "unauthorized", "incorrectResponse", "tls":
		advice = "the authority must reach this machine by the name, on port 80 or 443: look at its A and AAAA records, the firewall, and that those ports lead to --http and --https"
	case "caa":
		advice = "the domain's CAA record allows other authorities only"
	case "rateLimited":
		advice = "the authority has had too many orders; try with --acme staging until all is well"
	case "rejectedIdentifier":
		advice = "the authority gives no certificate for such a name; import one: dropstack edge certificate import"
	case "externalAccountRequired":
		advice = "the authority wants an account that was made elsewhere, which is not supported"
	}
	return problem, advice
}
