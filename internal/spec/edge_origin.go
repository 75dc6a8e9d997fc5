package spec

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Origin is where a distribution's answers come from. One of Service, API, Bucket
// and Domain is set; without any it is this service's API.
type Origin struct {
	Pos     Pos
	ID      string
	Service string // whose API answers
	API     string // id of an API
	Bucket  string
	Domain  string
	Path    string // goes before the path of every request

	Protocol            string // of a Domain: http-only, https-only or match-viewer
	HTTPPort, HTTPSPort int    `json:",omitzero"`
	Headers             []Header

	Attempts                           int           `json:",omitzero"`
	ConnectTimeout, Timeout, KeepAlive time.Duration `json:",omitzero"` // 0: not said
}

// Header is a header that the edge sets.
type Header struct {
	Name, Value string
	Override    bool // of responses: in place of the origin's own
}

// OriginGroup asks a second origin when the first fails.
type OriginGroup struct {
	Pos      Pos
	ID       string
	Members  []string
	Statuses []int
}

// ErrorPage is what clients get for an origin's error.
type ErrorPage struct {
	Status int
	Path   string        `json:",omitzero"`
	As     int           `json:",omitzero"` // 0: Status
	TTL    time.Duration // how long the error is stored
}

// LogTo is where a distribution's access log goes.
type LogTo struct {
	Bucket, Prefix string
	Cookies        bool
}

// Certificate is how a distribution proves to be its aliases.
type Certificate struct {
	ID      string // ARN or name of one of the operator's own; "": the platform gets one
	Minimum string // TLSv1.2_2021 ...; "": not said
}

// Times that CloudFront has for errors and origins.
const (
	year         = 365 * day
	errorTTL     = 10 * time.Second
	maxConnect   = 10 * time.Second
	maxAnswer    = 180 * time.Second
	maxKeepAlive = 180 * time.Second
)

func (r *reader) origin(n *node) Origin {
	const what = "origin"
	o := Origin{Pos: n.pos}
	leads := 0
	place := func(read func(*node)) func(*node) {
		return func(v *node) {
			leads++
			read(v)
		}
	}
	r.strict(n, what, keys{
		"id":      func(v *node) { o.ID = r.str(v, what+".id") },
		"service": place(func(v *node) { o.Service = r.serviceOf(v, what+" service") }),
		"api":     place(func(v *node) { o.API = r.value(v, what+".api") }),
		"bucket": place(func(v *node) {
			if o.Bucket = r.value(v, what+".bucket"); o.Bucket != "" {
				r.useBucket(o.Bucket, v.pos)
			}
		}),
		"domain": place(func(v *node) {
			if o.Domain = strings.ToLower(r.value(v, what+".domain")); !hostName.MatchString(o.Domain) {
				r.fail(v.pos, "origin.domain %q is not a host name without scheme, port and path; write url for all of them", o.Domain)
			}
		}),
		"url":  place(func(v *node) { r.originURL(&o, v) }),
		"path": func(v *node) { o.Path = r.originPath(v, r.value(v, what+".path")) },

		"protocol":  func(v *node) { o.Protocol = r.choice(v, what+".protocol", "https-only", "http-only", "match-viewer") },
		"httpPort":  func(v *node) { o.HTTPPort = r.integer(v, what+".httpPort", 1, 65535) },
		"httpsPort": func(v *node) { o.HTTPSPort = r.integer(v, what+".httpsPort", 1, 65535) },
		"headers":   func(v *node) { o.Headers = r.headers(v, what+".headers") },

		"attempts":       func(v *node) { o.Attempts = r.integer(v, what+".attempts", 1, 3) },
		"connectTimeout": func(v *node) { o.ConnectTimeout = r.duration(v, what+".connectTimeout", time.Second, maxConnect) },
		"timeout":        func(v *node) { o.Timeout = r.duration(v, what+".timeout", time.Second, maxAnswer) },
		"keepAlive":      func(v *node) { o.KeepAlive = r.duration(v, what+".keepAlive", time.Second, maxKeepAlive) },
	})
	switch {
	case n.kind != object:
	case o.ID == "":
		r.fail(n.pos, "the origin has no id, by which behaviours name it")
	case leads > 1:
		r.fail(n.pos, "origin %s: it is one of service, api, bucket, domain and url; leave the others out", o.ID)
	case o.Domain == "" && (o.Protocol != "" || o.HTTPPort != 0 || o.HTTPSPort != 0):
		r.fail(n.pos, "origin %s: protocol and ports are those of a domain", o.ID)
	}
	return o
}

// originURL reads a scheme, a host, a port and a path in one.
func (r *reader) originURL(o *Origin, n *node) {
	text := r.value(n, "origin.url")
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || !hostName.MatchString(strings.ToLower(u.Hostname())) || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		r.fail(n.pos, "origin.url %q is not a URL such as https://www.example.com/path, without user and query", text)
		return
	}
	port := 0
	if u.Port() != "" {
		if port, err = strconv.Atoi(u.Port()); err != nil || port < 1 || port > 65535 {
			r.fail(n.pos, "origin.url: %q is no port", u.Port())
		}
	}
	if o.Domain = strings.ToLower(u.Hostname()); u.Scheme == "http" {
		o.Protocol, o.HTTPPort = "http-only", port
	} else {
		o.Protocol, o.HTTPSPort = "https-only", port
	}
	if p := strings.TrimSuffix(u.EscapedPath(), "/"); p != "" {
		o.Path = p
	}
}

func (r *reader) originPath(n *node, path string) string {
	if !strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/") {
		r.fail(n.pos, "origin.path %q must begin with / and not end with one", path)
	}
	return path
}

// headers reads a map of headers, or a list of them with name, value and override.
func (r *reader) headers(n *node, what string) (list []Header) {
	if n.kind == object {
		for _, f := range n.fields {
			list = append(list, Header{Name: f.key, Value: r.value(f.value, what+"."+f.key)})
		}
		return list
	}
	r.each(n, what, func(v *node) {
		var h Header
		r.strict(v, what, keys{
			"name":     func(v *node) { h.Name = r.str(v, what+".name") },
			"value":    func(v *node) { h.Value = r.value(v, what+".value") },
			"override": func(v *node) { h.Override = r.boolean(v, what+".override") },
		})
		list = append(list, h)
	})
	return list
}

func (r *reader) originGroup(n *node) OriginGroup {
	const what = "origin group"
	g := OriginGroup{Pos: n.pos}
	r.strict(n, what, keys{
		"id":      func(v *node) { g.ID = r.str(v, what+".id") },
		"members": func(v *node) { g.Members = r.strings(v, what+".members") },
		"statuses": func(v *node) {
			r.each(v, what+".statuses", func(v *node) { g.Statuses = append(g.Statuses, r.integer(v, what+".statuses", 400, 599)) })
		},
	})
	if n.kind == object && (g.ID == "" || len(g.Members) != 2 || len(g.Statuses) == 0) {
		r.fail(n.pos, "an origin group has an id, two members and the statuses of the first at which the second is asked")
	}
	return g
}

func (r *reader) errorPage(n *node) ErrorPage {
	const what = "error page"
	e := ErrorPage{TTL: errorTTL}
	r.strict(n, what, keys{
		"status": func(v *node) { e.Status = r.integer(v, what+".status", 400, 599) },
		"path": func(v *node) {
			if e.Path = r.str(v, what+".path"); !strings.HasPrefix(e.Path, "/") {
				r.fail(v.pos, "error page path %q must begin with /", e.Path)
			}
		},
		"as":  func(v *node) { e.As = r.integer(v, what+".as", 200, 599) },
		"ttl": func(v *node) { e.TTL = r.duration(v, what+".ttl", 0, year) },
	})
	if n.kind == object && e.Status == 0 {
		r.fail(n.pos, "the error page has no status: which error is it for?")
	}
	if e.As != 0 && e.Path == "" {
		r.fail(n.pos, "error page: as goes with a path")
	}
	return e
}

// logTo reads a bucket, or {bucket, prefix, cookies}.
func (r *reader) logTo(n *node) *LogTo {
	const what = "log"
	to := &LogTo{}
	bucket := func(v *node) {
		if to.Bucket = r.value(v, what+".bucket"); to.Bucket != "" {
			r.useBucket(to.Bucket, v.pos)
		}
	}
	if n.scalar() || isIntrinsic(n) {
		bucket(n)
		return to
	}
	r.strict(n, what, keys{
		"bucket":  bucket,
		"prefix":  func(v *node) { to.Prefix = r.value(v, what+".prefix") },
		"cookies": func(v *node) { to.Cookies = r.boolean(v, what+".cookies") },
	})
	if n.kind == object && n.get("bucket") == nil {
		r.fail(n.pos, "log.bucket is missing: where do the records go?")
	}
	return to
}

// certificate reads an id, or {id, minimum}.
func (r *reader) certificate(n *node) *Certificate {
	const what = "certificate"
	if n.scalar() || isIntrinsic(n) {
		return &Certificate{ID: r.value(n, what)}
	}
	c := &Certificate{}
	r.strict(n, what, keys{
		"id":      func(v *node) { c.ID = r.value(v, what+".id") },
		"minimum": func(v *node) { c.Minimum = r.str(v, what+".minimum") },
	})
	return c
}
