package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/function"
)

// integrate passes a request on to where its route leads.
func (s *server) integrate(w http.ResponseWriter, r *request) {
	switch r.target.Integration {
	case IntegrationAsync, IntegrationEvent:
		s.mapped(w, r)
	case IntegrationHTTP:
		s.forward(w, r)
	case IntegrationMock:
		r.integrationStatus = http.StatusOK
		r.mappedResponse(http.StatusOK, nil).write(w, r.Request, nil)
	default:
		s.invoke(w, r)
	}
}

// mappedEvent is what the Serverless Framework's default request templates make of a
// request, for functions that do not answer it themselves.
type mappedEvent struct {
	Body            json.RawMessage   `json:"body"`
	Method          string            `json:"method"`
	PrincipalID     string            `json:"principalId"`
	Stage           string            `json:"stage"`
	CognitoPool     map[string]string `json:"cognitoPoolClaims"`
	EnhancedContext map[string]string `json:"enhancedAuthContext"`
	Headers         map[string]string `json:"headers"`
	Query           map[string]string `json:"query"`
	Path            map[string]string `json:"path"`
	Identity        map[string]string `json:"identity"`
	StageVariables  map[string]string `json:"stageVariables"`
	RequestPath     string            `json:"requestPath"`
}

// mapped gives a function the framework's event. An asynchronous one is not waited
// for: the event is on disk when the client is answered.
func (s *server) mapped(w http.ResponseWriter, r *request) {
	e, err := r.mappedEvent()
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	event, err := json.Marshal(e)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	inv := function.Invocation{Function: r.target.Function, Payload: event, Marshalled: true, TraceID: r.Header.Get("X-Amzn-Trace-Id"), Trigger: r.trigger()}
	if r.target.Integration == IntegrationEvent {
		res, err := s.call(r, inv)
		s.result(w, r, res, err)
		return
	}
	began := time.Now()
	err = s.gateway.Events.Enqueue(context.WithoutCancel(r.Context()), inv)
	r.done(function.Result{}, time.Since(began), err)
	if err != nil {
		s.refuse(w, r, invokeFailure(err))
		return
	}
	r.mappedResponse(http.StatusOK, []byte("{}")).write(w, r.Request, nil)
}

// result answers with what a function returned, as the framework's default response
// templates do: as it is, and with a status of its own when it failed and the
// message holds one in brackets.
func (s *server) result(w http.ResponseWriter, r *request, res function.Result, err error) {
	if err != nil {
		s.refuse(w, r, invokeFailure(err))
		return
	}
	status := http.StatusOK
	if res.FunctionError != "" {
		s.log(r, res, fmt.Errorf("function error %s", res.ErrorType))
		status = mappedStatus(res.Payload)
	}
	s.compressed(r, r.mappedResponse(status, res.Payload)).write(w, r.Request, nil)
}

// mappedResponse is a response that no function has made. Of a route with CORS it
// tells the origins, all of them in one header, as the framework writes it.
func (r *request) mappedResponse(status int, body []byte) response {
	out := response{status: status, body: body, media: "application/json"}
	if c := r.target.CORS; c != nil {
		out.headers = append(out.headers, header{"Access-Control-Allow-Origin", []string{strings.Join(or(c.Origins, []string{"*"}), ",")}})
		if c.AllowCredentials {
			out.headers = append(out.headers, header{"Access-Control-Allow-Credentials", []string{"true"}})
		}
	}
	return out
}

// patterns are the framework's default selection patterns, in its order.
var patterns = []struct {
	status int
	match  *regexp.Regexp
}{
	{400, regexp.MustCompile(`\[400\]`)},
	{401, regexp.MustCompile(`\[401\]`)},
	{403, regexp.MustCompile(`\[403\]`)},
	{404, regexp.MustCompile(`\[404\]`)},
	{422, regexp.MustCompile(`\[422\]`)},
	{500, regexp.MustCompile(`Process\s?exited\s?before\s?completing\s?request|\[500\]`)},
	{502, regexp.MustCompile(`\[502\]`)},
	{504, regexp.MustCompile(`\[504\]|^.*Task timed out after \d+\.\d+ seconds$`)},
}

// mappedStatus is the status for a function's error. A message that no pattern
// matches is answered with 200, as API Gateway does.
func mappedStatus(payload []byte) int {
	var failed struct {
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal(payload, &failed) != nil {
		return http.StatusOK
	}
	for _, p := range patterns {
		if p.match.MatchString(failed.Message) {
			return p.status
		}
	}
	return http.StatusOK
}

func (r *request) mappedEvent() (mappedEvent, error) {
	body, err := r.mappedBody()
	if err != nil {
		return mappedEvent{}, err
	}
	headers, _ := r.restHeaders()
	query, _ := restQuery(r.URL.RawQuery)
	subject, _ := r.variable("authorizer.claims.sub")
	return mappedEvent{
		Body: body, Method: r.Method, PrincipalID: r.allowed().principal, Stage: r.api.Stage,
		CognitoPool: map[string]string{"sub": subject}, EnhancedContext: r.mappedContext(),
		Headers: some(headers), Query: some(query), Path: some(r.parameters()), Identity: r.mappedIdentity(),
		StageVariables: some(r.api.Variables), RequestPath: r.resource.path,
	}, nil
}

// some is a map that is never null.
func some(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

func (r *request) mappedContext() map[string]string {
	out := map[string]string{}
	if r.grant == nil {
		return out
	}
	for name, value := range r.grant.first(r.api.Kind) {
		out[name] = fmt.Sprint(value)
	}
	return out
}

// mappedIdentity has every part of who asks, empty where there is none; of keys only
// when there is one.
func (r *request) mappedIdentity() map[string]string {
	out := map[string]string{}
	for _, name := range []string{
		"accessKey", "accountId", "caller", "cognitoAuthenticationProvider", "cognitoAuthenticationType", "cognitoIdentityId",
		"cognitoIdentityPoolId", "principalOrgId", "sourceIp", "user", "userAgent", "userArn",
	} {
		out[name], _ = r.variable("identity." + name)
	}
	if r.key != nil {
		out["apiKey"], out["apiKeyId"] = r.key.Value, r.key.ID
	}
	return out
}

// mappedBody is the body as the templates read it: JSON, or a form. Other types have
// no template and are not passed through.
func (r *request) mappedBody() (json.RawMessage, error) {
	switch contentType(r.Header) {
	case "application/json":
		if len(bytes.TrimSpace(r.body)) == 0 {
			return json.RawMessage("{}"), nil
		}
		if !json.Valid(r.body) {
			return nil, &failure{cause: badBody, message: "Could not parse request body into json"}
		}
		return json.RawMessage(r.body), nil
	case "application/x-www-form-urlencoded":
		return json.Marshal(form(string(r.body)))
	}
	return nil, &failure{cause: wrongType}
}

// form reads a form as the template does, which is Java's idea of splitting: what is
// empty at the end does not count, and of a value only what stands before another
// "=".
func form(text string) map[string]string {
	out := map[string]string{}
	for _, token := range split(text, "&") {
		parts := split(token, "=")
		if len(parts) == 0 {
			continue
		}
		value := ""
		if len(parts) >= 2 {
			value = unescape(parts[1])
		}
		out[unescape(parts[0])] = value
	}
	return out
}

func split(text, at string) []string {
	if text == "" {
		return []string{""}
	}
	parts := strings.Split(text, at)
	for len(parts) > 0 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	return parts
}
