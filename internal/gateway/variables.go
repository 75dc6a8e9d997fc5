package gateway

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
)

// variable returns the value of a $context variable, given without "$context.";
// false when this request has none. They are those of "Variables for access logging
// for API Gateway" and "Customize HTTP API access logs", as far as what they speak of
// exists here.
func (r *request) variable(name string) (string, bool) {
	if read, ok := contextVariables[name]; ok {
		value := read(r)
		return value, value != ""
	}
	if property, ok := strings.CutPrefix(name, "authorizer."); ok {
		return r.granted(property)
	}
	return "", false
}

// granted is what an authorizer says under a name.
func (r *request) granted(property string) (string, bool) {
	if r.grant == nil {
		return "", false
	}
	if claim, ok := strings.CutPrefix(property, "claims."); ok {
		value, ok := r.grant.claims[claim]
		return value, ok
	}
	value, ok := r.grant.context[property]
	if !ok {
		return "", false
	}
	return fmt.Sprint(value), true
}

// contextVariables are read of requests, and once they are answered of the
// answers. "" is for none.
var contextVariables = map[string]func(r *request) string{
	"accountId":         func(*request) string { return arn.Account },
	"apiId":             func(r *request) string { return r.api.ID },
	"stage":             func(r *request) string { return r.api.Stage },
	"domainName":        func(r *request) string { return domainName(r.Host) },
	"domainPrefix":      func(r *request) string { return domainPrefix(domainName(r.Host)) },
	"requestId":         func(r *request) string { return r.id },
	"extendedRequestId": func(r *request) string { return r.ext },
	"requestTime":       func(r *request) string { return r.at.Format(clf) },
	"requestTimeEpoch":  func(r *request) string { return strconv.FormatInt(r.at.UnixMilli(), 10) },
	"xrayTraceId":       func(r *request) string { return strings.TrimPrefix(r.Header.Get("X-Amzn-Trace-Id"), "Root=") },
	"httpMethod":        func(r *request) string { return r.Method },
	"protocol":          func(r *request) string { return r.Proto },
	"path":              func(r *request) string { return r.stagedPath() },
	"resourcePath":      func(r *request) string { return r.route(func(t *target) string { return t.Path }) },
	"resourceId":        func(r *request) string { return r.route(func(t *target) string { return t.resourceID }) },
	"routeKey":          func(r *request) string { return r.route(func(t *target) string { return t.Key() }) },

	"identity.sourceIp":  func(r *request) string { return sourceIP(r.RemoteAddr) },
	"identity.userAgent": func(r *request) string { return r.UserAgent() },
	"identity.accountId": func(r *request) string { return r.signer().AccountID },
	"identity.accessKey": func(r *request) string { return r.signer().AccessKeyID },
	"identity.caller":    func(r *request) string { return r.signer().UserID },
	"identity.user":      func(r *request) string { return r.signer().UserID },
	"identity.userArn":   func(r *request) string { return r.signer().ARN },
	"identity.apiKey":    func(r *request) string { return r.keyed().Value },
	"identity.apiKeyId":  func(r *request) string { return r.keyed().ID },

	"authorizer.principalId":        func(r *request) string { return r.allowed().principal },
	"authorizer.latency":            func(r *request) string { return r.allowed().took() },
	"authorizer.integrationLatency": func(r *request) string { return r.allowed().took() },
	"authorizer.integrationStatus":  func(r *request) string { return r.allowed().status() },
	"authorizer.status":             func(r *request) string { return r.allowed().status() },
	"authorizer.requestId":          func(r *request) string { return r.allowed().request },
	"authorizer.error":              func(r *request) string { return r.authorizerError },
	"authorizer.claims":             func(*request) string { return "" }, // one by one only, as on AWS

	"error.message":               func(r *request) string { return r.told().message },
	"error.messageString":         func(r *request) string { return r.messageString() },
	"error.responseType":          func(r *request) string { return r.told().kind },
	"error.validationErrorString": func(r *request) string { return r.told().detail },

	"status":                        func(r *request) string { return number(int64(r.sent.status)) },
	"responseLength":                func(r *request) string { return strconv.FormatInt(r.sent.bytes, 10) },
	"dataProcessed":                 func(r *request) string { return strconv.FormatInt(r.sent.bytes+int64(len(r.body)), 10) },
	"responseLatency":               func(r *request) string { return milliseconds(r.sent.took) },
	"integrationLatency":            func(r *request) string { return milliseconds(r.took) },
	"integration.latency":           func(r *request) string { return milliseconds(r.took) },
	"integrationStatus":             func(r *request) string { return number(int64(r.integrationStatus)) },
	"integration.integrationStatus": func(r *request) string { return number(int64(r.integrationStatus)) },
	"integration.status":            func(r *request) string { return number(int64(r.integrationStatus)) },
	"integration.requestId":         func(r *request) string { return r.invoked.RequestID },
	"awsEndpointRequestId":          func(r *request) string { return r.invoked.RequestID },
	"integration.error":             func(r *request) string { return r.integrationError },
	"integrationErrorMessage":       func(r *request) string { return r.integrationError },
}

// number is n, or "" for zero.
func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// milliseconds is a duration that was measured; "" for none.
func milliseconds(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return strconv.FormatInt(d.Milliseconds(), 10)
}

func (r *request) route(of func(*target) string) string {
	if r.target == nil {
		return ""
	}
	return of(r.target)
}

// messageString is the message of a failure as a JSON string, which templates put
// into JSON as it is.
func (r *request) messageString() string {
	if r.failed == nil {
		return ""
	}
	if r.failed.message == "" {
		return "null"
	}
	return quoted(r.failed.message)
}

func (r *request) told() failed {
	if r.failed == nil {
		return failed{}
	}
	return *r.failed
}
