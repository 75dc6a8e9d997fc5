package edge

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Serve answers requests on l until ctx ends, then lets those in flight finish
// within the grace period. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 15 * time.Second,
		IdleTimeout:       keepAlive,
		MaxHeaderBytes:    3 * MaxHeaders,                                      // beyond our own limit, for an answer in our own words
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug), // noise of clients
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.WithoutCancel(ctx), listenerKey{}, l.Addr())
		},
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	grace := s.Grace
	if grace == 0 {
		grace = 30 * time.Second
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := srv.Shutdown(late)
	if err != nil {
		s.Log.Warn("requests cut off at shutdown", "after", grace)
		err = srv.Close()
	}
	<-done
	return err
}

// visit is one request on its way through the edge.
type visit struct {
	*reply
	in     *http.Request // as the client sent it
	record AccessRecord
	secure bool // the client came by HTTPS
	from   string
	body   *body
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.challenged(w, r) {
		return
	}
	v := &visit{reply: newReply(w), in: r}
	v.body = &body{ReadCloser: r.Body, control: v.control}
	s.meet(v)
	defer s.leave(v)
	v.Header().Set("X-Amz-Cf-Id", v.record.Request)
	if s.refuse(v) {
		return
	}
	s.route(v)
}

// meet finds out who is asking and starts the record.
func (s *Server) meet(v *visit) {
	r := v.in
	v.from, v.secure = s.client(r), r.TLS != nil
	if s.trusted(peer(r)) {
		v.secure = v.secure || r.Header.Get("X-Forwarded-Proto") == "https"
	}
	v.record = AccessRecord{
		Time: time.Now(), Client: v.from, Method: r.Method, Host: r.Host, Path: r.URL.EscapedPath(),
		Referrer: withoutQuery(r.Referer()), UserAgent: r.UserAgent(), Request: requestID(),
	}
}

// leave sends what is left to send and writes the record; a panic of an origin
// ends here.
func (s *Server) leave(v *visit) {
	cause := recover()
	if cause != nil && cause != http.ErrAbortHandler {
		s.Log.Error("origin panicked", "request", v.record.Request, "path", v.record.Path, "cause", cause, "stack", string(debug.Stack()))
		if v.status == 0 {
			v.release()
			v.fail(http.StatusBadGateway, "Something broke", "The service that should answer this request failed. Its operator finds the cause in the log.")
			cause = nil
		}
	}
	v.arm() // what the server has left to send may come long after the last write
	if s.Access != nil {
		v.record.Status, v.record.BytesOut, v.record.BytesIn = v.status, v.bytes, v.body.bytes
		v.record.Took = time.Since(v.record.Time)
		s.Access(v.record)
	}
	if cause != nil { // half an answer is out: the connection must not look finished
		panic(http.ErrAbortHandler)
	}
}

// refuse answers what no distribution should see.
func (s *Server) refuse(v *visit) bool {
	r := v.in
	switch {
	case s.misdirected(r):
		v.fail(http.StatusMisdirectedRequest, "Wrong connection", "This connection was opened for another name, whose certificate does not cover "+hostOf(r.Host)+".")
	case r.Method == http.MethodTrace || r.Method == http.MethodConnect:
		v.fail(http.StatusMethodNotAllowed, "Method not allowed", "This server does not answer "+r.Method+" requests.")
	case len(r.RequestURI) > MaxURL:
		v.fail(http.StatusRequestEntityTooLarge, "The address is too long", fmt.Sprintf("It has %d bytes; the limit is %d bytes.", len(r.RequestURI), MaxURL))
	case headerBytes(r) > MaxHeaders:
		v.fail(http.StatusRequestHeaderFieldsTooLarge, "The request's headers are too large", fmt.Sprintf("They have %d bytes; the limit is %d bytes.", headerBytes(r), MaxHeaders))
	case !strings.HasPrefix(r.URL.Path, "/"):
		v.fail(http.StatusBadRequest, "Bad request", "The path must begin with a slash.")
	case slices.ContainsFunc(r.Header["Content-Type"], reserved):
		// Origins believe what it says; only the edge may say it.
		v.refused(&refusal{http.StatusUnsupportedMediaType, "Type not allowed", UploadType + " is the server's own type."})
	default:
		return false
	}
	return true
}

// headerBytes is the size of the request line and headers on the wire.
func headerBytes(r *http.Request) int {
	n := len(r.Method) + len(r.RequestURI) + len("  HTTP/1.1\r\n") + len("Host: \r\n") + len(r.Host) + len("\r\n")
	for name, values := range r.Header {
		for _, value := range values {
			n += len(name) + len(value) + len(": \r\n")
		}
	}
	return n
}

// route finds the origin: by the path of an API, by host name, or the default.
func (s *Server) route(v *visit) {
	r := v.in
	if rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/restapis/"); ok {
		s.api(v, rest)
		return
	}
	if rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/_aws/execute-api/"); ok { // the same, as local stacks spell it lately
		id, path, _ := strings.Cut(rest, "/")
		stage, path, _ := strings.Cut(path, "/")
		s.api(v, id+"/"+stage+"/_user_request_/"+path)
		return
	}
	host, now := hostOf(r.Host), s.snapshot()
	dist := now.find(host)
	if dist == nil {
		if id, ok := apiID(host); ok {
			v.record.Stack = id
			s.pass(v, s.Origins.API(id), s.outgoing(v))
			return
		}
		if id, ok := urlID(host); ok {
			v.record.Stack = id
			s.pass(v, s.Origins.URL(id), s.outgoing(v))
			return
		}
		if stack, ok := strings.CutSuffix(host, ".localhost"); ok {
			if origin, ok := s.Origins.Handler(stack, ""); ok {
				v.record.Stack = stack
				s.pass(v, origin, s.outgoing(v))
				return
			}
		}
		dist = now.other
	}
	if dist == nil {
		v.fail(http.StatusNotFound, "Nothing here yet", "No service is deployed here yet, or none answers to the name "+host+". Deploy one with \"dropstack deploy\".")
		return
	}
	v.record.Distribution = dist.ID
	b := dist.behaviour(r.Method, r.URL.Path)
	if b == nil {
		v.fail(http.StatusNotFound, "Not found", "Nothing answers "+r.Method+" at this address.")
		return
	}
	origin, ok := s.Origins.Handler(b.Origin, "")
	if !ok {
		v.fail(http.StatusServiceUnavailable, "Not deployed", "The service "+b.Origin+" that should answer here has no API at the moment.")
		return
	}
	v.record.Stack = b.Origin
	if b.Upload != nil && (r.Method == http.MethodPost || r.Method == http.MethodPut) {
		s.upload(v, origin, *b.Upload)
		return
	}
	s.pass(v, origin, s.outgoing(v))
}

// apiID is the id in an API's own host, ID.execute-api.REGION.SUFFIX. Templates put
// such names together with a suffix of their own, and some leave the region out: any
// will do.
func apiID(host string) (string, bool) {
	id, rest, _ := strings.Cut(host, ".")
	return id, id != "" && strings.HasPrefix(rest, "execute-api.")
}

// urlID is the id in a function URL's host, ID.lambda-url.REGION.on.localhost:
// AWS's own form with localhost for its domain.
func urlID(host string) (string, bool) {
	rest, ok := strings.CutSuffix(host, ".on.localhost")
	id, rest, cut := strings.Cut(rest, ".")
	region, named := strings.CutPrefix(rest, "lambda-url.")
	return id, ok && cut && named && id != "" && region != ""
}

// api serves ID/STAGE/_user_request_/PATH, as local stacks spell it. The path is
// still escaped.
func (s *Server) api(v *visit, rest string) {
	parts := strings.SplitN(rest, "/", 4)
	if len(parts) >= 3 && parts[2] == "_user_request_" {
		stage, err := url.PathUnescape(parts[1])
		origin, ok := s.Origins.Stage(parts[0], stage)
		if err == nil && ok {
			v.record.Stack = parts[0]
			out := s.outgoing(v)
			path := "/"
			if len(parts) == 4 {
				path += parts[3]
			}
			plain, err := url.PathUnescape(path)
			if err == nil {
				out.URL.Path, out.URL.RawPath = plain, path
				s.pass(v, origin, out)
				return
			}
		}
	}
	v.fail(http.StatusNotFound, "Not found", "There is no such API; addresses look like /restapis/ID/STAGE/_user_request_/PATH and \"dropstack info\" prints them.")
}

// pass asks the origin and sends its answer.
func (s *Server) pass(v *visit, origin http.Handler, out *http.Request) {
	origin.ServeHTTP(v.reply, out)
	if v.held {
		v.release()
		s.download(v)
	}
}

// hopByHop headers speak of one connection (RFC 9110, section 7.6.1).
var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect",
}

// outgoing is the request as the origin gets it.
func (s *Server) outgoing(v *visit) *http.Request {
	r := v.in
	out := r.WithContext(r.Context())
	u := *r.URL
	out.URL, out.Body, out.Header = &u, v.body, make(http.Header, len(r.Header)+6)
	drop := hopByHop
	for _, named := range r.Header["Connection"] {
		for name := range strings.SplitSeq(named, ",") {
			drop = append(drop[:len(drop):len(drop)], http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
	for name, values := range r.Header {
		if !strings.HasPrefix(name, "X-Dropstack-") && !slices.Contains(drop, name) {
			out.Header[name] = values[:len(values):len(values)]
		}
	}
	s.forward(v, out)
	out.Header.Set("X-Dropstack-Edge", "1")
	if isOwner(withListener(r), r) {
		out.Header.Set("X-Dropstack-Owner", "1")
	}
	return out
}

// forward says where the request came from. What a client says of that itself
// counts only when it is a trusted proxy.
func (s *Server) forward(v *visit, out *http.Request) {
	h, from := out.Header, peer(v.in)
	trusted := s.trusted(from)
	if before := v.in.Header["X-Forwarded-For"]; trusted && len(before) > 0 {
		h["X-Forwarded-For"] = []string{strings.Join(before, ", ") + ", " + from}
	} else {
		h.Set("X-Forwarded-For", from)
	}
	proto, port := "http", "80"
	if v.secure {
		proto, port = "https", "443"
	}
	if _, own, err := net.SplitHostPort(v.in.Host); err == nil {
		port = own
	}
	for name, value := range map[string]string{"X-Forwarded-Proto": proto, "X-Forwarded-Host": v.in.Host, "X-Forwarded-Port": port} {
		if !trusted || h.Get(name) == "" {
			h.Set(name, value)
		}
	}
	h.Del("Forwarded")
	if v.from != from {
		out.RemoteAddr = net.JoinHostPort(v.from, "0")
	}
}

func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func (s *Server) trusted(ip string) bool {
	addr, err := netip.ParseAddr(ip)
	return err == nil && slices.ContainsFunc(s.Proxies, func(p netip.Prefix) bool { return p.Contains(addr.Unmap()) })
}

// client is the address of whoever asks: the peer, or behind trusted proxies the
// last hop that is not one of them.
func (s *Server) client(r *http.Request) string {
	from := peer(r)
	if !s.trusted(from) {
		return from
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, hop := range slices.Backward(hops) {
		addr, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return from
		}
		if from = addr.String(); !s.trusted(from) {
			return from
		}
	}
	return from
}

func withoutQuery(address string) string {
	address, _, _ = strings.Cut(address, "#")
	address, _, _ = strings.Cut(address, "?")
	if len(address) > 1024 {
		address = address[:1024]
	}
	return address
}

// requestID is 56 characters like CloudFront's.
func requestID() string {
	var b [40]byte
	rand.Read(b[:])
	return base64.URLEncoding.EncodeToString(b[:])
}

// closing makes the server end the connection after this answer, for requests
// whose body nobody will read.
func (v *visit) closing() { v.Header().Set("Connection", "close") }
