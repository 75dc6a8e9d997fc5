package edge

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/edge/origin"
)

// hopByHop headers speak of one connection (RFC 9110, section 7.6.1). Host is no header
// here, but a client of HTTP/2 can send one beside :authority, which alone counts.
var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect", "Host",
}

// hop says whether a header is of the client's connection only.
func hop(name string, named []string) bool {
	switch name[0] {
	case 'C', 'K', 'P', 'T', 'U', 'E', 'H': // what those lists begin with
		if slices.Contains(hopByHop, name) {
			return true
		}
	}
	return named != nil && slices.Contains(named, name)
}

// connectionNamed is what a Connection header names besides "close" and the like.
func connectionNamed(h http.Header) (named []string) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = http.CanonicalHeaderKey(strings.TrimSpace(name)); name != "Close" && name != "Keep-Alive" && name != "Upgrade" {
				named = append(named, name)
			}
		}
	}
	return named
}

// disguised says whether a header is one of the edge's own words with "_" for "-": to
// what runs behind CGI, WSGI and the like both are the same.
func disguised(name string) bool {
	if !strings.Contains(name, "_") {
		return false
	}
	name = http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
	return slices.ContainsFunc([]string{"X-Dropstack-", "X-Forwarded-", "Cloudfront-", "X-Amz-Cf-"}, func(own string) bool { return strings.HasPrefix(name, own) })
}

// outgoing is the request as the origin gets it: of an API without a distribution,
// whole.
func (s *Server) outgoing(v *visit, l *lane) *http.Request {
	r := v.in
	out := r.WithContext(origin.With(r.Context(), v.asked))
	u := *r.URL
	out.URL, out.Header = &u, make(http.Header, len(r.Header)+8)
	named := connectionNamed(r.Header)
	switch {
	case l == nil || l.forward.all:
		for name, values := range r.Header {
			if !hop(name, named) && !disguised(name) && !strings.HasPrefix(name, "X-Dropstack-") && (l == nil || !strings.HasPrefix(name, "Cloudfront-")) {
				out.Header[name] = values[:len(values):len(values)]
			}
		}
	default:
		kept := make(http.Header, len(r.Header))
		for name, values := range r.Header {
			if !hop(name, named) && !disguised(name) {
				kept[name] = values
			}
		}
		l.forward.pickHeaders(out.Header, kept, r.Method, v.socket)
		l.forward.viewerHeaders(v, out.Header)
		out.URL.RawQuery = l.forward.pickQuery(r.URL.RawQuery)
		out.URL.ForceQuery = r.URL.ForceQuery && l.forward.query.mode != ""
	}
	if v.socket {
		out.Header["Connection"], out.Header["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	}
	for name, values := range v.insert {
		out.Header[name] = values
	}
	s.forward(v, l, out)
	v.trace(out.Header)
	if l == nil || l.inside {
		out.Header["X-Dropstack-Edge"] = []string{"1"}
		if isOwner(withListener(r), r) {
			out.Header["X-Dropstack-Owner"] = []string{"1"}
		}
	}
	if l != nil {
		out.Header["X-Amz-Cf-Id"] = []string{v.record.Request}
		out.Header["Via"] = append(slices.Clip(r.Header["Via"]), v.via())
		if !l.forward.host {
			out.Host = "" // the origin's own
		}
	}
	return out
}

// via is the edge's word in Via headers.
func (v *visit) via() string {
	domain := v.site.Domain
	if domain == "" {
		domain = v.site.ID
	}
	version := "1.1"
	if v.in.ProtoMajor != 1 {
		version = strconv.Itoa(v.in.ProtoMajor) + ".0"
	}
	return version + " " + domain + " (dropstack)"
}

// forward says where the request came from. What a client says of that itself
// counts only when it is a trusted proxy.
func (s *Server) forward(v *visit, l *lane, out *http.Request) {
	h, from := out.Header, peer(v.in)
	trusted := v.proxied
	if before := v.in.Header["X-Forwarded-For"]; trusted && len(before) > 0 {
		h["X-Forwarded-For"] = []string{strings.Join(before, ", ") + ", " + from}
	} else {
		h["X-Forwarded-For"] = []string{from}
	}
	proto, port := "http", "80"
	if v.secure {
		proto, port = "https", "443"
	}
	if _, own, err := net.SplitHostPort(v.in.Host); err == nil {
		port = own
	}
	for i, value := range [...]string{proto, v.in.Host, port} {
		name := how[i]
		before := v.in.Header[name]
		switch {
		case l != nil && !l.forward.tells(name):
			delete(h, name)
		case trusted && len(before) > 0 && before[0] != "":
			h[name] = before
		default:
			h[name] = []string{value}
		}
	}
	delete(h, "Forwarded")
	if v.client.IsValid() && v.client != v.peer.Addr() {
		out.RemoteAddr = net.JoinHostPort(v.client.String(), "0")
	}
}

// viewerHeaders are what CloudFront says about clients, of which a behaviour gets
// those that its policies list.
func (f *forwarding) viewerHeaders(v *visit, h http.Header) {
	for _, name := range f.viewer {
		switch name {
		case "Cloudfront-Forwarded-Proto":
			h[name] = []string{"http"}
			if v.secure {
				h[name] = []string{"https"}
			}
		case "Cloudfront-Viewer-Address":
			h[name] = []string{v.record.Client + ":" + portOf(v)}
		case "Cloudfront-Viewer-Http-Version":
			h[name] = []string{strings.TrimSuffix(strings.TrimPrefix(v.in.Proto, "HTTP/"), ".0")}
		case "Cloudfront-Viewer-Tls":
			if v.in.TLS != nil {
				h[name] = []string{v.record.TLSVersion + ":" + v.record.TLSCipher + ":" + handshake(v.in)}
			}
		case "Cloudfront-Viewer-Time":
			h[name] = []string{time.Now().UTC().Format(time.RFC3339)}
		case "Cloudfront-Is-Mobile-Viewer", "Cloudfront-Is-Tablet-Viewer", "Cloudfront-Is-Desktop-Viewer", "Cloudfront-Is-Smarttv-Viewer",
			"Cloudfront-Is-Android-Viewer", "Cloudfront-Is-Ios-Viewer":
			h[name] = []string{is(name, v.in.UserAgent())}
		}
	}
}

func portOf(v *visit) string {
	if v.peer.IsValid() && v.client == v.peer.Addr() {
		_, port, _ := net.SplitHostPort(v.in.RemoteAddr)
		return port
	}
	return "0"
}

func handshake(r *http.Request) string {
	if r.TLS.DidResume {
		return "sessionResumed"
	}
	return "fullHandshake"
}

// is answers one of the questions for the kind of device, by the words that such
// clients have in their User-Agent.
func is(question, agent string) string {
	agent = strings.ToLower(agent)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(agent, w) })
	}
	tv := has("smart-tv", "smarttv", "appletv", "googletv", "hbbtv", "netcast", "web0s", "roku", "bravia")
	tablet := !tv && (has("ipad", "tablet", "kindle", "silk/", "playbook") || has("android") && !has("mobile"))
	mobile := !tv && !tablet && has("mobi", "iphone", "ipod", "windows phone", "blackberry", "opera mini")
	yes := false
	switch question {
	case "Cloudfront-Is-Smarttv-Viewer":
		yes = tv
	case "Cloudfront-Is-Tablet-Viewer":
		yes = tablet
	case "Cloudfront-Is-Mobile-Viewer":
		yes = mobile
	case "Cloudfront-Is-Desktop-Viewer":
		yes = !tv && !tablet && !mobile
	case "Cloudfront-Is-Android-Viewer":
		yes = has("android")
	case "Cloudfront-Is-Ios-Viewer":
		yes = has("iphone", "ipad", "ipod")
	}
	if yes {
		return "true"
	}
	return "false"
}
