package edge

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

var (
	hostName   = regexp.MustCompile(`^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	pathText   = regexp.MustCompile(`^[A-Za-z0-9_.*$/~"'@:+&?!(),;=%-]{1,255}$`)
	methods    = []string{"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}
)

// ownBuckets hold the platform's own things: no upload goes there and no origin
// may have an object of them sent.
const ownBuckets = "dropstack-"

// year bounds every time that something is stored for.
const year = 365 * 24 * time.Hour

// minimumTLS is CloudFront's names of security policies.
var minimumTLS = []string{
	"", "SSLv3", "TLSv1", "TLSv1_2016", "TLSv1.1_2016", "TLSv1.2_2018", "TLSv1.2_2019", "TLSv1.2_2021", "TLSv1.2_2025", "TLSv1.3_2025",
}

// complaints are faults of one part of a distribution.
type complaints struct {
	at     string
	faults []error
}

func (c *complaints) add(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	if c.at != "" {
		err = fmt.Errorf("%s: %w", c.at, err)
	}
	c.faults = append(c.faults, err)
}

// of complains about a part.
func (c *complaints) of(format string, args ...any) *complaints {
	at := fmt.Sprintf(format, args...)
	if c.at != "" {
		at = c.at + ": " + at
	}
	return &complaints{at: at}
}

func (c *complaints) take(part *complaints) { c.faults = append(c.faults, part.faults...) }

// Check says everything that is wrong with the distributions of one stack, as
// fault.Invalid, or fault.Conflict when they contradict each other.
func Check(dists []Distribution) error {
	var all complaints
	ids := map[string]bool{}
	for i := range dists {
		d := &dists[i]
		if d.ID == "" || d.Stack == "" {
			all.add("distribution %q has no id or no stack", d.ID)
		}
		if ids[d.ID] {
			all.add("two distributions have the id %q", d.ID)
		}
		ids[d.ID] = true
		c := all.of("distribution %q", d.ID)
		d.check(c)
		all.take(c)
	}
	if len(all.faults) > 0 {
		return &fault.Error{Kind: fault.Invalid, Err: errors.Join(all.faults...)}
	}
	var sites []*site
	for i := range dists {
		sites = append(sites, &site{Distribution: &dists[i]})
	}
	_, err := index(map[string][]*site{"": sites})
	return err
}

func (d *Distribution) check(c *complaints) {
	if len(d.Behaviours) == 0 {
		c.add("it has no behaviours; add one with path \"*\"")
	}
	if len(d.Aliases) == 0 && d.Domain == "" && !d.Default {
		c.add("no request can reach it; give it aliases or make it the default")
	}
	for _, a := range d.Aliases {
		if !hostName.MatchString(a) || len(a) > 253 {
			c.add("alias %q is not a host name in lower case, without port", a)
		}
	}
	if d.Domain != "" && (!hostName.MatchString(d.Domain) || strings.HasPrefix(d.Domain, "*")) {
		c.add("domain %q is not a host name in lower case, without port", d.Domain)
	}
	if strings.HasPrefix(d.Root, "/") || len(d.Root) > 255 || control(d.Root) {
		c.add("root %q must be the name of an object without a slash at its beginning, such as index.html", d.Root)
	}
	origins := d.checkOrigins(c)
	for i := range d.Behaviours {
		b := &d.Behaviours[i]
		part := c.of("behaviour %q", b.Path)
		b.check(part, origins)
		c.take(part)
	}
	d.checkErrors(c)
	if d.Log != nil {
		d.Log.check(c.add)
	}
	if cert := d.Certificate; cert != nil && !slices.Contains(minimumTLS, cert.Minimum) {
		c.add("certificate: minimum %q must be one of%s", cert.Minimum, strings.Join(minimumTLS, " "))
	}
}

func (d *Distribution) checkErrors(c *complaints) {
	seen := map[int]bool{}
	for _, e := range d.Errors {
		switch {
		case e.Status < 400 || e.Status > 599:
			c.add("errors: status %d must be from 400 to 599", e.Status)
		case seen[e.Status]:
			c.add("errors: status %d is there twice", e.Status)
		}
		seen[e.Status] = true
		if e.Path != "" && (e.Path[0] != '/' || control(e.Path)) {
			c.add("errors: the page of %d, %q, must be a path that begins with /", e.Status, e.Path)
		}
		if e.As != 0 && (e.Path == "" || e.As != 200 && (e.As < 400 || e.As > 599)) {
			c.add("errors: %d cannot become %d; with a page it may become 200 or 400 to 599", e.Status, e.As)
		}
		if e.TTL < 0 || e.TTL > year {
			c.add("errors: %d cannot be stored for %v; at most a year", e.Status, e.TTL)
		}
	}
}

// checkOrigins returns what behaviours may name: false is what is no API of this
// platform.
func (d *Distribution) checkOrigins(c *complaints) map[string]bool {
	names := map[string]bool{}
	for i := range d.Origins {
		o := &d.Origins[i]
		part := c.of("origin %q", o.ID)
		if _, twice := names[o.ID]; twice || o.ID == "" {
			part.add("every origin needs an id of its own")
		}
		names[o.ID] = o.Stack != "" || o.API != "" || o.URL != ""
		o.check(part)
		c.take(part)
	}
	groups := map[string]bool{}
	for _, g := range d.Groups {
		part := c.of("origin group %q", g.ID)
		_, taken := names[g.ID]
		if taken || groups[g.ID] || g.ID == "" {
			part.add("every group needs an id of its own, which no origin has")
		}
		if len(g.Members) != 2 || g.Members[0] == g.Members[1] {
			part.add("it needs two different members")
		}
		for _, m := range g.Members {
			if _, ok := names[m]; !ok {
				part.add("its member %q is not among the distribution's origins", m)
			}
		}
		if len(g.Statuses) == 0 {
			part.add("it needs statuses at which the second origin is asked, such as 500, 502, 503 and 504")
		}
		for _, s := range g.Statuses {
			if !slices.Contains([]int{400, 403, 404, 416, 429, 500, 502, 503, 504}, s) {
				part.add("status %d must be one of 400, 403, 404, 416, 429, 500, 502, 503 and 504", s)
			}
		}
		groups[g.ID] = true
		c.take(part)
	}
	for id := range groups {
		names[id] = false
	}
	return names
}

func (o *Origin) check(c *complaints) {
	kinds := 0
	for _, set := range []string{o.Stack, o.API, o.URL, o.Bucket, o.Domain} {
		if set != "" {
			kinds++
		}
	}
	if kinds != 1 {
		c.add("it must be exactly one of a stack, an API, a function URL, a bucket and a domain")
	}
	if o.Bucket != "" {
		checkBucket(c, "origin", o.Bucket, "")
	}
	if _, err := netip.ParseAddr(o.Domain); o.Domain != "" && err != nil && (!hostName.MatchString(o.Domain) || o.Domain[0] == '*' || len(o.Domain) > 253) {
		c.add("domain %q is not a host name in lower case; its scheme goes into protocol, its port into httpPort or httpsPort, and a path into path", o.Domain)
	}
	if o.Path != "" && (o.Path[0] != '/' || strings.HasSuffix(o.Path, "/") || control(o.Path) || strings.ContainsAny(o.Path, "?#")) {
		c.add("path %q must begin with / and not end with it", o.Path)
	}
	if !slices.Contains([]string{"", HTTPOnly, HTTPSOnly, MatchViewer}, o.Protocol) {
		c.add("protocol %q must be %s, %s or %s", o.Protocol, HTTPOnly, HTTPSOnly, MatchViewer)
	}
	for name, port := range map[string]int{"httpPort": o.HTTPPort, "httpsPort": o.HTTPSPort} {
		if port < 0 || port > 65535 {
			c.add("%s %d must be from 1 to 65535", name, port)
		}
	}
	if o.Attempts < 0 || o.Attempts > 3 {
		c.add("attempts %d must be from 1 to 3", o.Attempts)
	}
	for _, t := range []struct {
		name     string
		is, most time.Duration
	}{{"connectTimeout", o.ConnectTimeout, 10 * time.Second}, {"timeout", o.Timeout, 180 * time.Second}, {"keepAlive", o.KeepAlive, 180 * time.Second}} {
		if t.is != 0 && (t.is < time.Second || t.is > t.most) {
			c.add("%s %v must be from 1s to %v", t.name, t.is, t.most)
		}
	}
	for _, h := range o.Headers {
		checkHeader(c, h, reservedForOrigins)
	}
}

func checkBucket(c *complaints, what, bucket, prefix string) {
	if !bucketName.MatchString(bucket) {
		c.add("%s: bucket %q is not a bucket name (3 to 63 of a-z, 0-9, \".\" and \"-\")", what, bucket)
	}
	if strings.HasPrefix(bucket, ownBuckets) {
		c.add("%s: bucket %q is the platform's own", what, bucket)
	}
	if len(prefix) > 512 || strings.HasPrefix(prefix, "/") || control(prefix) {
		c.add("%s: prefix %q must have at most 512 plain characters and not begin with /", what, prefix)
	}
}

func control(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
