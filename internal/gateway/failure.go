package gateway

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/dropstack/dropstack/internal/fault"
)

// cause is why the gateway answers a request itself.
type cause uint8

const (
	noRoute cause = iota
	functionFailed
	internal
	timedOut
	functionBusy // Lambda refuses for now
	unavailable
	tooLarge
	unreadable
	wrongType
	unsigned
	badSignature
	expired
	unauthorized
	denied
	authorizerFailed
	authorizerWrong // it has answered something that is no answer
	badKey
	throttled
	overQuota
	badParameters
	badBody
	unreachable // of IntegrationHTTP
)

// failure is an answer that the gateway makes itself, as an error.
type failure struct {
	cause
	message   string // in place of the cause's own words
	detail    string // what is wrong with a body
	challenge string // WWW-Authenticate
	err       error  // for the log; nil when it is the client's doing alone
}

func (f *failure) Error() string {
	if f.err != nil {
		return f.err.Error()
	}
	return f.message
}

func (f *failure) Unwrap() error { return f.err }

// wording is how a kind of API tells a cause.
type wording struct {
	status  int
	kind    string // gateway response type
	code    string // X-Amzn-Errortype
	message string // "": null
}

// worded holds each kind's words. AWS's guide ("Handling Lambda errors with an API
// Gateway API") has a REST API answer 500 when Lambda refuses the invocation, as it
// does when throttling, and 502 when the function fails or answers nonsense. For
// HTTP APIs the guide is silent on throttling; 503 is what clients have seen. A
// function URL answers 429 then, and 502 to every failure of the function, its
// timeout included ("Invoking Lambda function URLs", and recordings of others).
// The types are those of "Gateway response types for API Gateway".
var worded = map[string]map[cause]wording{
	REST: {
		noRoute:          {403, "MISSING_AUTHENTICATION_TOKEN", "MissingAuthenticationTokenException", "Missing Authentication Token"},
		functionFailed:   {502, "DEFAULT_5XX", "InternalServerErrorException", "Internal server error"},
		internal:         {500, "DEFAULT_5XX", "InternalServerErrorException", "Internal server error"},
		timedOut:         {504, "INTEGRATION_TIMEOUT", "InternalServerErrorException", "Endpoint request timed out"},
		functionBusy:     {500, "DEFAULT_5XX", "InternalServerErrorException", "Internal server error"},
		unavailable:      {500, "DEFAULT_5XX", "InternalServerErrorException", "Internal server error"},
		tooLarge:         {413, "REQUEST_TOO_LARGE", "RequestTooLargeException", "Request Too Long"},
		unreadable:       {400, "DEFAULT_4XX", "BadRequestException", "The request's body could not be read"},
		wrongType:        {415, "UNSUPPORTED_MEDIA_TYPE", "UnsupportedMediaTypeException", "Unsupported Media Type"},
		unsigned:         {403, "MISSING_AUTHENTICATION_TOKEN", "MissingAuthenticationTokenException", "Missing Authentication Token"},
		badSignature:     {403, "INVALID_SIGNATURE", "InvalidSignatureException", "The request signature we calculated does not match the signature you provided."},
		expired:          {403, "EXPIRED_TOKEN", "ExpiredTokenException", "The security token included in the request is expired"},
		unauthorized:     {401, "UNAUTHORIZED", "UnauthorizedException", "Unauthorized"},
		denied:           {403, "ACCESS_DENIED", "AccessDeniedException", "User is not authorized to access this resource"},
		authorizerFailed: {500, "AUTHORIZER_FAILURE", "AuthorizerFailureException", ""},
		authorizerWrong:  {500, "AUTHORIZER_CONFIGURATION_ERROR", "AuthorizerConfigurationException", ""},
		badKey:           {403, "INVALID_API_KEY", "ForbiddenException", "Forbidden"},
		throttled:        {429, "THROTTLED", "TooManyRequestsException", "Too Many Requests"},
		overQuota:        {429, "QUOTA_EXCEEDED", "LimitExceededException", "Limit Exceeded"},
		badParameters:    {400, "BAD_REQUEST_PARAMETERS", "BadRequestException", "Missing required request parameters"},
		badBody:          {400, "BAD_REQUEST_BODY", "BadRequestException", "Invalid request body"},
		unreachable:      {504, "INTEGRATION_FAILURE", "InternalServerErrorException", "Network error communicating with endpoint"},
	},
	HTTP: {
		noRoute:          {status: 404, message: "Not Found"},
		functionFailed:   {status: 500, message: "Internal Server Error"},
		internal:         {status: 500, message: "Internal Server Error"},
		timedOut:         {status: 503, message: "Service Unavailable"},
		functionBusy:     {status: 503, message: "Service Unavailable"},
		unavailable:      {status: 503, message: "Service Unavailable"},
		tooLarge:         {status: 413, message: "Request Entity Too Large"},
		unreadable:       {status: 400, message: "The request's body could not be read"},
		unsigned:         {status: 403, message: "Forbidden"},
		badSignature:     {status: 403, message: "Forbidden"},
		expired:          {status: 403, message: "Forbidden"},
		unauthorized:     {status: 401, message: "Unauthorized"},
		denied:           {status: 403, message: "Forbidden"},
		authorizerFailed: {status: 500, message: "Internal Server Error"},
		authorizerWrong:  {status: 500, message: "Internal Server Error"},
		throttled:        {status: 429, message: "Too Many Requests"},
		unreachable:      {status: 503, message: "Service Unavailable"},
	},
	URL: {
		functionFailed: {status: 502, message: "Internal Server Error"},
		internal:       {status: 500, message: "Internal Server Error"},
		functionBusy:   {status: 429, code: "TooManyRequestsException", message: "Rate Exceeded."},
		unavailable:    {status: 503, message: "Service Unavailable"},
		tooLarge:       {status: 413, message: "Request Too Long"},
		unreadable:     {status: 400, message: "The request's body could not be read"},
	},
}

// words are how the API tells a failure.
func (s *server) words(f *failure) wording {
	w, ok := worded[s.api.Kind][f.cause]
	if !ok { // the kind has no such cause
		w = worded[s.api.Kind][internal]
	}
	if f.message != "" && (s.api.Kind == REST || f.cause == tooLarge || f.cause == unreadable) {
		w.message = f.message
	}
	return w
}

// invokeFailure says what the client learns of an invocation that did not run.
func invokeFailure(err error) *failure {
	switch fault.KindOf(err) {
	case fault.TooLarge:
		return &failure{cause: tooLarge, message: err.Error(), err: err}
	case fault.Throttled:
		return &failure{cause: functionBusy, err: err}
	case fault.Unavailable:
		return &failure{cause: unavailable, err: err}
	}
	if errors.Is(err, errTimeout) {
		return &failure{cause: timedOut, err: err}
	}
	return &failure{cause: internal, err: err}
}

// refuse answers a request that may go no further; what is not the client's doing
// is logged.
func (s *server) refuse(w http.ResponseWriter, r *request, err error) {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		f = &failure{cause: internal, err: err}
	}
	if f.err != nil {
		s.log(r, r.invoked, f.err)
	}
	s.fail(w, r, f)
}

func (s *server) fail(w http.ResponseWriter, r *request, f *failure) {
	own := s.words(f)
	r.failed = &failed{wording: own, detail: f.detail}
	h := w.Header()
	if own.code != "" {
		h.Set("X-Amzn-Errortype", own.code)
	}
	if f.challenge != "" {
		h.Set("Www-Authenticate", f.challenge)
	}
	media, body := "application/json", own.body(s.api.Kind)
	if custom := s.responses.find(own); custom != nil {
		own.status, media, body = custom.make(r, own.status, body, h)
	}
	if s.cors != nil {
		s.cors.apply(h, r.Request)
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", media)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(own.status)
	if r.Method != http.MethodHead {
		w.Write(body)
	}
}

// body is the answer's body when nobody has another. A REST API writes the name
// with a capital where it denies; a function URL's 502 is bare, whatever its type
// says.
func (w wording) body(kind string) []byte {
	if kind == URL && w.status == http.StatusBadGateway {
		return []byte(w.message)
	}
	name := "message"
	if w.kind == "ACCESS_DENIED" {
		name = "Message"
	}
	var message any
	if w.message != "" {
		message = w.message
	}
	body, err := json.Marshal(map[string]any{name: message})
	if err != nil {
		return []byte("{}")
	}
	return body
}

// failed is a failure that has been told, for $context.error.
type failed struct {
	wording
	detail string
}

// customised are a REST API's own gateway responses, by type.
type customised map[string]*gatewayResponse

// gatewayResponse is a Response, read once.
type gatewayResponse struct {
	status    int
	headers   map[string]origin
	templates map[string]template
}

// responseTypes are the gateway response types.
var responseTypes = []string{
	"ACCESS_DENIED", "API_CONFIGURATION_ERROR", "AUTHORIZER_CONFIGURATION_ERROR", "AUTHORIZER_FAILURE",
	"BAD_REQUEST_BODY", "BAD_REQUEST_PARAMETERS", "DEFAULT_4XX", "DEFAULT_5XX", "EXPIRED_TOKEN",
	"INTEGRATION_FAILURE", "INTEGRATION_TIMEOUT", "INVALID_API_KEY", "INVALID_SIGNATURE",
	"MISSING_AUTHENTICATION_TOKEN", "QUOTA_EXCEEDED", "REQUEST_TOO_LARGE", "RESOURCE_NOT_FOUND", "THROTTLED",
	"UNAUTHORIZED", "UNSUPPORTED_MEDIA_TYPE", "WAF_FILTERED",
}

// find returns what stands for an answer: a response of its own type, or of the
// default of its class. An answer that is not typed has none.
func (c customised) find(w wording) *gatewayResponse {
	if len(c) == 0 || w.kind == "" {
		return nil
	}
	if own := c[w.kind]; own != nil {
		return own
	}
	if w.status < 500 {
		return c["DEFAULT_4XX"]
	}
	return c["DEFAULT_5XX"]
}

// make fills the response in. Without a template the body stays what it was.
func (g *gatewayResponse) make(r *request, status int, body []byte, h http.Header) (int, string, []byte) {
	if g.status != 0 {
		status = g.status
	}
	for name, from := range g.headers {
		if value, ok := from.of(r); ok {
			h[name] = append(h[name], value)
		}
	}
	if len(g.templates) == 0 {
		return status, "application/json", body
	}
	media := g.media(r.Header.Get("Accept"))
	return status, media, []byte(g.templates[media].fill(r, plainly))
}

// media is the type of the template that answers: the first that the client asks
// for, else JSON, else the first there is.
func (g *gatewayResponse) media(accept string) string {
	for media := range mediaTypes(accept) {
		if _, ok := g.templates[media]; ok {
			return media
		}
	}
	if _, ok := g.templates["application/json"]; ok {
		return "application/json"
	}
	return slices.Min(slices.Collect(maps.Keys(g.templates)))
}
