// Package httpevent lets handlers of HTTP API events (payload 2.0) serve plain
// HTTP, so that a service runs as an ordinary program. It stands in for the
// gateway and for the two things that the edge does for drops: it stores uploads
// as objects before the handler is asked, and sends objects that the handler
// names.
package httpevent

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/dropstack/dropstack/services/drops/blob"
)

// Handler is what lambda.Start would be given.
type Handler func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error)

// Server serves routes. All fields are required.
type Server struct {
	Routes map[string]Handler // by "METHOD /path/{name}", as in serverless.yml
	Blobs  blob.Dir
	Bucket string
	Owner  func(*http.Request) bool // whether a request is the owner's
	Log    *slog.Logger
}

// maxBody bounds bodies that travel in events, as gateways do.
const maxBody = 10 << 20

// Mux returns the server's handler.
func (s *Server) Mux() *http.ServeMux {
	mux := http.NewServeMux()
	for route, h := range s.Routes {
		pattern := route
		if strings.HasSuffix(route, " /") {
			pattern += "{$}"
		}
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, route, h) })
	}
	return mux
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, route string, h Handler) {
	e := s.event(r, route)
	uploaded := false
	if r.URL.Path == "/" || r.Method == http.MethodPut && !strings.HasPrefix(r.URL.Path, "/drops/") || isFile(r) {
		if uploaded = s.upload(w, r, &e, h); !uploaded {
			return
		}
	} else {
		b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, fmt.Sprintf("the body is cut or longer than %d bytes", maxBody), http.StatusRequestEntityTooLarge)
			return
		}
		setBody(&e, b)
	}
	out, err := h(r.Context(), e)
	if err != nil {
		s.Log.Error("handler failed", "route", route, "err", err)
		out = events.APIGatewayV2HTTPResponse{StatusCode: http.StatusInternalServerError, Body: `{"message":"Internal Server Error"}`}
	}
	if uploaded && out.StatusCode >= 300 {
		s.discard(&e)
	}
	s.respond(w, r, out)
}

// event makes the event of a request, without its body.
func (s *Server) event(r *http.Request, route string) events.APIGatewayV2HTTPRequest {
	ip, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		ip = r.RemoteAddr
	}
	now := time.Now()
	e := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: route, RawPath: r.URL.Path, RawQueryString: r.URL.RawQuery, Headers: map[string]string{},
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey: route, Stage: "$default", DomainName: r.Host, Time: now.Format("02/Jan/2006:15:04:05 -0700"), TimeEpoch: now.UnixMilli(),
			RequestID: fmt.Sprintf("local-%x", now.UnixNano()),
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method: r.Method, Path: r.URL.Path, Protocol: r.Proto, SourceIP: ip, UserAgent: r.UserAgent(),
			},
		},
	}
	for name, values := range r.Header {
		name = strings.ToLower(name)
		switch {
		case name == "cookie":
			e.Cookies = strings.Split(strings.Join(values, "; "), "; ")
		case !strings.HasPrefix(name, "x-dropstack-"):
			e.Headers[name] = strings.Join(values, ",")
		}
	}
	e.Headers["host"], e.Headers["x-dropstack-edge"] = r.Host, "1"
	if s.Owner(r) {
		e.Headers["x-dropstack-owner"] = "1"
	}
	e.QueryStringParameters = joined(r.URL.Query())
	if names := wildcards(route); len(names) > 0 {
		e.PathParameters = map[string]string{}
		for _, n := range names {
			e.PathParameters[n] = r.PathValue(n)
		}
	}
	return e
}

func joined(q url.Values) map[string]string {
	if len(q) == 0 {
		return nil
	}
	m := make(map[string]string, len(q))
	for k, v := range q {
		m[k] = strings.Join(v, ",")
	}
	return m
}

// wildcards are the names in a route's {braces}.
func wildcards(route string) (names []string) {
	for {
		_, rest, ok := strings.Cut(route, "{")
		if !ok {
			return names
		}
		name, after, _ := strings.Cut(rest, "}")
		names, route = append(names, name), after
	}
}

// setBody encodes the body as HTTP APIs do: base64 unless it is a text type.
func setBody(e *events.APIGatewayV2HTTPRequest, b []byte) {
	kind, _, _ := mime.ParseMediaType(e.Headers["content-type"])
	text := strings.HasPrefix(kind, "text/") || kind == "application/json" || kind == "application/xml" || kind == "application/javascript" || strings.HasSuffix(kind, "+json")
	e.Body, e.IsBase64Encoded = string(b), false
	if !text && len(b) > 0 {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(b), true
	}
}

// respond writes a result, and the object that it names.
func (s *Server) respond(w http.ResponseWriter, r *http.Request, out events.APIGatewayV2HTTPResponse) {
	object := ""
	for k, v := range out.Headers {
		if strings.EqualFold(k, "x-dropstack-send-object") {
			object = v
			continue
		}
		w.Header().Set(k, v)
	}
	for _, c := range out.Cookies {
		w.Header().Add("Set-Cookie", c)
	}
	if object != "" {
		s.send(w, r, object)
		return
	}
	body := []byte(out.Body)
	if out.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(out.Body); err != nil {
			s.Log.Error("a handler's body is not base64", "err", err)
		}
	}
	w.WriteHeader(out.StatusCode)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client may be gone
	}
}

func (s *Server) send(w http.ResponseWriter, r *http.Request, object string) {
	bucket, escaped, _ := strings.Cut(object, "/")
	key, err := url.PathUnescape(escaped)
	if err != nil {
		http.Error(w, "the object's name is not understood", http.StatusBadGateway)
		return
	}
	f, err := s.Blobs.Open(bucket, key)
	if err != nil {
		http.Error(w, "the object is gone", http.StatusNotFound)
		return
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		http.Error(w, "the object is gone", http.StatusNotFound)
		return
	}
	http.ServeContent(w, r, "", info.ModTime(), f)
}
