package deploy

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/accesslog"
	"github.com/dropstack/dropstack/internal/edge/waf"
	"github.com/dropstack/dropstack/internal/fault"
)

// front moves the edge from old to next. While it does, the web ACLs of both are
// there, so that no request meets a distribution whose web ACL is gone or not there
// yet.
func (d *Deployer) front(old, next *Revision) error {
	acls, sets, patterns := next.WebACLs, next.IPSets, next.PatternSets
	if old != nil {
		acls = withGone(acls, old.WebACLs, func(a waf.WebACL) string { return a.ARN })
		sets = withGone(sets, old.IPSets, func(s waf.IPSet) string { return s.ARN })
		patterns = withGone(patterns, old.PatternSets, func(s waf.RegexPatternSet) string { return s.ARN })
	}
	guard := d.Rooms.Firewall
	if guard != nil {
		if err := guard.Replace(next.Stack, acls, sets, patterns); err != nil {
			return fmt.Errorf("web ACLs: %w", err)
		}
	}
	if err := d.Rooms.Edge.Replace(next.Stack, next.Distributions); err != nil {
		return fmt.Errorf("distributions: %w", err)
	}
	if more := len(acls)+len(sets)+len(patterns) > len(next.WebACLs)+len(next.IPSets)+len(next.PatternSets); more && guard != nil {
		if err := guard.Replace(next.Stack, next.WebACLs, next.IPSets, next.PatternSets); err != nil {
			return fmt.Errorf("web ACLs: %w", err)
		}
	}
	if d.Rooms.AccessReaders == nil {
		return nil
	}
	if err := d.Rooms.AccessReaders.Replace(next.Stack, next.AccessReaders); err != nil {
		return fmt.Errorf("readers of access records: %w", err)
	}
	return nil
}

// withGone are the things of next, then those that only old has.
func withGone[T any](next, old []T, name func(T) string) []T {
	all := slices.Clone(next)
	for _, was := range old {
		if !slices.ContainsFunc(next, func(is T) bool { return name(is) == name(was) }) {
			all = append(all, was)
		}
	}
	return all
}

// checkFirewall refuses distributions and APIs whose web ACL does not exist, web ACLs that
// others still need, and readers that cannot be.
func (d *Deployer) checkFirewall(r *Revision) error {
	for who, acl := range r.webACLs() {
		if !d.hasWebACL(r, acl) {
			return fault.Coded(fault.Invalid, "WAFNonexistentItemException", "%s: there is no web ACL %s; deploy the stack that declares it first", who, acl)
		}
	}
	if guard := d.Rooms.Firewall; guard != nil {
		if err := guard.Admit(r.Stack, r.WebACLs, r.IPSets, r.PatternSets); err != nil {
			return err
		}
	}
	for _, reader := range r.AccessReaders {
		if err := checkReader(reader); err != nil {
			return err
		}
	}
	return d.keptWebACLs(r)
}

// webACLs are the web ACLs that distributions and APIs have, but for the platform's
// own, with who has them.
func (r *Revision) webACLs() iter.Seq2[string, string] {
	return func(yield func(who, acl string) bool) {
		for _, d := range r.Distributions {
			if d.WebACL != "" && d.WebACL != edge.DefaultWebACL && !yield(fmt.Sprintf("distribution %q", d.ID), d.WebACL) {
				return
			}
		}
		for _, api := range r.APIs {
			if api.WebACL != "" && !yield(fmt.Sprintf("API %q", api.Name), api.WebACL) {
				return
			}
		}
	}
}

// hasWebACL tells whether r, or another stack, has a web ACL.
func (d *Deployer) hasWebACL(r *Revision, at string) bool {
	is := func(a waf.WebACL) bool { return a.ARN == at }
	if slices.ContainsFunc(r.WebACLs, is) {
		return true
	}
	for stack, other := range d.List() {
		if stack != r.Stack && slices.ContainsFunc(other.WebACLs, is) {
			return true
		}
	}
	return false
}

// keptWebACLs refuses a revision without a web ACL that another stack has.
func (d *Deployer) keptWebACLs(r *Revision) error {
	old, ok := d.Active(r.Stack)
	if !ok {
		return nil
	}
	for _, acl := range old.WebACLs {
		if slices.ContainsFunc(r.WebACLs, func(a waf.WebACL) bool { return a.ARN == acl.ARN }) {
			continue
		}
		for stack, other := range d.List() {
			if stack == r.Stack {
				continue
			}
			for who, has := range other.webACLs() {
				if has == acl.ARN {
					return fault.Coded(fault.Conflict, "WAFAssociatedItemException", "web ACL %q of stack %q is that of %s of stack %q; give that one another first", acl.Name, r.Stack, who, stack)
				}
			}
		}
	}
	return nil
}

const (
	maxReaderBatch  = 10_000
	maxReaderWindow = 5 * time.Minute
)

func checkReader(r accesslog.Reader) error {
	a, err := arn.Parse(r.Function)
	if err != nil || a.Service != "lambda" || !strings.HasPrefix(a.Resource, "function:") || r.ID == "" {
		return fault.Coded(fault.Invalid, "ValidationException", "a reader of access records has an id and the ARN of a function, not %q and %q", r.ID, r.Function)
	}
	if r.Batch < 0 || r.Batch > maxReaderBatch || r.Window < 0 || r.Window > maxReaderWindow {
		return fault.Coded(fault.Invalid, "ValidationException", "function %s reads batches of at most %d access records that wait for at most %s, not of %d and %s",
			r.Function, maxReaderBatch, maxReaderWindow, r.Batch, r.Window)
	}
	return nil
}
