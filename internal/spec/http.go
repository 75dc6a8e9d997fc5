package spec

import (
	"slices"
	"strings"
)

var methods = []string{"ANY", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// HTTPEvent is a route. Method is upper case, "ANY" for any; Path begins with
// "/". For httpApi "*" is Method ANY, Path "$default".
type HTTPEvent struct {
	Method string
	Path   string
	CORS   *CORS
	Stream bool // REST only: the response is sent while the function writes it

	Integration   string            // IntegrationProxy and the others
	URL           string            // of IntegrationHTTP
	Payload       string            // httpApi: version of the event, "1.0", or "2.0" (also "")
	TimeoutMillis int               `json:",omitzero"` // 0: not said
	Authorizer    string            // name of one of the API's, or AuthIAM
	Scopes        []string          `json:",omitempty"` // httpApi: any of which a token must have
	Private       bool              // http: an API key is asked for
	Parameters    []string          `json:",omitempty"` // http: what a request must have: "querystring.page", "header.X-Key", "path.id"
	Models        map[string]string `json:",omitempty"` // http: JSON schemas of bodies by content type
}

// Integrations of a route, as package gateway has them.
const (
	IntegrationProxy = ""      // the function gets the request, and answers it
	IntegrationAsync = "async" // http: the function gets the framework's event and is not waited for
	IntegrationEvent = "event" // http: the function gets the framework's event, its result is the answer
	IntegrationHTTP  = "http"  // http: the request goes to a URL
	IntegrationMock  = "mock"  // http: answered without a function
)

// Bounds of an integration's timeout, in milliseconds.
const (
	minIntegration = 50
	maxREST        = restSeconds * 1000
	maxHTTP        = httpSeconds * 1000
)

// http reads an event of a REST API.
func (r *reader) http(n *node, what string) *HTTPEvent {
	var method, path, cors, integration, request, response *node
	async := false
	e := &HTTPEvent{TimeoutMillis: r.gates.restTimeout}
	if n.kind == text {
		method, path = route(n)
	} else {
		r.object(n, what, keys{
			"method": set(&method), "path": set(&path), "cors": set(&cors),
			"integration": set(&integration), "request": set(&request), "response": set(&response),
			"async":      func(v *node) { async = r.boolean(v, what+".async") },
			"private":    func(v *node) { e.Private = r.boolean(v, what+".private") },
			"authorizer": func(v *node) { e.Authorizer = r.restAuthorizer(v, what+".authorizer") },
			"timeoutInMillis": func(v *node) {
				e.TimeoutMillis = r.integer(v, what+".timeoutInMillis", minIntegration, maxREST)
			},
			"operationId": nil, // a name for generated clients
		}, effects{
			"connectionType": "VPC links are not needed here: name a URL that the platform reaches in request.uri",
			"connectionId":   "VPC links are not needed here: name a URL that the platform reaches in request.uri",
		})
	}
	if method == nil || path == nil {
		r.fail(n.pos, `%s wants a method and a path, such as "GET /drops"`, what)
		return nil
	}
	e.Method, e.Path = r.method(method, what), "/"+strings.Trim(r.str(path, what+".path"), "/")
	r.integration(e, integration, async, what)
	if request != nil {
		r.request(e, request, what+".request")
	} else if e.Integration == IntegrationHTTP {
		r.fail(n.pos, "%s.request.uri is missing: where do requests go?", what)
	}
	if response != nil {
		r.response(e, response, what+".response")
	}
	if cors != nil {
		e.CORS = r.restCORS(cors, what+".cors")
	}
	return e
}

// set keeps a value for later.
func set(into **node) func(*node) { return func(v *node) { *into = v } }

// integration settles what a route leads to.
func (r *reader) integration(e *HTTPEvent, n *node, async bool, what string) {
	if n == nil {
		if async {
			e.Integration = IntegrationAsync
		}
		return
	}
	switch kind := strings.ReplaceAll(strings.ToLower(r.str(n, what+".integration")), "_", "-"); kind {
	case "lambda-proxy", "aws-proxy":
		if async {
			r.fail(n.pos, "%s.async goes with integration: lambda only; remove the integration", what)
		}
	case "lambda", "aws":
		if e.Integration = IntegrationEvent; async {
			e.Integration = IntegrationAsync
		}
	case "http", "http-proxy":
		e.Integration = IntegrationHTTP
	case "mock":
		e.Integration = IntegrationMock
	default:
		if n.kind != broken {
			r.fail(n.pos, "%s.integration must be lambda-proxy, lambda, http-proxy, http or mock, not %q", what, kind)
		}
	}
}

// httpAPI reads an event of an HTTP API.
func (r *reader) httpAPI(n *node, what string) *HTTPEvent {
	var method, path *node
	e := &HTTPEvent{TimeoutMillis: r.gates.httpTimeout}
	if n.kind == text {
		if strings.TrimSpace(n.text) == "*" {
			e.Method, e.Path = "ANY", "$default"
			return e
		}
		method, path = route(n)
	} else {
		r.object(n, what, keys{
			"method": set(&method), "path": set(&path),
			"authorizer": func(v *node) { r.httpAuthorizer(e, v, what+".authorizer") },
			"timeout":    func(v *node) { e.TimeoutMillis = r.httpTimeout(v, what+".timeout") },
		}, effects{})
		if path != nil && method == nil && strings.TrimSpace(r.str(path, what+".path")) == "*" {
			method = plain("*", path.pos)
		}
	}
	if method == nil || path == nil {
		r.fail(n.pos, `%s wants a method and a path, such as "GET /drops", or "*"`, what)
		return nil
	}
	e.Method, e.Path = r.method(method, what), r.str(path, what+".path")
	switch {
	case e.Path == "*" || e.Path == "$default":
		if e.Method != "ANY" {
			r.fail(path.pos, `%s: the path "*" goes with the method "*" only`, what)
		}
		e.Path = "$default"
	case !strings.HasPrefix(e.Path, "/") && path.kind != broken:
		r.fail(path.pos, "%s: the path must begin with /, not %q", what, e.Path)
	case len(e.Path) > 1:
		e.Path = strings.TrimSuffix(e.Path, "/")
	}
	return e
}

// httpTimeout reads seconds, which may have a fraction, as milliseconds.
func (r *reader) httpTimeout(n *node, what string) int {
	return int(1000 * r.decimal(n, what, float64(minIntegration)/1000, httpSeconds))
}

// route splits "GET /path"; both are nil when it is not of that form.
func route(n *node) (method, path *node) {
	words := strings.Fields(n.text)
	if len(words) != 2 {
		return nil, nil
	}
	return plain(words[0], n.pos), plain(words[1], n.pos)
}

func (r *reader) method(n *node, what string) string {
	m := strings.ToUpper(r.str(n, what+".method"))
	if m == "*" {
		return "ANY"
	}
	if m != "" && !slices.Contains(methods, m) {
		r.fail(n.pos, "%s: method %q is none of %s", what, m, strings.Join(methods, ", "))
	}
	return m
}
