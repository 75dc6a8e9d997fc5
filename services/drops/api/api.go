// Package api answers the HTTP routes of drops and the direct invocations of
// other services. Requests are events of an HTTP API (payload 2.0); bytes of
// files never travel in them, uploads arrive as references to objects and
// downloads leave as such.
package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/dropstack/dropstack/services/drops/blob"
	"github.com/dropstack/dropstack/services/drops/drop"
	"github.com/dropstack/dropstack/services/drops/lock"
	"github.com/dropstack/dropstack/services/drops/process"
	"github.com/dropstack/dropstack/services/drops/store"
)

// Request and Response are shorter names.
type (
	Request  = events.APIGatewayV2HTTPRequest
	Response = events.APIGatewayV2HTTPResponse
)

// Headers that the edge and this service send each other. The edge removes them
// from what clients send.
const (
	headerOwner     = "x-dropstack-owner"            // 1: the owner of the installation
	headerPreflight = "x-dropstack-upload-preflight" // 1: may this upload begin?
	headerEdge      = "x-dropstack-edge"             // 1: the edge can send objects
	headerSend      = "x-dropstack-send-object"      // BUCKET/KEY, in responses
	uploadType      = "application/vnd.dropstack.upload+json"
)

// API has the handlers. All fields but UploadToken and ContentOrigin are
// required.
type API struct {
	Store         store.Store
	Blobs         blob.Store
	Sweeper       *process.Sweeper
	Steps         *process.Steps
	Key           lock.Key
	Bucket        string
	UploadToken   string // empty: only the owner uploads
	ContentOrigin string // "https://host" that serves /raw and /thumb; empty: the same
	Log           *slog.Logger
}

// handler is one route's function; its error is a *drop.Error or ours.
type handler func(ctx context.Context, r *Request) (Response, error)

// serve runs a handler and turns errors into {code, message, statusCode, errors}.
func (a *API) serve(ctx context.Context, r *Request, h handler) (Response, error) {
	out, err := h(ctx, r)
	if err == nil {
		return out, nil
	}
	e, ok := errors.AsType[*drop.Error](err)
	if !ok {
		a.Log.ErrorContext(ctx, "request failed", "route", r.RouteKey, "request", r.RequestContext.RequestID, "err", err)
		e = drop.Errorf(http.StatusInternalServerError, "Internal", "something went wrong here, not with your request; request id %s", r.RequestContext.RequestID)
	}
	out = jsonResponse(e.Status, e)
	if e.Status == http.StatusUnauthorized {
		out.Headers["Www-Authenticate"] = `Bearer realm="drops"`
		if strings.HasPrefix(e.Code, "ReadDrop.") {
			out.Headers["Www-Authenticate"] = `Basic realm="drop", charset="UTF-8"`
		}
	}
	if e.RetryAfter > 0 {
		out.Headers["Retry-After"] = strconv.Itoa(e.RetryAfter)
	}
	if prefers(r, "text/plain") {
		out.Body, out.Headers["Content-Type"] = e.Message+"\n", "text/plain; charset=utf-8"
	}
	return out, nil
}

func jsonResponse(status int, v any) Response {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // only for types that are not ours
	}
	return Response{StatusCode: status, Body: string(body), Headers: map[string]string{
		"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
	}}
}

// prefers reports whether kind is the first media type that the client accepts.
func prefers(r *Request, kind string) bool {
	accept, _, _ := strings.Cut(r.Headers["accept"], ",")
	accept, _, _ = strings.Cut(accept, ";")
	return strings.EqualFold(strings.TrimSpace(accept), kind)
}

// privileged reports whether the request is the owner's, or has the token.
func (a *API) privileged(r *Request) bool {
	return a.owner(r) || lock.Same(bearer(r), a.UploadToken)
}

// owner trusts the edge's mark, unless a page of another site made the browser
// send the request.
func (a *API) owner(r *Request) bool {
	if r.Headers[headerOwner] != "1" || r.Headers["sec-fetch-site"] == "cross-site" {
		return false
	}
	origin := r.Headers["origin"]
	if origin == "" {
		return true
	}
	o, err := url.Parse(origin)
	base, baseErr := url.Parse(a.base(r))
	return err == nil && baseErr == nil && o.Host != "" && strings.EqualFold(o.Host, base.Host)
}

func bearer(r *Request) string {
	scheme, token, _ := strings.Cut(r.Headers["authorization"], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

func errUnauthenticated() error {
	return drop.Errorf(http.StatusUnauthorized, "Authentication.Required", "this needs the header Authorization: Bearer TOKEN with the upload token, or the owner's own machine")
}

func errGone() error {
	return drop.Errorf(http.StatusGone, "ReadDrop.Gone", "this drop is expired, used up or deleted")
}

func errNoSuchDrop() error {
	return drop.Errorf(http.StatusNotFound, "ReadDrop.NoSuchDrop", "there is no drop with this code")
}

// base is the origin under which the client knows us.
func (a *API) base(r *Request) string { return drop.Base(r.Headers, r.RequestContext.DomainName) }

// content is the origin of the bytes.
func (a *API) content(base string) string {
	if a.ContentOrigin != "" {
		return strings.TrimSuffix(a.ContentOrigin, "/")
	}
	return base
}

func body(r *Request) ([]byte, error) {
	if !r.IsBase64Encoded {
		return []byte(r.Body), nil
	}
	b, err := base64.StdEncoding.DecodeString(r.Body)
	if err != nil {
		return nil, drop.Errorf(http.StatusBadRequest, "CreateDrop.BadBody", "the body is not base64: %v", err)
	}
	return b, nil
}

// living finds a drop that is neither expired nor deleted. One whose views are
// used up is still found.
func (a *API) living(ctx context.Context, code string) (drop.Drop, error) {
	if !drop.ValidCode(code) {
		return drop.Drop{}, errNoSuchDrop()
	}
	d, err := a.Store.Get(ctx, code)
	if err != nil {
		return drop.Drop{}, known(err)
	}
	if d.Expired(time.Now()) {
		return drop.Drop{}, errGone()
	}
	return d, nil
}

// known turns the store's errors into the API's.
func known(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return errNoSuchDrop()
	case errors.Is(err, store.ErrGone):
		return errGone()
	}
	return err
}

// source is what attempts are counted by: an address, or the /64 of an IPv6 one.
func source(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return "unknown"
	}
	if addr = addr.Unmap(); addr.Is4() {
		return addr.String()
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return addr.String()
	}
	return prefix.String()
}
