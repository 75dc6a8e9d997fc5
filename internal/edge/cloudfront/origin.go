package cloudfront

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/edge"
)

func (t *translation) origins(out *edge.Distribution, c *config) {
	if len(c.Origins) == 0 {
		t.fail(inConfig+".Origins", "it is required")
	}
	for i, o := range c.Origins {
		at := fmt.Sprintf("%s.Origins[%d]", inConfig, i)
		if t.need(at+".Id", o.Id) && slices.ContainsFunc(out.Origins, func(other edge.Origin) bool { return other.ID == o.Id }) {
			t.fail(at+".Id", "there are two origins %q", o.Id)
		}
		out.Origins = append(out.Origins, t.origin(o, at))
	}
	for i, g := range c.OriginGroups.Items {
		t.group(out, g, fmt.Sprintf("%s.OriginGroups.Items[%d]", inConfig, i))
	}
}

func (t *translation) group(out *edge.Distribution, g originGroup, at string) {
	t.need(at+".Id", g.Id)
	group := edge.OriginGroup{ID: g.Id, Statuses: g.FailoverCriteria.StatusCodes.Items}
	for i, m := range g.Members.Items {
		if !slices.ContainsFunc(out.Origins, func(o edge.Origin) bool { return o.ID == m.OriginId }) {
			t.fail(fmt.Sprintf("%s.Members.Items[%d].OriginId", at, i), "there is no origin %q under Origins", m.OriginId)
		}
		group.Members = append(group.Members, m.OriginId)
	}
	if len(group.Members) != 2 {
		t.fail(at+".Members", "it must have two origins, not %d", len(group.Members))
	}
	if len(group.Statuses) == 0 {
		t.fail(at+".FailoverCriteria.StatusCodes", "it is required")
	}
	if g.SelectionCriteria != "" && g.SelectionCriteria != "default" {
		t.idle(at+".SelectionCriteria", "the second origin is asked when the first fails")
	}
	out.Groups = append(out.Groups, group)
}

// Hosts of what this platform itself answers for, as Amazon has them and as they
// are called here; a port is the platform's own.
var (
	apiHost = regexp.MustCompile(`^([a-z0-9]+)\.execute-api\.[a-z0-9-]+\.(?:amazonaws\.com|localhost)$`)
	urlHost = regexp.MustCompile(`^([a-z0-9]+)\.lambda-url\.[a-z0-9-]+\.on\.(?:aws|localhost)$`)
)

func (t *translation) origin(o origin, at string) edge.Origin {
	out := edge.Origin{
		ID: o.Id, Path: o.OriginPath, ConnectTimeout: t.between(at+".ConnectionTimeout", o.ConnectionTimeout, 1, 10),
		Attempts: int(t.between(at+".ConnectionAttempts", o.ConnectionAttempts, 1, 3) / time.Second),
	}
	for i, h := range o.OriginCustomHeaders {
		t.need(fmt.Sprintf("%s.OriginCustomHeaders[%d].HeaderName", at, i), h.HeaderName)
		out.Headers = append(out.Headers, edge.Header{Name: h.HeaderName, Value: h.HeaderValue})
	}
	if p := o.OriginPath; p != "" && (!strings.HasPrefix(p, "/") || strings.HasSuffix(p, "/")) {
		t.fail(at+".OriginPath", "%q must begin with / and not end with one", p)
	}
	t.refuse(at+".VpcOriginConfig", o.VpcOriginConfig, "it leads nowhere here: let a function in the network ask")
	if !t.need(at+".DomainName", o.DomainName) {
		return out
	}
	host := strings.ToLower(o.DomainName)
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	bucket, website, _ := bucketOf(host)
	switch api, url := apiHost.FindStringSubmatch(host), urlHost.FindStringSubmatch(host); {
	case api != nil:
		out.API = api[1]
	case url != nil:
		out.URL = url[1]
	case bucket != "":
		if out.Bucket = bucket; website {
			t.idle(at+".DomainName", "a bucket is served as it is: its index and error documents are said by DefaultRootObject and CustomErrorResponses")
		}
	default:
		t.elsewhere(&out, o, at)
	}
	return out
}

// elsewhere is an origin that is not ours.
func (t *translation) elsewhere(out *edge.Origin, o origin, at string) {
	out.Domain = strings.ToLower(o.DomainName)
	c := o.CustomOriginConfig
	if c == nil {
		return
	}
	inside := at + ".CustomOriginConfig"
	out.HTTPPort, out.HTTPSPort, out.Protocol = c.HTTPPort, c.HTTPSPort, c.OriginProtocolPolicy
	if p := c.OriginProtocolPolicy; p != edge.HTTPOnly && p != edge.HTTPSOnly && p != edge.MatchViewer {
		t.fail(inside+".OriginProtocolPolicy", "%q is none of http-only, https-only, match-viewer", p)
	}
	if max(c.HTTPPort, c.HTTPSPort) > 65535 || min(c.HTTPPort, c.HTTPSPort) < 0 {
		t.fail(inside+".HTTPPort", "ports are from 1 to 65535, not %d and %d", c.HTTPPort, c.HTTPSPort)
	}
	out.Timeout = t.between(inside+".OriginReadTimeout", c.OriginReadTimeout, 1, 180)
	out.KeepAlive = t.between(inside+".OriginKeepaliveTimeout", c.OriginKeepaliveTimeout, 1, 180)
	t.refuse(inside+".OriginMtlsConfig", c.OriginMtlsConfig, "the edge would have no certificate to show")
}

// between is a number of seconds from lo to hi; 0 when nothing is said.
func (t *translation) between(path string, n *int64, lo, hi int64) time.Duration {
	if n == nil {
		return 0
	}
	if *n < lo || *n > hi {
		t.fail(path, "it must be a whole number from %d to %d, not %d", lo, hi, *n)
		return 0
	}
	return time.Duration(*n) * time.Second
}
