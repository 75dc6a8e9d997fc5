package cloudformation

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/gateway"
)

// calls reads the function that a method calls.
func (p *properties) calls(route *gateway.Route) {
	uri := p.text("Uri")
	p.known("IntegrationHttpMethod")
	_, rest, ok := strings.Cut(uri, "/functions/")
	name, streams := strings.CutSuffix(rest, "/response-streaming-invocations")
	name = strings.TrimSuffix(name, "/invocations")
	fn, wrong := functionName(name)
	switch {
	case strings.Contains(uri, "${stageVariables."):
		p.fail("Uri", "the function cannot be a stage variable's here: name it")
	case !ok:
		p.fail("Uri", "%q is not how a function is called: arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/ARN/invocations; other services are called from a function", uri)
	case wrong != "":
		p.fail("Uri", "%s", wrong)
	}
	route.Function = fn
	route.Stream = p.choice("ResponseTransferMode", "BUFFERED", "STREAM") == "STREAM" || streams
}

// untouched are parts of an integration that a proxy does not look at.
func (p *properties) untouched(names ...string) {
	p.idle("a proxy passes everything on as it is", names...)
}

// asynchronous is what the Serverless Framework has a method say that does not wait.
const asynchronous = "integration.request.header.X-Amz-Invocation-Type"

// frameworkTemplates are the SHA-256 of the templates that the Serverless Framework
// writes, without white space. The gateway makes the same event; it runs no other
// template.
var frameworkTemplates = map[string]string{
	"application/json":                  "04a6c0ddc35911f4457e349db360b0646a641c5f9da3130f0a01a541b016d9ef",
	"application/x-www-form-urlencoded": "ae0cde7faa65f3808cc6ff91aaca2cfc19aa1b0adeea7c8d6fa4d4c684d1342d",
}

// event reads an integration whose function gets the event of the framework's
// templates.
func (p *properties) event(route *gateway.Route) {
	route.Integration = gateway.IntegrationEvent
	parameters := p.object("RequestParameters")
	for name := range parameters.values {
		if value := parameters.text(name); name == asynchronous && value == "'Event'" {
			route.Integration = gateway.IntegrationAsync
		} else if own, ok := strings.CutPrefix(name, "integration."); !ok || value != "method."+own {
			parameters.fail(name, "it cannot be %q: parameters are passed on by their own names", value)
		}
	}
	templates := p.object("RequestTemplates")
	if len(templates.values) == 0 {
		p.fail("RequestTemplates", "it has to have those of the Serverless Framework (integration: lambda); use AWS_PROXY")
	}
	for kind := range templates.values {
		sum := sha256.Sum256([]byte(strings.Join(strings.Fields(templates.text(kind)), "")))
		if frameworkTemplates[kind] != hex.EncodeToString(sum[:]) {
			templates.fail(kind, "templates other than the Serverless Framework's are not run; use AWS_PROXY and let the function read the request")
		}
	}
	for _, answer := range p.each("IntegrationResponses") {
		answer.standard()
	}
}

// standard refuses answers that are not those of the framework: a status that is
// chosen by [status] in the function's error, and headers of CORS.
func (p *properties) standard() {
	p.need("StatusCode")
	status, selects := p.text("StatusCode"), p.text("SelectionPattern")
	if selects != "" && !strings.Contains(selects, `\[`+status+`\]`) && !strings.Contains(selects, "["+status+"]") {
		p.fail("SelectionPattern", "%q: a status is chosen by [%s] in the function's error here; use AWS_PROXY for others", selects, status)
	}
	for name := range p.pairs("ResponseParameters") {
		if !strings.HasPrefix(name, "method.response.header.Access-Control-") {
			p.fail("ResponseParameters", "%s is not set here; use AWS_PROXY and let the function say its headers", name)
		}
	}
	for kind, text := range p.pairs("ResponseTemplates") {
		if text != "" {
			p.fail("ResponseTemplates", "the template of %s is not run; use AWS_PROXY and let the function make its answer", kind)
		}
	}
	p.known("ContentHandling")
}

// sameMethod refuses a request to another server by another method.
func (p *properties) sameMethod(route *gateway.Route) {
	if method := strings.ToUpper(p.text("IntegrationHttpMethod")); method != "" && method != route.Method && route.Method != "ANY" && method != "ANY" {
		p.fail("IntegrationHttpMethod", "it is %s, but the method is %s: requests are passed on as they are", method, route.Method)
	}
	if !strings.HasPrefix(route.URL, "http://") && !strings.HasPrefix(route.URL, "https://") {
		p.fail("Uri", "%q is no URL of http or https", route.URL)
	}
}

// passed refuses parameters that are passed on by other names than their own.
func (p *properties) passed() {
	in := p.object("RequestParameters")
	for name := range in.values {
		if own, ok := strings.CutPrefix(name, "integration."); !ok || in.text(name) != "method."+own {
			in.fail(name, "it cannot be %q: parameters are passed on by their own names", in.text(name))
		}
	}
}

// mock reads a method that is answered without a function: preflight requests, or
// always with an empty 200.
func (p *properties) mock(route *gateway.Route) {
	route.Integration = gateway.IntegrationMock
	p.known("RequestTemplates", "IntegrationHttpMethod", "Uri")
	p.refuse("a mock answers 200 here, whatever is asked", "RequestParameters")
	for _, answer := range p.each("IntegrationResponses") {
		if status := answer.text("StatusCode"); status != "200" && status != "204" {
			answer.fail("StatusCode", "%q: a mock answers 200 here; let a function answer", status)
		}
		answer.known("ContentHandling", "SelectionPattern")
		headers := answer.pairs("ResponseParameters")
		if route.Method == "OPTIONS" && len(headers) > 0 {
			route.CORS = answer.preflight(headers)
		} else if len(headers) > 0 {
			answer.fail("ResponseParameters", "they are for OPTIONS here; let a function answer")
		}
		for kind, text := range answer.pairs("ResponseTemplates") {
			if text == "" {
				continue
			}
			if origins := originsOf(text); route.CORS != nil && len(origins) > 0 {
				route.CORS.Origins = origins
				continue
			}
			answer.fail("ResponseTemplates", "the template of %s is not run; let a function answer", kind)
		}
	}
}

// preflight makes CORS settings of the headers of a fixed answer.
func (p *properties) preflight(headers map[string]string) *gateway.CORS {
	c := &gateway.CORS{}
	list := func(s string) (items []string) {
		for item := range strings.SplitSeq(s, ",") {
			items = append(items, strings.TrimSpace(item))
		}
		return items
	}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		value := strings.Trim(headers[name], "'")
		switch strings.TrimPrefix(name, "method.response.header.") {
		case "Access-Control-Allow-Origin":
			c.Origins = list(value)
		case "Access-Control-Allow-Headers":
			c.Headers = list(value)
		case "Access-Control-Allow-Methods":
			c.Methods = list(value)
		case "Access-Control-Expose-Headers":
			c.ExposeHeaders = list(value)
		case "Access-Control-Allow-Credentials":
			c.AllowCredentials = value == "true"
		case "Access-Control-Max-Age":
			n, err := strconv.Atoi(value)
			if err != nil {
				p.fail("ResponseParameters", "Access-Control-Max-Age %q is no number of seconds", value)
			}
			c.MaxAgeSeconds = n
		case "Cache-Control", "Vary":
			p.without = append(p.without, p.path+"ResponseParameters: "+name+" has no effect: preflight answers carry headers of CORS alone")
		default:
			p.fail("ResponseParameters", "%s is not set here; let a function answer", name)
		}
	}
	return c
}

// originsOf are the origins that the Serverless Framework's template of preflight
// answers compares with; nil when the text is something else.
func originsOf(text string) (origins []string) {
	_, rest, ok := strings.Cut(text, "#if($origin.matches(\"")
	if !ok || !strings.Contains(text, "$context.responseOverride.header.Access-Control-Allow-Origin") {
		return nil
	}
	rest, _, _ = strings.Cut(rest, "\"))")
	for one := range strings.SplitSeq(rest, "\") || $origin.matches(\"") {
		one = strings.TrimSuffix(strings.TrimSuffix(one, ")"), "\"")
		origins = append(origins, strings.ReplaceAll(strings.ReplaceAll(one, "[.]", "."), ".+", "*"))
	}
	return origins
}
