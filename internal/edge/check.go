package edge

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

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
	var sites []*site
	for i := range dists {
		sites = append(sites, &site{Distribution: &dists[i]})
	}
	_, err := index(map[string][]*site{"": sites})
	return err
}

func checkDistribution(d Distribution) (faults []error) {
	add := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(d.Behaviours) == 0 {
		add("it has no behaviours; add one with path \"*\"")
	}
	if len(d.Aliases) == 0 && d.Domain == "" && !d.Default {
		add("no request can reach it; give it aliases or make it the default")
	}
	for _, a := range d.Aliases {
		if !hostName.MatchString(a) || len(a) > 253 {
			add("alias %q is not a host name in lower case, without port", a)
		}
	}
	if d.Log != nil {
		d.Log.check(add)
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
