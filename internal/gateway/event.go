package gateway

import (
	"encoding/base64"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/trace"
)

// clf is the time format of requestTime and time.
const clf = "02/Jan/2006:15:04:05 -0700"

// request is an HTTP request with what both formats need of it, and what has become
// of it so far.
type request struct {
	*http.Request
	match
	api  *API
	at   time.Time
	id   string // HTTP: like extended; else a UUID
	ext  string // extended request id
	body []byte

	who   *iam.Principal // who has signed it
	grant *grant         // what an authorizer has answered
	key   *APIKey        // that it came with, and needs

	span              trace.Span
	failed            *failed // how the gateway has answered itself
	authorizerError   string
	invoked           function.Result // without its payload
	integrationStatus int
	integrationError  string
	took              time.Duration // the integration
	sent              sent          // what was answered, for the access log
}

// restEvent is payload format 1.0. What a request does not have is null.
type restEvent struct {
	Resource        string              `json:"resource"`
	Path            string              `json:"path"` // without the stage, still escaped
	HTTPMethod      string              `json:"httpMethod"`
	Headers         map[string]string   `json:"headers"` // last value of each
	MultiHeaders    map[string][]string `json:"multiValueHeaders"`
	Query           map[string]string   `json:"queryStringParameters"` // last value of each, decoded
	MultiQuery      map[string][]string `json:"multiValueQueryStringParameters"`
	PathParameters  map[string]string   `json:"pathParameters"`
	StageVariables  map[string]string   `json:"stageVariables"`
	RequestContext  restContext         `json:"requestContext"`
	Body            *string             `json:"body"`
	IsBase64Encoded bool                `json:"isBase64Encoded"`
}

type restContext struct {
	ResourceID        string         `json:"resourceId"`
	ResourcePath      string         `json:"resourcePath"`
	HTTPMethod        string         `json:"httpMethod"`
	ExtendedRequestID string         `json:"extendedRequestId"`
	RequestTime       string         `json:"requestTime"`
	Path              string         `json:"path"` // with the stage
	AccountID         string         `json:"accountId"`
	Protocol          string         `json:"protocol"`
	Stage             string         `json:"stage"`
	DomainPrefix      string         `json:"domainPrefix"`
	RequestTimeEpoch  int64          `json:"requestTimeEpoch"` // milliseconds
	RequestID         string         `json:"requestId"`
	Identity          restIdentity   `json:"identity"`
	DomainName        string         `json:"domainName"`
	APIID             string         `json:"apiId"`
	Authorizer        map[string]any `json:"authorizer"`
}

type restIdentity struct {
	AccessKey                     *string `json:"accessKey"`
	AccountID                     *string `json:"accountId"`
	APIKey                        *string `json:"apiKey"`
	APIKeyID                      *string `json:"apiKeyId"`
	Caller                        *string `json:"caller"`
	ClientCert                    *string `json:"clientCert"`
	CognitoAuthenticationProvider *string `json:"cognitoAuthenticationProvider"`
	CognitoAuthenticationType     *string `json:"cognitoAuthenticationType"`
	CognitoIdentityID             *string `json:"cognitoIdentityId"`
	CognitoIdentityPoolID         *string `json:"cognitoIdentityPoolId"`
	PrincipalOrgID                *string `json:"principalOrgId"`
	SourceIP                      string  `json:"sourceIp"`
	User                          *string `json:"user"`
	UserAgent                     *string `json:"userAgent"`
	UserArn                       *string `json:"userArn"`
}

func (r *request) rest() restEvent {
	domain := domainName(r.Host)
	e := restEvent{
		Resource:       r.resource.path,
		Path:           r.URL.EscapedPath(),
		HTTPMethod:     r.Method,
		PathParameters: r.parameters(),
		StageVariables: r.api.Variables,
		RequestContext: restContext{
			ResourceID: r.target.resourceID, ResourcePath: r.resource.path, HTTPMethod: r.Method,
			ExtendedRequestID: r.ext, RequestTime: r.at.Format(clf), RequestTimeEpoch: r.at.UnixMilli(),
			Path: r.stagedPath(), AccountID: arn.Account, Protocol: r.Proto,
			Stage: r.api.Stage, DomainName: domain, DomainPrefix: domainPrefix(domain),
			RequestID: r.id, APIID: r.api.ID,
			Identity: r.identity(), Authorizer: r.grant.first(r.api.Kind),
		},
	}
	e.Headers, e.MultiHeaders = r.restHeaders()
	e.Query, e.MultiQuery = restQuery(r.URL.RawQuery)
	if len(r.body) > 0 {
		text := string(r.body) // bytes that are no UTF-8 become U+FFFD, as on AWS
		if e.IsBase64Encoded = matchesType(r.api.BinaryTypes, r.Header.Get("Content-Type")); e.IsBase64Encoded {
			text = base64.StdEncoding.EncodeToString(r.body)
		}
		e.Body = &text
	}
	return e
}

// identity is who asks, as format 1.0 has it.
func (r *request) identity() restIdentity {
	id := restIdentity{SourceIP: sourceIP(r.RemoteAddr)}
	if agent := r.UserAgent(); agent != "" {
		id.UserAgent = &agent
	}
	if who := r.who; who != nil {
		id.AccessKey, id.AccountID, id.UserArn = &who.AccessKeyID, &who.AccountID, &who.ARN
		id.Caller, id.User = &who.UserID, &who.UserID
	}
	if r.key != nil {
		id.APIKey, id.APIKeyID = &r.key.Value, &r.key.ID
	}
	return id
}

func (r *request) restHeaders() (map[string]string, map[string][]string) {
	last, all := map[string]string{}, map[string][]string{}
	for name, values := range r.Header {
		if len(values) > 0 {
			last[name], all[name] = values[len(values)-1], values
		}
	}
	if r.Host != "" {
		last["Host"], all["Host"] = r.Host, []string{r.Host}
	}
	if len(last) == 0 {
		return nil, nil
	}
	return last, all
}

func restQuery(raw string) (map[string]string, map[string][]string) {
	pairs := parseQuery(raw)
	if len(pairs) == 0 {
		return nil, nil
	}
	last, all := map[string]string{}, map[string][]string{}
	for _, p := range pairs {
		last[p[0]], all[p[0]] = p[1], append(all[p[0]], p[1])
	}
	return last, all
}

// firstEvent is payload format 1.0 as HTTP APIs give it: with its version, the stage
// in the path, and text as text.
type firstEvent struct {
	Version string `json:"version"`
	restEvent
}

func (r *request) first() firstEvent {
	e := firstEvent{"1.0", r.rest()}
	e.Resource, e.RequestContext.ResourcePath = r.target.Path, r.target.Path
	e.Path, e.RequestContext.Path = rawPath(r.api.Stage, r.URL.Path), rawPath(r.api.Stage, r.URL.Path)
	if len(r.body) > 0 {
		text, encoded := r.text()
		e.Body, e.IsBase64Encoded = &text, encoded
	}
	return e
}

// httpEvent is payload format 2.0. What a request does not have is absent.
type httpEvent struct {
	Version         string            `json:"version"`
	RouteKey        string            `json:"routeKey"`
	RawPath         string            `json:"rawPath"` // with the stage unless it is $default; decoded
	RawQueryString  string            `json:"rawQueryString"`
	Cookies         []string          `json:"cookies,omitempty"`
	Headers         map[string]string `json:"headers"` // lower case, repeated ones joined with ","
	Query           map[string]string `json:"queryStringParameters,omitempty"`
	RequestContext  httpContext       `json:"requestContext"`
	Body            string            `json:"body,omitempty"`
	PathParameters  map[string]string `json:"pathParameters,omitempty"`
	StageVariables  map[string]string `json:"stageVariables,omitempty"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

type httpContext struct {
	AccountID    string          `json:"accountId"`
	APIID        string          `json:"apiId"`
	Authorizer   *httpAuthorizer `json:"authorizer,omitempty"`
	DomainName   string          `json:"domainName"`
	DomainPrefix string          `json:"domainPrefix"`
	HTTP         httpDetails     `json:"http"`
	RequestID    string          `json:"requestId"`
	RouteKey     string          `json:"routeKey"`
	Stage        string          `json:"stage"`
	Time         string          `json:"time"`
	TimeEpoch    int64           `json:"timeEpoch"` // milliseconds
}

type httpDetails struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

func (r *request) http() httpEvent {
	return r.second(rawPath(r.api.Stage, r.URL.Path))
}

// second is format 2.0 with a path as the kind of API gives it.
func (r *request) second(path string) httpEvent {
	domain := domainName(r.Host)
	e := httpEvent{
		Version: "2.0", RouteKey: r.target.Key(), RawPath: path, RawQueryString: r.URL.RawQuery,
		PathParameters: r.parameters(), StageVariables: r.api.Variables,
		RequestContext: httpContext{
			AccountID: arn.Account, APIID: r.api.ID, Authorizer: r.authorizer(), DomainName: domain, DomainPrefix: domainPrefix(domain),
			HTTP: httpDetails{
				Method: r.Method, Path: path, Protocol: r.Proto,
				SourceIP: sourceIP(r.RemoteAddr), UserAgent: r.UserAgent(),
			},
			RequestID: r.id, RouteKey: r.target.Key(), Stage: r.api.Stage,
			Time: r.at.Format(clf), TimeEpoch: r.at.UnixMilli(),
		},
	}
	e.Headers, e.Cookies = r.httpHeaders()
	for _, p := range parseQuery(r.URL.RawQuery) {
		if e.Query == nil {
			e.Query = map[string]string{}
		}
		if old, again := e.Query[p[0]]; again {
			p[1] = old + "," + p[1]
		}
		e.Query[p[0]] = p[1]
	}
	e.Body, e.IsBase64Encoded = r.text()
	return e
}

// text is the body as HTTP APIs and function URLs pass it. Text that is not UTF-8
// cannot stand in JSON; as base64 nothing is lost.
func (r *request) text() (body string, encoded bool) {
	if len(r.body) > 0 && (!isText(r.Header.Get("Content-Type")) || !utf8.Valid(r.body)) {
		return base64.StdEncoding.EncodeToString(r.body), true
	}
	return string(r.body), false
}

func (r *request) httpHeaders() (headers map[string]string, cookies []string) {
	headers = make(map[string]string, len(r.Header)+1)
	for name, values := range r.Header {
		if name == "Cookie" {
			for c := range strings.SplitSeq(strings.Join(values, ";"), ";") {
				if c = strings.TrimSpace(c); c != "" {
					cookies = append(cookies, c)
				}
			}
			continue
		}
		headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	if r.Host != "" {
		headers["host"] = r.Host
	}
	return headers, cookies
}

// stagedPath is the path with the stage, as a REST API tells it.
func (r *request) stagedPath() string {
	if r.api.Kind != REST {
		return rawPath(r.api.Stage, r.URL.Path)
	}
	return "/" + r.api.Stage + r.URL.EscapedPath()
}

// rawPath is the decoded path as HTTP APIs pass it: what follows a decoded "?" is
// lost there, and a named stage is part of it.
func rawPath(stage, path string) string {
	path, _, _ = strings.Cut(path, "?")
	if stage != catchAll {
		path = "/" + stage + path
	}
	return path
}

// parseQuery splits at "&" only; what does not decode stays as it was sent.
func parseQuery(raw string) [][2]string {
	var out [][2]string
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		out = append(out, [2]string{unescape(name), unescape(value)})
	}
	return out
}

func unescape(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

func domainName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

func domainPrefix(domain string) string {
	prefix, _, _ := strings.Cut(domain, ".")
	return prefix
}

func sourceIP(remote string) string {
	if ip, _, err := net.SplitHostPort(remote); err == nil {
		return ip
	}
	return remote
}

// matchesType says whether a media type is on a list of binary types, which may
// hold "*/*" and "image/*".
func matchesType(list []string, header string) bool {
	media := strings.ToLower(strings.TrimSpace(header))
	media, _, _ = strings.Cut(media, ";")
	media = strings.TrimSpace(media)
	for _, t := range list {
		t = strings.ToLower(t)
		if t == "*/*" || t == media && media != "" {
			return true
		}
		if family, ok := strings.CutSuffix(t, "/*"); ok && strings.HasPrefix(media, family+"/") {
			return true
		}
	}
	return false
}

// isText says whether an HTTP API passes a body of this type as it is.
func isText(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		media, _, _ = strings.Cut(strings.ToLower(contentType), ";")
	}
	if strings.HasPrefix(media, "text/") {
		return true
	}
	switch media {
	case "application/json", "application/xml", "application/javascript":
		return true
	}
	return strings.HasSuffix(media, "+json") || strings.HasSuffix(media, "+xml")
}
