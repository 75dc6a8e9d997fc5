package gateway

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
)

// guard decides whether a request may pass. Its error is what the client is
// answered: a failure, or something that is ours.
type guard interface {
	admit(r *request) error
}

// guard returns what stands before a route; nil before one that is open. Check has
// found that the authorizer exists.
func (s *server) guard(r Route) guard {
	switch r.Authorizer {
	case "":
		return nil
	case AuthorizerIAM:
		return signed{s.gateway}
	}
	return s.guards[r.Authorizer].of(r)
}

// newGuards makes an API's authorizers, by name: its routes share what they
// remember.
func newGuards(s *server) map[string]guarded {
	guards := map[string]guarded{}
	for _, a := range s.api.Authorizers {
		if a.Kind == AuthorizerJWT {
			guards[a.Name] = newTokenGuard(s.gateway, a)
			continue
		}
		guards[a.Name] = newFunctionGuard(s, a)
	}
	return guards
}

// guarded is an authorizer of an API, which makes guards of its routes.
type guarded interface {
	of(r Route) guard
}

// invokeAction is what callers need permission for.
const invokeAction = "execute-api:Invoke"

// methodARN names what is called, as policies have it.
func (r *request) methodARN(region string) string {
	return arn.ARN{
		Partition: "aws", Service: "execute-api", Region: region, Account: arn.Account,
		Resource: r.api.ID + "/" + r.api.Stage + "/" + r.Method + r.plainPath(),
	}.String()
}

// plainPath is the path with one spelling for each place: policies compare text, and
// routes take a path however it is escaped.
func (r *request) plainPath() string {
	sent := r.URL.EscapedPath()
	if r.api.Kind == REST && len(sent) > 1 {
		sent = strings.TrimSuffix(sent, "/") // as the match has done
	}
	if !strings.Contains(sent, "%") {
		return sent
	}
	parts := strings.Split(sent, "/")
	for i, part := range parts {
		if plain, err := url.PathUnescape(part); err == nil {
			parts[i] = withinPart.Replace(plain)
		}
	}
	return strings.Join(parts, "/")
}

// withinPart keeps a slash within a part apart from those between parts, and from the
// text that it is written as.
var withinPart = strings.NewReplacer("/", "%2F", "%", "%25")

// signed lets pass who has signed a request and may call.
type signed struct{ gateway *Gateway }

func (g signed) admit(r *request) error {
	service, ok := iam.Scope(r.Request)
	if !ok {
		return &failure{cause: unsigned}
	}
	if service != "execute-api" {
		return &failure{cause: badSignature, message: "Credential should be scoped to correct service: 'execute-api'."}
	}
	who, _, _, err := g.gateway.Verify.Verify(r.asSent(), r.body)
	if err != nil {
		r.authorizerError = err.Error()
		if code := fault.CodeOf(err); code == "ExpiredToken" || code == "ExpiredTokenException" {
			return &failure{cause: expired, message: err.Error()}
		}
		return &failure{cause: badSignature, message: err.Error()}
	}
	if err := g.gateway.Authorize(r.calledBy(who), invokeAction, r.methodARN(g.gateway.Region), nil); err != nil {
		r.authorizerError = err.Error()
		if fault.KindOf(err) != fault.Denied {
			return &failure{cause: internal, err: err}
		}
		return &failure{cause: denied, message: err.Error()}
	}
	r.who = &who
	return nil
}

// asSent is the request with the path as the client has signed it: the edge may have
// taken the stage off.
func (r *request) asSent() *http.Request {
	u, err := url.ParseRequestURI(r.RequestURI)
	if err != nil {
		return r.Request
	}
	sent := r.WithContext(r.Context())
	sent.URL = u
	return sent
}

// calledBy is the request's context with the caller in it.
func (r *request) calledBy(who iam.Principal) context.Context {
	about := iam.Request{
		SourceIP: sourceIP(r.RemoteAddr), UserAgent: r.UserAgent(), Referer: r.Referer(),
		SecureTransport: r.TLS != nil, Time: time.Now(),
	}
	return iam.With(r.Context(), who, about)
}

// signer is who has signed the request; nobody, without a signature.
func (r *request) signer() iam.Principal {
	if r.who == nil {
		return iam.Principal{}
	}
	return *r.who
}

// httpAuthorizer is requestContext.authorizer of format 2.0.
type httpAuthorizer struct {
	IAM    *iamContext `json:"iam,omitempty"`
	JWT    *jwtContext `json:"jwt,omitempty"`
	Lambda any         `json:"lambda,omitempty"` // the context: null if the function gave none
}

type iamContext struct {
	AccessKey       string    `json:"accessKey"`
	AccountID       string    `json:"accountId"`
	CallerID        string    `json:"callerId"`
	CognitoIdentity *struct{} `json:"cognitoIdentity"`
	PrincipalOrgID  *string   `json:"principalOrgId"`
	UserARN         string    `json:"userArn"`
	UserID          string    `json:"userId"`
}

type jwtContext struct {
	Claims map[string]string `json:"claims"`
	Scopes []string          `json:"scopes"` // null unless the route asks for some
}

// authorizer is what format 2.0 says of who asks; nil of anybody.
func (r *request) authorizer() *httpAuthorizer {
	switch {
	case r.who != nil:
		return &httpAuthorizer{IAM: &iamContext{
			AccessKey: r.who.AccessKeyID, AccountID: r.who.AccountID, UserARN: r.who.ARN,
			CallerID: r.who.UserID, UserID: r.who.UserID,
		}}
	case r.grant == nil:
		return nil
	case r.grant.claims != nil:
		return &httpAuthorizer{JWT: &jwtContext{r.grant.claims, r.grant.scopes}}
	}
	return &httpAuthorizer{Lambda: r.grant.context}
}
