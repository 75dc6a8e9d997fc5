package edge

import (
	"net/textproto"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/dropstack/dropstack/internal/edge/cache"
	"github.com/dropstack/dropstack/internal/edge/private"
)

// check complains about a behaviour. origins are what it may name besides stacks.
func (b *Behaviour) check(c *complaints, origins map[string]bool) {
	if !pathText.MatchString(b.Path) {
		c.add("path pattern %q must have 1 to 255 characters out of letters, digits and _-.*$/~\"'@:+&?!(),;=%%", b.Path)
	}
	for _, m := range slices.Concat(b.Methods, b.Allowed) {
		if !slices.Contains(methods, m) {
			c.add("method %q must be one of %s", m, strings.Join(methods, ", "))
		}
	}
	for _, m := range b.Cached {
		if m != "GET" && m != "HEAD" && m != "OPTIONS" {
			c.add("responses to %s cannot be stored; GET, HEAD and OPTIONS are", m)
		}
	}
	if b.Origin == "" {
		c.add("it names no origin")
	}
	if inside, declared := origins[b.Origin]; b.Upload != nil && declared && !inside {
		c.add("uploads are announced to an API of this platform; origin %q is none", b.Origin)
	}
	if u := b.Upload; u != nil {
		checkBucket(c, "upload", u.Bucket, u.Prefix)
		if u.MaxBytes < 0 {
			c.add("upload: maxBytes is %d; it must not be negative", u.MaxBytes)
		}
	}
	if !slices.Contains([]string{"", AllowAll, RedirectToHTTPS, OnlyHTTPS}, b.Viewer) {
		c.add("viewer %q must be %s, %s or %s", b.Viewer, AllowAll, RedirectToHTTPS, OnlyHTTPS)
	}
	if b.MaxBody < 0 {
		c.add("maxBody is %d; it must not be negative", b.MaxBody)
	}
	if b.Cache != nil {
		checkPolicy(c, b.Cache)
	}
	if f := b.Forward; f != nil {
		checkSelection(c, "forward: query", f.Query, false)
		checkSelection(c, "forward: headers", f.Headers, true)
		checkSelection(c, "forward: cookies", f.Cookies, false)
	}
	if b.Respond != nil {
		b.Respond.check(c)
	}
	b.checkSigners(c)
	if b.Firewall == nil {
		return
	}
	for _, skip := range b.Firewall.Skip {
		if field, ok := strings.CutPrefix(skip, "body."); !(ok && field != "") && !slices.Contains([]string{"body", "query", "cookies", "headers"}, skip) {
			c.add("firewall: %q cannot be skipped; body, query, cookies, headers and body.NAME can", skip)
		}
	}
}

func (b *Behaviour) checkSigners(c *complaints) {
	ids := map[string]bool{}
	for _, s := range b.Signers {
		if s.ID == "" || ids[s.ID] {
			c.add("signers: every key needs an id of its own, %q is not", s.ID)
		}
		ids[s.ID] = true
		if _, err := private.ParseKey(s.PEM); err != nil {
			c.add("signers: key %q: %w", s.ID, err)
		}
	}
}

func checkPolicy(c *complaints, p *cache.Policy) {
	for name, ttl := range map[string]time.Duration{"minTTL": p.MinTTL, "defaultTTL": p.DefaultTTL, "maxTTL": p.MaxTTL} {
		if ttl < 0 || ttl > 100*year {
			c.add("cache: %s %v must be from 0 to 100 years", name, ttl)
		}
	}
	if p.MinTTL > p.MaxTTL {
		c.add("cache: minTTL %v is more than maxTTL %v", p.MinTTL, p.MaxTTL)
	}
	checkSelection(c, "cache: query", p.Query, false)
	checkSelection(c, "cache: headers", p.Headers, true)
	checkSelection(c, "cache: cookies", p.Cookies, false)
	if m := p.Headers.Mode; m == cache.All || m == cache.Except {
		c.add("cache: headers %q would make every response another; name those that count", m)
	}
	for _, e := range p.Encodings {
		if e != "br" && e != "gzip" && e != "zstd" {
			c.add("cache: encoding %q must be br, gzip or zstd", e)
		}
	}
}

func checkSelection(c *complaints, what string, s cache.Selection, headers bool) {
	switch s.Mode {
	case "", cache.None, cache.All:
		if len(s.Names) > 0 && !(headers && s.Mode == cache.All) {
			c.add("%s: names go with %q and %q, not with %q", what, cache.Only, cache.Except, s.Mode)
		}
	case cache.Only, cache.Except:
		if len(s.Names) == 0 {
			c.add("%s: %q needs names", what, s.Mode)
		}
	default:
		c.add("%s: %q must be %s, %s, %s or %s", what, s.Mode, cache.None, cache.All, cache.Only, cache.Except)
	}
	for _, name := range s.Names {
		if name == "" || headers && !httpguts.ValidHeaderFieldName(name) || control(name) {
			c.add("%s: %q is not a name", what, name)
		}
	}
}

// Headers that nobody may set, because the edge or the connection has them. A name
// that ends in "-" is all that begin so.
var (
	reservedForOrigins = []string{
		"Cache-Control", "Connection", "Content-Length", "Cookie", "Host", "If-Match", "If-Modified-Since", "If-None-Match", "If-Range",
		"If-Unmodified-Since", "Max-Forwards", "Pragma", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Range",
		"Request-Range", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Via", "X-Real-Ip", "X-Amz-", "X-Edge-", "X-Dropstack-",
	}
	reservedForClients = []string{
		"Connection", "Content-Encoding", "Content-Length", "Content-Range", "Date", "Expect", "Host", "Keep-Alive", "Proxy-Authenticate",
		"Proxy-Authorization", "Proxy-Connection", "Trailer", "Transfer-Encoding", "Upgrade", "Via", "Warning", "X-Accel-Buffering",
		"X-Accel-Charset", "X-Accel-Limit-Rate", "X-Accel-Redirect", "X-Amz-Cf-", "X-Amzn-", "X-Cache", "X-Edge-", "X-Forwarded-Proto", "X-Real-Ip", "X-Dropstack-",
	}
)

func isReserved(name string, list []string) bool {
	name = textproto.CanonicalMIMEHeaderKey(name)
	return slices.ContainsFunc(list, func(r string) bool { return name == r || strings.HasSuffix(r, "-") && strings.HasPrefix(name, r) })
}

func checkHeader(c *complaints, h Header, list []string) {
	switch {
	case !httpguts.ValidHeaderFieldName(h.Name) || !httpguts.ValidHeaderFieldValue(h.Value):
		c.add("header %q: %q cannot be written", h.Name, h.Value)
	case isReserved(h.Name, list):
		c.add("header %q may not be set: it is the edge's or the connection's own", h.Name)
	}
}

func (p *Respond) check(c *complaints) {
	seen := map[string]bool{}
	for _, h := range p.Headers {
		checkHeader(c, h, reservedForClients)
		if name := textproto.CanonicalMIMEHeaderKey(h.Name); seen[name] {
			c.add("respond: header %q is there twice", h.Name)
		} else {
			seen[name] = true
		}
	}
	for _, name := range p.Remove {
		if !httpguts.ValidHeaderFieldName(name) || isReserved(name, reservedForClients) {
			c.add("respond: header %q may not be removed: it is the edge's or the connection's own", name)
		}
	}
	if p.Timing < 0 || p.Timing > 100 {
		c.add("respond: serverTiming %v must be a percentage, from 0 to 100", p.Timing)
	}
	if p.CORS == nil {
		return
	}
	if len(p.CORS.Origins) == 0 || len(p.CORS.Methods) == 0 {
		c.add("respond: cors needs origins and methods")
	}
	for _, m := range p.CORS.Methods {
		if m != "ALL" && !slices.Contains(methods, m) {
			c.add("respond: cors: method %q must be ALL or one of %s", m, strings.Join(methods, ", "))
		}
	}
	if p.CORS.Credentials && slices.Contains(p.CORS.Origins, "*") {
		c.add("respond: cors: origin * with credentials would let every page act as its visitor; name the origins")
	}
	for _, o := range p.CORS.Origins {
		if o == "" || control(o) || strings.Contains(o, "*") && o != "*" && p.CORS.Credentials && !strings.Contains(o, ".") {
			c.add("respond: cors: origin %q is not one; write https://www.example.com, https://*.example.com or *", o)
		}
	}
	if p.CORS.MaxAge < 0 || p.CORS.MaxAge > year {
		c.add("respond: cors: maxAge %v must be from 0 to a year", p.CORS.MaxAge)
	}
}
