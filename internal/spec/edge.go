package spec

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	distributionName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]*$`)
	hostName         = regexp.MustCompile(`^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
)

// custom reads custom.dropstack, and what plugins are told that the platform does
// the work of; everything else there is the author's.
func (r *reader) custom(n *node) {
	if !r.is(n, object, "custom") {
		return
	}
	r.prune(n)
	own := r.vars.resolve(n.get("dropstack"))
	if own == nil || own.kind == null {
		return
	}
	r.strict(own, "custom.dropstack", keys{"distributions": func(v *node) {
		r.each(v, "custom.dropstack.distributions", r.distribution)
	}})
}

// strict is object where a misspelt key is a problem.
func (r *reader) strict(n *node, what string, known keys) {
	if n.kind == object {
		for _, f := range n.fields {
			if _, ok := known[f.key]; !ok {
				r.fail(f.pos, "%s has no key %q; known are %s", what, f.key, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
			}
		}
		n = &node{pos: n.pos, kind: object, fields: slices.DeleteFunc(slices.Clone(n.fields), func(f field) bool {
			_, ok := known[f.key]
			return !ok
		})}
	}
	r.object(n, what, known, effects{})
}

func (r *reader) distribution(n *node) {
	const what = "distribution"
	d := Distribution{Pos: n.pos}
	r.strict(n, what, keys{
		"name": func(v *node) {
			if d.Name = r.str(v, what+".name"); !distributionName.MatchString(d.Name) {
				r.fail(v.pos, "distribution name %q: letters, digits, _ and - only", d.Name)
			}
		},
		"default": func(v *node) { d.Default = r.boolean(v, what+".default") },
		"aliases": func(v *node) {
			for _, a := range r.strings(v, what+".aliases") {
				if a = strings.ToLower(a); !hostName.MatchString(a) {
					r.fail(v.pos, "alias %q is not a host name without scheme, port and path", a)
				}
				d.Aliases = append(d.Aliases, a)
			}
		},
		"behaviours": func(v *node) { r.each(v, what+".behaviours", func(v *node) { r.behaviour(&d, v) }) },
	})
	if n.kind != object {
		return
	}
	if d.Name == "" && n.get("name") == nil {
		r.fail(n.pos, "the distribution has no name")
	}
	if len(d.Behaviours) == 0 && (n.get("behaviours") == nil || n.get("behaviours").kind == list) {
		r.fail(n.pos, `the distribution has no behaviours; "- path: '*'" sends everything to this service`)
	}
	r.svc.Distributions = append(r.svc.Distributions, d)
}

func (r *reader) behaviour(d *Distribution, n *node) {
	const what = "behaviour"
	b := Behaviour{Pos: n.pos}
	r.strict(n, what, keys{
		"path": func(v *node) {
			if b.Path = r.str(v, what+".path"); !strings.HasPrefix(b.Path, "/") && !strings.HasPrefix(b.Path, "*") {
				r.fail(v.pos, "behaviour path %q must begin with / or *", b.Path)
			}
		},
		"methods": func(v *node) {
			for _, m := range r.strings(v, what+".methods") {
				if m = strings.ToUpper(m); m == "ANY" || !slices.Contains(methods, m) {
					r.fail(v.pos, "behaviour method %q is none of %s; leave methods out for all", m, strings.Join(methods[1:], ", "))
				}
				b.Methods = append(b.Methods, m)
			}
		},
		"service": func(v *node) {
			if b.Service = r.str(v, what+".service"); !serviceName.MatchString(b.Service) {
				r.fail(v.pos, "behaviour service %q is not the name of a service", b.Service)
			}
		},
		"upload": func(v *node) { b.Upload = r.upload(v) },
	})
	if n.kind == object && n.get("path") == nil {
		r.fail(n.pos, "the behaviour has no path")
	}
	d.Behaviours = append(d.Behaviours, b)
}

func (r *reader) upload(n *node) *Upload {
	const what = "upload"
	u := &Upload{}
	r.strict(n, what, keys{
		"bucket": func(v *node) {
			if u.Bucket = r.value(v, what+".bucket"); u.Bucket != "" {
				r.useBucket(u.Bucket, v.pos)
			}
		},
		"prefix": func(v *node) { u.Prefix = r.str(v, what+".prefix") },
		"maxSize": func(v *node) {
			size, err := parseSize(r.str(v, what+".maxSize"))
			if err != nil {
				r.fail(v.pos, "upload.maxSize: %v", err)
			}
			u.MaxBytes = size
		},
	})
	if n.kind == object && n.get("bucket") == nil {
		r.fail(n.pos, "upload.bucket is missing: where do the bytes go?")
	}
	return u
}

var size = regexp.MustCompile(`^(\d+)\s*(B|KB|MB|GB|TB)?$`)

// parseSize reads a number of bytes such as "5 GB"; 1 KB is 1024 bytes, as in the
// limits that AWS states.
func parseSize(s string) (int64, error) {
	m := size.FindStringSubmatch(strings.ToUpper(strings.TrimSpace(s)))
	if m == nil {
		return 0, fmt.Errorf("%q is not a size such as 5 GB, 200 MB or 1048576", s)
	}
	shift := map[string]uint{"KB": 10, "MB": 20, "GB": 30, "TB": 40}[m[2]]
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil || n < 1 || n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("%q is out of range; leave maxSize out for no limit", s)
	}
	return n << shift, nil
}
