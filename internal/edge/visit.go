package edge

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/edge/origin"
	"github.com/dropstack/dropstack/internal/trace"
)

// visit is one request on its way through the edge.
type visit struct {
	*reply
	server  *Server
	in      *http.Request // as the client sent it
	record  AccessRecord
	asked   *origin.Asked
	peer    netip.AddrPort // who is connected; not valid off the network
	proxied bool           // that is a trusted proxy
	client  netip.Addr     // who asks
	secure  bool           // the client came by HTTPS
	socket  bool           // it asks for a WebSocket
	target  string         // path and query as they were sent
	body    *body
	site    *site // nil: none
	lane    *lane
	insert  http.Header // that the firewall gives the origin
	span    trace.Span  // begun when an origin may be asked

	switched  net.Conn   // after a switch of protocols; else nil
	passes    bool       // the origin's answer is passed on, stored or not
	errorPage *ErrorPage // that takes the place of an origin's error
	final     bool       // no page may take this answer's place any more
	told      bool       // that the body is too large
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.challenged(w, r) {
		return
	}
	v := &visit{reply: newReply(w), server: s}
	s.meet(v, r)
	defer s.leave(v)
	v.Header()["X-Amz-Cf-Id"] = []string{v.record.Request}
	if s.banned(v) || s.refuse(v) {
		return
	}
	s.route(v)
}

// meet finds out who is asking and starts the record.
func (s *Server) meet(v *visit, r *http.Request) {
	v.peer = addressOf(r.RemoteAddr)
	v.proxied = s.trusted(v.peer.Addr())
	v.client, v.secure = s.client(v.peer.Addr(), r), r.TLS != nil || v.proxied && r.Header.Get("X-Forwarded-Proto") == "https"
	v.record = AccessRecord{
		Time: time.Now(), Port: int(v.peer.Port()), Method: r.Method, Host: r.Host, Path: r.URL.EscapedPath(), Query: redacted(r.URL.RawQuery),
		Referrer: withoutQuery(r.Referer()), UserAgent: r.UserAgent(), ForwardedFor: strings.Join(r.Header["X-Forwarded-For"], ", "),
		Request: requestID(), Version: r.Proto, Protocol: "http", ContentLength: -1, BytesIn: int64(headBytes(r)),
	}
	if v.client.IsValid() {
		v.record.Client = v.client.String()
	} else {
		v.record.Client = peer(r)
	}
	if v.secure {
		v.record.Protocol = "https"
	}
	v.record.tls(r.TLS)
	v.asked = &origin.Asked{ID: v.record.Request, Secure: v.secure}
	v.body = &body{ReadCloser: r.Body, control: v.control, limits: &s.Limits}
	v.bare = r.Method == http.MethodHead
	v.socket = r.ProtoMajor == 1 && r.Method == http.MethodGet && len(r.Header["Upgrade"]) > 0 && isSocket(r.Header)
	if v.target = r.RequestURI; !strings.HasPrefix(v.target, "/") { // the whole address, as proxies are asked
		v.target = r.URL.RequestURI()
	}
	v.in = r.WithContext(origin.With(r.Context(), v.asked))
	v.in.Body = v.body
}

// isSocket says whether a request asks to speak WebSocket (RFC 6455, section 4.1).
func isSocket(h http.Header) bool {
	return strings.EqualFold(h.Get("Upgrade"), "websocket") && slices.ContainsFunc(h["Connection"], func(line string) bool {
		for word := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(word), "upgrade") {
				return true
			}
		}
		return false
	})
}

// banned answers who is turned away, as cheaply as can be.
func (s *Server) banned(v *visit) bool {
	if s.Bans == nil || !v.client.IsValid() {
		return false
	}
	if b, yes := s.Bans.Banned(v.client); !yes || b.Shadow {
		return false
	}
	v.record.Refused, v.record.Rule = true, "ban"
	h := v.Header()
	text := "Access denied. Request " + v.record.Request + "\n"
	h["X-Cache"] = []string{"Error from cloudfront"}
	h["Content-Type"] = []string{"text/plain; charset=utf-8"}
	h["Content-Length"] = []string{strconv.Itoa(len(text))}
	h["Cache-Control"] = []string{"no-store"}
	v.closing()
	v.WriteHeader(http.StatusForbidden)
	if v.in.Method != http.MethodHead {
		_, _ = v.Write([]byte(text)) // the client may have left
	}
	return true
}

// refuse answers what no distribution should see.
func (s *Server) refuse(v *visit) bool {
	r := v.in
	switch {
	case s.misdirected(v):
		v.record.Detail, v.record.Refused = "InvalidRequest", true
		v.fail(http.StatusMisdirectedRequest, "Wrong connection", "This connection was opened for another name, whose certificate does not cover "+hostOf(r.Host)+".")
	case r.Method == http.MethodTrace || r.Method == http.MethodConnect:
		v.record.Detail = "InvalidRequestMethod"
		v.fail(http.StatusMethodNotAllowed, "Method not allowed", "This server does not answer "+r.Method+" requests.")
	case len(r.RequestURI) > MaxURL:
		v.overLimit("The address is too long", fmt.Sprintf("It has %d bytes; the limit is %d bytes.", len(r.RequestURI), MaxURL))
	case v.record.BytesIn > MaxHeaders:
		v.overLimit("The request's headers are too large", fmt.Sprintf("They have %d bytes; the limit is %d bytes.", v.record.BytesIn, MaxHeaders))
	case headLines(r.Header) > s.Limits.headers():
		v.overLimit("The request has too many headers", fmt.Sprintf("It has %d of them; the limit is %d.", headLines(r.Header), s.Limits.headers()))
	case !strings.HasPrefix(r.URL.Path, "/"):
		v.record.Detail = "InvalidRequest"
		v.fail(http.StatusBadRequest, "Bad request", "The path must begin with a slash.")
	case slices.ContainsFunc(r.Header["Content-Type"], reserved):
		// Origins believe what it says; only the edge may say it.
		v.refused(&refusal{http.StatusUnsupportedMediaType, "Type not allowed", UploadType + " is the server's own type."})
	default:
		return false
	}
	return true
}

func (v *visit) overLimit(title, words string) {
	v.record.Result, v.record.Refused = "LimitExceeded", true
	v.refused(&refusal{http.StatusRequestEntityTooLarge, title, words})
}

// headBytes is the size of the request line and headers on the wire.
func headBytes(r *http.Request) int {
	n := len(r.Method) + len(r.RequestURI) + len("  HTTP/1.1\r\n") + len("Host: \r\n") + len(r.Host) + len("\r\n")
	for name, values := range r.Header {
		for _, value := range values {
			n += len(name) + len(value) + len(": \r\n")
		}
	}
	return n
}

func headLines(h http.Header) (n int) {
	for _, values := range h {
		n += len(values)
	}
	return n
}

// leave sends what is left to send and writes the record; a panic of an origin
// ends here.
func (s *Server) leave(v *visit) {
	cause := recover()
	if cause != nil && cause != http.ErrAbortHandler {
		s.Log.Error("origin panicked", "request", v.record.Request, "path", v.record.Path, "cause", cause, "stack", string(debug.Stack()))
		if v.status == 0 {
			v.again()
			v.final, v.told = true, true
			v.fail(http.StatusBadGateway, "Something broke", "The service that should answer this request failed. Its operator finds the cause in the log.")
			cause = nil
		}
	}
	if cause == nil && v.status == 0 && v.in.Context().Err() == nil {
		v.WriteHeader(http.StatusOK) // an origin with nothing to say but headers
	}
	v.body.end()
	if s.Access != nil {
		v.finish(cause != nil)
		s.Access(v.record)
	}
	v.traced(cause != nil)
	if v.switched != nil {
		s.sockets.leave(v.switched)
	}
	if cause != nil { // half an answer is out: the connection must not look finished
		panic(http.ErrAbortHandler)
	}
}

// requestID is 56 characters like CloudFront's. It names a request and lets nobody in,
// so it costs no system call.
func requestID() string {
	var b [40]byte
	for i := 0; i < len(b); i += 8 {
		binary.NativeEndian.PutUint64(b[i:], rand.Uint64())
	}
	return base64.URLEncoding.EncodeToString(b[:])
}

// closing makes the server end the connection after this answer, for requests
// whose body nobody will read.
func (v *visit) closing() {
	if v.in.ProtoMajor < 3 { // where a stream ends alone
		v.Header().Set("Connection", "close")
	}
}
