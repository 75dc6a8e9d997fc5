package edge

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// snapshot is every distribution at one moment. It never changes.
type snapshot struct {
	stacks map[string][]*site
	ids    map[string]*site
	hosts  map[string]*site // "*.example.com" among them
	other  *site            // the default
	guards []*site          // those with a web ACL
}

func (s *Server) snapshot() *snapshot {
	if now := s.current.Load(); now != nil {
		return now
	}
	return &snapshot{}
}

// Replace makes dists the distributions of the stack; none removes them. Either
// all of them take effect, for requests that begin afterwards, or none does. A
// claim on an id, a host name, or the default, that another stack has made already is
// fault.Conflict.
func (s *Server) Replace(stack string, dists []Distribution) error {
	if err := Check(dists); err != nil {
		return err
	}
	for _, d := range dists {
		if d.Stack != stack {
			return fault.Errorf(fault.Invalid, "distribution %q is of stack %q, not of %q", d.ID, d.Stack, stack)
		}
	}
	s.replacing.Lock()
	defer s.replacing.Unlock()
	stacks := maps.Clone(s.snapshot().stacks)
	if stacks == nil {
		stacks = map[string][]*site{}
	}
	old := stacks[stack]
	delete(stacks, stack)
	for i := range dists {
		stacks[stack] = append(stacks[stack], s.open(dists[i]))
	}
	next, err := index(stacks)
	if err != nil {
		return err
	}
	s.current.Store(next)
	for _, was := range old {
		was.close() // requests in flight keep what they have
	}
	return nil
}

// index claims ids, host names and the default for each distribution.
func index(stacks map[string][]*site) (*snapshot, error) {
	next := &snapshot{stacks: stacks, ids: map[string]*site{}, hosts: map[string]*site{}}
	for _, stack := range slices.Sorted(maps.Keys(stacks)) {
		for _, d := range stacks[stack] {
			if err := next.claim(d); err != nil {
				return nil, err
			}
		}
	}
	return next, nil
}

func (s *snapshot) claim(d *site) error {
	if other := s.ids[d.ID]; other != nil { // what is stored belongs to an id
		return fault.Errorf(fault.Conflict, "distribution %q of stack %q has the same id as that of stack %q; give one of them another name", d.ID, d.Stack, other.Stack)
	}
	s.ids[d.ID] = d
	if d.WebACL != "" && !d.Disabled {
		s.guards = append(s.guards, d)
	}
	names := d.Aliases
	if d.Domain != "" {
		names = append(names[:len(names):len(names)], d.Domain)
	}
	for _, name := range names {
		if other := s.hosts[name]; other != nil {
			return fault.Errorf(fault.Conflict, "host %s is claimed by distribution %q of stack %q and by %q of %q; take it from one of them",
				name, other.ID, other.Stack, d.ID, d.Stack)
		}
		s.hosts[name] = d
	}
	if !d.Default {
		return nil
	}
	if s.other != nil {
		return fault.Errorf(fault.Conflict, "distribution %q of stack %q and %q of %q are both the default; there is one default on a machine",
			s.other.ID, s.other.Stack, d.ID, d.Stack)
	}
	s.other = d
	return nil
}

// find returns the distribution of a host name: its own, or that of a wildcard one
// label up.
func (s *snapshot) find(host string) *site {
	if d := s.hosts[host]; d != nil {
		return d
	}
	if _, parent, ok := strings.Cut(host, "."); ok {
		if d := s.hosts["*."+parent]; d != nil {
			return d
		}
	}
	return nil
}

// Invalidate forgets what is stored of a distribution under the paths. A path begins
// with a slash and may end in "*", which is anything; case and query count.
func (s *Server) Invalidate(ctx context.Context, distribution string, paths []string) error {
	if s.snapshot().ids[distribution] == nil {
		return fault.Coded(fault.NotFound, "NoSuchDistribution", "The specified distribution does not exist: %s", distribution)
	}
	for _, p := range paths {
		if !strings.HasPrefix(p, "/") || strings.Contains(strings.TrimSuffix(p, "*"), "*") {
			return fault.Coded(fault.Invalid, "InvalidArgument", "Your request contains a path that is not valid: %q must begin with / and may have one * at its end", p)
		}
	}
	if s.Cache == nil {
		return nil // nothing is stored
	}
	return s.Cache.Invalidate(ctx, distribution, paths)
}
