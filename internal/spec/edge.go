package spec

import (
	"maps"
	"regexp"
	"slices"
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
	r.strict(own, "custom.dropstack", keys{
		"distributions": func(v *node) { r.each(v, "custom.dropstack.distributions", r.distribution) },
		"logs":          func(v *node) { r.each(v, "custom.dropstack.logs", r.logSource) },
		"alerts":        r.alerting,
		"monitors":      func(v *node) { r.each(v, "custom.dropstack.monitors", r.monitor) },
	})
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

// Distribution is one entry of custom.dropstack.distributions.
type Distribution struct {
	Pos         Pos
	Name        string
	Aliases     []string // host names
	Default     bool     // answers hosts that nothing else claims
	Disabled    bool
	Comment     string
	Root        string // object that / stands for
	Origins     []Origin
	Groups      []OriginGroup
	Behaviours  []Behaviour
	Errors      []ErrorPage
	Log         *LogTo
	WebACL      Named // "default", "none", the name of one of this service or an ARN; "": not said
	Certificate *Certificate
	HTTP3       bool
}

// Named is the name of something that deploy.Check knows, and its place.
type Named struct {
	Pos  Pos
	Name string
}

// Behaviour routes a path pattern ("*" and "?" as in CloudFront) to an origin.
type Behaviour struct {
	Pos      Pos
	Path     string
	Methods  []string // empty: all
	Service  string   // whose API answers; with Origin "" too it is this service
	Origin   string   // id of an origin or a group
	Upload   *Upload
	Viewer   string
	Cache    *Cache
	Cached   []string
	Forward  *Forward
	Respond  *Respond
	Signers  []Signer
	MaxBody  int64 `json:",omitzero"` // bytes; 0: as much as the origin takes
	Firewall *Firewall
}

// Firewall is what a behaviour has of its own.
type Firewall struct {
	CRS  bool
	Skip []string
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
		"default":  func(v *node) { d.Default = r.boolean(v, what+".default") },
		"disabled": func(v *node) { d.Disabled = r.boolean(v, what+".disabled") },
		"comment":  func(v *node) { d.Comment = r.str(v, what+".comment") },
		"root":     func(v *node) { d.Root = r.str(v, what+".root") },
		"aliases": func(v *node) {
			for _, a := range r.strings(v, what+".aliases") {
				if a = strings.ToLower(a); !hostName.MatchString(a) {
					r.fail(v.pos, "alias %q is not a host name without scheme, port and path", a)
				}
				d.Aliases = append(d.Aliases, a)
			}
		},
		"origins": func(v *node) {
			r.each(v, what+".origins", func(v *node) { d.Origins = append(d.Origins, r.origin(v)) })
		},
		"originGroups": func(v *node) {
			r.each(v, what+".originGroups", func(v *node) { d.Groups = append(d.Groups, r.originGroup(v)) })
		},
		"behaviours": func(v *node) { r.each(v, what+".behaviours", func(v *node) { r.behaviour(&d, v) }) },
		"errors": func(v *node) {
			r.each(v, what+".errors", func(v *node) { d.Errors = append(d.Errors, r.errorPage(v)) })
		},
		"log":         func(v *node) { d.Log = r.logTo(v) },
		"webACL":      func(v *node) { d.WebACL = Named{v.pos, r.value(v, what+".webACL")} },
		"certificate": func(v *node) { d.Certificate = r.certificate(v) },
		"http3":       func(v *node) { d.HTTP3 = r.boolean(v, what+".http3") },
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
	r.leads(&d)
	r.svc.Distributions = append(r.svc.Distributions, d)
}

// leads looks whether what behaviours and groups name is there.
func (r *reader) leads(d *Distribution) {
	ids := map[string]Pos{}
	for _, o := range d.Origins {
		r.once(ids, o.ID, o.Pos, "origin")
	}
	for _, g := range d.Groups {
		for _, id := range g.Members {
			if _, there := ids[id]; !there {
				r.fail(g.Pos, "origin group %s: there is no origin %q in distribution %s", g.ID, id, d.Name)
			}
		}
	}
	for _, g := range d.Groups {
		r.once(ids, g.ID, g.Pos, "origin")
	}
	for _, b := range d.Behaviours {
		if _, there := ids[b.Origin]; b.Origin != "" && !there {
			r.fail(b.Pos, "behaviour %s: there is no origin %q in distribution %s; its origins are under origins", b.Path, b.Origin, d.Name)
		}
	}
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
		"service": func(v *node) { b.Service = r.serviceOf(v, what+" service") },
		"origin": func(v *node) {
			if b.Origin = r.str(v, what+".origin"); b.Origin == "" {
				r.fail(v.pos, "behaviour.origin is empty; leave it out for this service")
			}
		},
		"upload":  func(v *node) { b.Upload = r.upload(v) },
		"viewer":  func(v *node) { b.Viewer = r.choice(v, what+".viewer", "allow-all", "redirect-to-https", "https-only") },
		"cache":   func(v *node) { b.Cache = r.cache(v) },
		"forward": func(v *node) { b.Forward = r.forward(v) },
		"respond": func(v *node) { b.Respond = r.respond(v) },
		"cached": func(v *node) {
			for _, m := range r.strings(v, what+".cached") {
				if m = strings.ToUpper(m); m != "GET" && m != "HEAD" && m != "OPTIONS" {
					r.fail(v.pos, "behaviour.cached: %s cannot be cached; GET and HEAD are in any case, OPTIONS where it is named", m)
				} else if m == "OPTIONS" {
					b.Cached = append(b.Cached, m)
				}
			}
		},
		"signers": func(v *node) {
			r.each(v, what+".signers", func(v *node) { b.Signers = append(b.Signers, r.signer(v)) })
		},
		"maxBody":  func(v *node) { b.MaxBody = r.size(v, what+".maxBody") },
		"firewall": func(v *node) { b.Firewall = r.firewall(v) },
	})
	if n.kind == object && n.get("path") == nil {
		r.fail(n.pos, "the behaviour has no path")
	}
	if b.Service != "" && b.Origin != "" {
		r.fail(b.Pos, "behaviour %s has both a service and an origin; leave one out", b.Path)
	}
	d.Behaviours = append(d.Behaviours, b)
}

// serviceOf reads the name of a service whose API answers.
func (r *reader) serviceOf(n *node, what string) string {
	name := r.str(n, strings.ReplaceAll(what, " ", "."))
	if !serviceName.MatchString(name) && n.kind != broken {
		r.fail(n.pos, "%s %q is not the name of a service", what, name)
	}
	return name
}

func (r *reader) firewall(n *node) *Firewall {
	const what = "firewall"
	f := &Firewall{}
	r.strict(n, what, keys{
		"crs": func(v *node) { f.CRS = r.boolean(v, what+".crs") },
		"skip": func(v *node) {
			for _, s := range r.strings(v, what+".skip") {
				if part, name, field := strings.Cut(s, "."); !slices.Contains(skippable, part) || field && (part != "body" || name == "") {
					r.fail(v.pos, "firewall.skip: %q is none of %s and body.NAME, a field of a form or of a JSON object", s, strings.Join(skippable, ", "))
				}
				f.Skip = append(f.Skip, s)
			}
		},
	})
	return f
}

// skippable are the parts of a request that a firewall can be told not to look at.
var skippable = []string{"body", "query", "cookies", "headers"}

func (r *reader) upload(n *node) *Upload {
	const what = "upload"
	u := &Upload{}
	r.strict(n, what, keys{
		"bucket": func(v *node) {
			if u.Bucket = r.value(v, what+".bucket"); u.Bucket != "" {
				r.useBucket(u.Bucket, v.pos)
			}
		},
		"prefix":  func(v *node) { u.Prefix = r.str(v, what+".prefix") },
		"maxSize": func(v *node) { u.MaxBytes = r.size(v, what+".maxSize") },
	})
	if n.kind == object && n.get("bucket") == nil {
		r.fail(n.pos, "upload.bucket is missing: where do the bytes go?")
	}
	return u
}
