package edge

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// snapshot is every distribution at one moment. It never changes.
type snapshot struct {
	stacks  map[string][]Distribution
	aliases map[string]*Distribution // "*.example.com" among them
	other   *Distribution            // the default
}

func (s *Server) snapshot() *snapshot {
	if now := s.current.Load(); now != nil {
		return now
	}
	return &snapshot{}
}

// Replace makes dists the distributions of the stack; none removes them. Either
// all of them take effect, for requests that begin afterwards, or none does. A
// claim on a host name, or on the default, that another stack has made already is
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
		stacks = map[string][]Distribution{}
	}
	delete(stacks, stack)
	if len(dists) > 0 {
		stacks[stack] = slices.Clone(dists)
	}
	next, err := index(stacks)
	if err != nil {
		return err
	}
	s.current.Store(next)
	return nil
}

// index claims host names and the default for each distribution.
func index(stacks map[string][]Distribution) (*snapshot, error) {
	next := &snapshot{stacks: stacks, aliases: map[string]*Distribution{}}
	for _, stack := range slices.Sorted(maps.Keys(stacks)) {
		for i := range stacks[stack] {
			d := &stacks[stack][i]
			for _, alias := range d.Aliases {
				if other := next.aliases[alias]; other != nil {
					return nil, fault.Errorf(fault.Conflict, "host %s is claimed by distribution %q of stack %q and by %q of %q; take it from one of them",
						alias, other.ID, other.Stack, d.ID, d.Stack)
				}
				next.aliases[alias] = d
			}
			if !d.Default {
				continue
			}
			if next.other != nil {
				return nil, fault.Errorf(fault.Conflict, "distribution %q of stack %q and %q of %q are both the default; there is one default on a machine",
					next.other.ID, next.other.Stack, d.ID, d.Stack)
			}
			next.other = d
		}
	}
	return next, nil
}

var (
	hostName   = regexp.MustCompile(`^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	pattern    = regexp.MustCompile(`^[A-Za-z0-9_.*$/~"'@:+&?!(),;=%-]{1,255}$`)
	methods    = []string{"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}
)

// ownBuckets hold the platform's own things: no upload goes there and no origin
// may have an object of them sent.
const ownBuckets = "dropstack-"

// Check says everything that is wrong with the distributions of one stack, as
// fault.Invalid, or fault.Conflict when they contradict each other.
func Check(dists []Distribution) error {
	var faults []error
	ids := map[string]bool{}
	for _, d := range dists {
		if d.ID == "" || d.Stack == "" {
			faults = append(faults, fmt.Errorf("distribution %q has no id or no stack", d.ID))
		}
		if ids[d.ID] {
			faults = append(faults, fmt.Errorf("two distributions have the id %q", d.ID))
		}
		ids[d.ID] = true
		for _, err := range checkDistribution(d) {
			faults = append(faults, fmt.Errorf("distribution %q: %w", d.ID, err))
		}
	}
	if len(faults) > 0 {
		return &fault.Error{Kind: fault.Invalid, Err: errors.Join(faults...)}
	}
	_, err := index(map[string][]Distribution{"": slices.Clone(dists)})
	return err
}

func checkDistribution(d Distribution) (faults []error) {
	add := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(d.Behaviours) == 0 {
		add("it has no behaviours; add one with path \"*\"")
	}
	if len(d.Aliases) == 0 && !d.Default && d.Domain == "" {
		add("no request can reach it; give it aliases or make it the default")
	}
	for _, a := range d.Aliases {
		if !hostName.MatchString(a) || len(a) > 253 {
			add("alias %q is not a host name in lower case, without port", a)
		}
	}
	for _, b := range d.Behaviours {
		if !pattern.MatchString(b.Path) {
			add("path pattern %q must have 1 to 255 characters out of letters, digits and _-.*$/~\"'@:+&?!(),;=%%", b.Path)
		}
		for _, m := range b.Methods {
			if !slices.Contains(methods, m) {
				add("behaviour %q: method %q must be one of %s", b.Path, m, strings.Join(methods, ", "))
			}
		}
		if b.Origin == "" {
			add("behaviour %q names no origin", b.Path)
		}
		if u := b.Upload; u != nil {
			faults = append(faults, checkUpload(b.Path, u)...)
		}
	}
	return faults
}

func checkUpload(path string, u *Upload) (faults []error) {
	add := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("behaviour %q: upload: "+format, append([]any{path}, args...)...))
	}
	if !bucketName.MatchString(u.Bucket) {
		add("bucket %q is not a bucket name (3 to 63 of a-z, 0-9, \".\" and \"-\")", u.Bucket)
	}
	if strings.HasPrefix(u.Bucket, ownBuckets) {
		add("bucket %q is the platform's own", u.Bucket)
	}
	if len(u.Prefix) > 512 || strings.HasPrefix(u.Prefix, "/") || strings.ContainsFunc(u.Prefix, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		add("prefix %q must have at most 512 plain characters and not begin with /", u.Prefix)
	}
	if u.MaxBytes < 0 {
		add("maxBytes is %d; it must not be negative", u.MaxBytes)
	}
	return faults
}

// find returns the distribution of a host name: its own, that of a wildcard one
// label up, or the default.
func (s *snapshot) find(host string) *Distribution {
	if d := s.aliases[host]; d != nil {
		return d
	}
	if _, parent, ok := strings.Cut(host, "."); ok {
		if d := s.aliases["*."+parent]; d != nil {
			return d
		}
	}
	return nil
}

// behaviour returns the first that takes the method and path.
func (d *Distribution) behaviour(method, at string) *Behaviour {
	at = normal(at)
	for i := range d.Behaviours {
		b := &d.Behaviours[i]
		if len(b.Methods) > 0 && !slices.Contains(b.Methods, method) {
			continue
		}
		if p := b.Path; matches(p, at) || p[0] != '/' && p[0] != '*' && matches("/"+p, at) {
			return b
		}
	}
	return nil
}

// normal resolves "." and ".." so that no pattern can be walked around; the
// origin still gets the path as it was sent.
func normal(at string) string {
	if !strings.Contains(at, "/.") && !strings.Contains(at, "//") {
		return at
	}
	clean := path.Clean("/" + at)
	if strings.HasSuffix(at, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}

// matches compares a whole path with a pattern. It goes back to the last star
// only, which is enough because a star takes anything.
func matches(pattern, text string) bool {
	p, t, star, from := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			from++
			p, t = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// hostOf is a Host header as a name: lower case, without port and final dot.
func hostOf(header string) string {
	host := header
	if name, _, err := net.SplitHostPort(header); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
