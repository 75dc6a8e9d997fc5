package edge

import (
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/edge/cache"
)

// forwarding is what of a request goes to the origin: what the cache tells responses
// apart by, and what the behaviour's Forward adds.
type forwarding struct {
	all                     bool // everything: nothing has to be looked at
	query, headers, cookies picker
	host                    bool     // the client's Host goes along
	told                    bool     // the origin is told by which host, port and protocol the client came
	encodings               []string // that Accept-Encoding is normalised to
	viewer                  []string // CloudFront-* headers that are asked for by name
}

// picker says which names a selection takes.
type picker struct {
	mode  string
	names map[string]bool
}

func (p picker) takes(name string) bool {
	switch p.mode {
	case cache.All:
		return true
	case cache.Only:
		return p.names[name]
	case cache.Except:
		return !p.names[name]
	}
	return false
}

// union takes what either takes. canonical makes names comparable.
func union(a, b cache.Selection, canonical func(string) string) picker {
	names := func(s cache.Selection) map[string]bool {
		m := make(map[string]bool, len(s.Names))
		for _, n := range s.Names {
			m[canonical(n)] = true
		}
		return m
	}
	x, y := picker{a.Mode, names(a)}, picker{b.Mode, names(b)}
	rank := []string{"", cache.None, cache.Only, cache.Except, cache.All}
	if slices.Index(rank, x.mode) < slices.Index(rank, y.mode) {
		x, y = y, x
	}
	switch {
	case x.mode == cache.Only && y.mode == cache.Only:
		for n := range y.names {
			x.names[n] = true
		}
	case x.mode == cache.Except:
		for n := range x.names {
			if y.takes(n) {
				delete(x.names, n)
			}
		}
	}
	return x
}

// forwards makes a behaviour's forwarding. Without a cache and a Forward everything
// goes along; the Host goes to APIs in any case, which have more names than one.
func forwards(b *Behaviour, inside bool) forwarding {
	if b.Cache == nil && b.Forward == nil {
		return forwarding{all: true, host: inside, told: true}
	}
	keyed, more := b.Cache, b.Forward
	if keyed == nil {
		keyed = &cache.Policy{}
	}
	if more == nil {
		more = &Forward{}
	}
	same := func(name string) string { return name }
	f := forwarding{
		query:     union(keyed.Query, more.Query, same),
		headers:   union(keyed.Headers, more.Headers, textproto.CanonicalMIMEHeaderKey),
		cookies:   union(keyed.Cookies, more.Cookies, same),
		encodings: keyed.Encodings,
	}
	f.host = inside || f.headers.takes("Host")
	f.told = f.host || b.Cache == nil
	for _, s := range []cache.Selection{keyed.Headers, more.Headers} {
		if s.Mode != cache.Only && s.Mode != cache.All { // CloudFront's "allViewerAndWhitelistCloudFront"
			continue
		}
		for _, name := range s.Names {
			if name = textproto.CanonicalMIMEHeaderKey(name); strings.HasPrefix(name, "Cloudfront-") {
				f.viewer = append(f.viewer, name)
			}
		}
	}
	return f
}

// how says how a client came. Origins write links with it, and redirect by it.
var how = []string{"X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port"}

// tells says whether the origin gets one of those headers. Responses that are stored
// for every host are not to be made for one: their origin gets what is asked for by
// name, and nothing else.
func (f *forwarding) tells(name string) bool {
	return f.told || f.headers.mode == cache.Only && f.headers.names[name]
}

// keyed is the policy that responses are really told apart by. Whatever the origin
// is told about how the client came must do so too, or one host's links, or what
// only the owner of this machine may see, would be stored for everybody.
func (l *lane) keyed(p *cache.Policy) *cache.Policy {
	if p == nil {
		return nil
	}
	own := *p
	names := slices.Clone(own.Headers.Names)
	if l.forward.host {
		names = append(names, "Host")
	}
	for _, name := range how {
		if l.forward.tells(name) {
			names = append(names, name)
		}
	}
	if l.inside {
		names = append(names, "X-Dropstack-Owner")
	}
	if len(names) > 0 && own.Headers.Mode != cache.All {
		own.Headers = cache.Selection{Mode: cache.Only, Names: names}
	}
	return &own
}

// Headers that go along whatever is selected: what they say is about the body, or
// about which part of the answer is wanted.
var always = []string{
	"Content-Type", "Content-Length", "Content-Encoding", "Content-Language", "Content-Md5", "Content-Disposition", "Date",
	"Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range",
}

// socketHeaders belong to a switch to WebSocket.
var socketHeaders = []string{
	"Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Protocol", "Sec-Websocket-Extensions",
}

// pickHeaders copies what is selected of the client's headers.
func (f *forwarding) pickHeaders(to, from http.Header, method string, socket bool) {
	for name, values := range from {
		switch {
		case name == "Cookie" || name == "User-Agent" || name == "Accept-Encoding" || strings.HasPrefix(name, "X-Dropstack-") || strings.HasPrefix(name, "Cloudfront-"):
			continue // each by its own rule, or ours to say
		case f.headers.takes(name) || slices.Contains(always, name):
		case socket && (slices.Contains(socketHeaders, name) || name == "Origin"):
		case name == "Authorization" && (method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch || method == http.MethodDelete):
		default:
			continue
		}
		to[name] = values[:len(values):len(values)]
	}
	if agent, ok := from["User-Agent"]; ok && f.headers.takes("User-Agent") {
		to["User-Agent"] = agent
	} else {
		to["User-Agent"] = []string{"Amazon CloudFront"}
	}
	if accepts := from["Accept-Encoding"]; f.headers.takes("Accept-Encoding") && len(f.encodings) == 0 {
		to["Accept-Encoding"] = accepts
	} else if e := f.encoding(accepts); e != "" {
		to["Accept-Encoding"] = []string{e}
	}
	f.pickCookies(to, from["Cookie"])
}

// encoding is a client's Accept-Encoding in the one way that it is written to
// origins: those of the policy that it takes, in the policy's order.
func (f *forwarding) encoding(accepts []string) string {
	wanted := f.encodings
	if wanted == nil {
		wanted = []string{"gzip"} // what CloudFront does without a word about it
	}
	var out []string
	for _, e := range wanted {
		if acceptsEncoding(accepts, e) {
			out = append(out, e)
		}
	}
	return strings.Join(out, ",")
}

func acceptsEncoding(accepts []string, encoding string) bool {
	for _, line := range accepts {
		for item := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(item, ";")
			if !strings.EqualFold(strings.TrimSpace(name), encoding) {
				continue
			}
			q := strings.ReplaceAll(strings.ToLower(params), " ", "")
			return !strings.HasPrefix(q, "q=0") || strings.Trim(q, "q=0.") != ""
		}
	}
	return false
}

// pickCookies keeps the selected cookies of the client's, in its order.
func (f *forwarding) pickCookies(to http.Header, lines []string) {
	switch {
	case len(lines) == 0:
		return
	case f.cookies.mode == cache.All:
		to["Cookie"] = lines
		return
	case f.cookies.mode == "" || f.cookies.mode == cache.None:
		return
	}
	var kept []string
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			pair = strings.TrimSpace(pair)
			name, _, _ := strings.Cut(pair, "=")
			if pair != "" && f.cookies.takes(strings.TrimSpace(name)) {
				kept = append(kept, pair)
			}
		}
	}
	if len(kept) > 0 {
		to["Cookie"] = []string{strings.Join(kept, "; ")}
	}
}

// pickQuery keeps the selected parameters of a query as they were written.
func (f *forwarding) pickQuery(query string) string {
	switch {
	case query == "" || f.query.mode == cache.All:
		return query
	case f.query.mode == "" || f.query.mode == cache.None:
		return ""
	}
	return keepParams(query, f.query.takes)
}

// keepParams keeps those parameters of a query whose names are wanted.
func keepParams(query string, wanted func(name string) bool) string {
	var out strings.Builder
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		if pair == "" || !wanted(name) {
			continue
		}
		if out.Len() > 0 {
			out.WriteByte('&')
		}
		out.WriteString(pair)
	}
	return out.String()
}
