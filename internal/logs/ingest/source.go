package ingest

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// Source is objects that are imported as they come.
type Source struct {
	Bucket string `json:"bucket"`
	Prefix string `json:"prefix,omitempty"` // of their keys
	Format string `json:"format,omitempty"` // one of Formats; "" and Auto: by the first line
	Group  string `json:"group,omitempty"`  // of the records; "": what the format says
}

// sources is what all stacks together want. It never changes.
type sources struct {
	stacks  map[string][]Source
	buckets map[string][]Source // the longest prefix first
}

var (
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	groupText  = regexp.MustCompile(`^[A-Za-z0-9_./#-]{1,512}$`)
)

// Check refuses what no source can be.
func Check(list []Source) error {
	seen := map[[2]string]bool{}
	for _, s := range list {
		switch at := [2]string{s.Bucket, s.Prefix}; {
		case !bucketName.MatchString(s.Bucket):
			return fault.Errorf(fault.Invalid, "logs: bucket %q is not a bucket name (3 to 63 of a-z, 0-9, \".\" and \"-\")", s.Bucket)
		case len(s.Prefix) > 1024:
			return fault.Errorf(fault.Invalid, "logs: the prefix of bucket %s is longer than a key", s.Bucket)
		case s.Group != "" && !groupText.MatchString(s.Group):
			return fault.Errorf(fault.Invalid, "logs: group %q: 1 to 512 letters, digits and _ - / . #", s.Group)
		case seen[at]:
			return fault.Errorf(fault.Invalid, "logs: bucket %s and prefix %q stand there twice", s.Bucket, s.Prefix)
		default:
			seen[at] = true
		}
		if err := checkFormat(s.Format); err != nil {
			return fault.Errorf(fault.Invalid, "logs: bucket %s: %w", s.Bucket, err)
		}
	}
	return nil
}

// Replace makes list what the stack wants, instead of what it wanted before; an empty
// list takes the stack away. One that Check refuses changes nothing.
func (im *Importer) Replace(stack string, list []Source) error {
	if err := Check(list); err != nil {
		return err
	}
	im.change.Lock()
	defer im.change.Unlock()
	next := &sources{stacks: map[string][]Source{}, buckets: map[string][]Source{}}
	if old := im.current.Load(); old != nil {
		maps.Copy(next.stacks, old.stacks)
	}
	next.stacks[stack] = slices.Clone(list)
	if len(list) == 0 {
		delete(next.stacks, stack)
	}
	for _, name := range slices.Sorted(maps.Keys(next.stacks)) {
		for _, s := range next.stacks[name] {
			next.buckets[s.Bucket] = append(next.buckets[s.Bucket], s)
		}
	}
	for _, list := range next.buckets {
		slices.SortStableFunc(list, func(a, b Source) int { return cmp.Compare(len(b.Prefix), len(a.Prefix)) })
	}
	im.current.Store(next)
	return nil
}

// source is the one that an object belongs to.
func (im *Importer) source(bucket, key string) (Source, bool) {
	now := im.current.Load()
	if now == nil {
		return Source{}, false
	}
	for _, s := range now.buckets[bucket] {
		if strings.HasPrefix(key, s.Prefix) {
			return s, true
		}
	}
	return Source{}, false
}
