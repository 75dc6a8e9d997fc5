package spec

import (
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
)

// API is what the provider says of the service's REST API or of its HTTP API.
type API struct {
	Name        string // "": STAGE-SERVICE, as the Serverless Framework has it
	Description string
	Stage       string // REST: "": the service's
	CORS        *CORS  // HTTP: of all routes
	BinaryTypes []string
	Compress    *int   // REST: bytes from which responses are compressed
	KeySource   string // REST: HEADER (also "") or AUTHORIZER
	Authorizers []Authorizer
	Keys        []APIKey    // REST
	Plans       []UsagePlan // REST
	Responses   []GatewayResponse
	AccessLog   string // format of the lines; "": none are written
}

// gates is what the reader gathers of the APIs before it reads their routes.
type gates struct {
	restTimeout, httpTimeout int               // milliseconds; 0: not said
	payload                  string            // provider.httpApi.payload
	schemas                  map[string]*node  // provider.apiGateway.request.schemas
	authorizers              *node             // provider.httpApi.authorizers, which name functions
	named                    map[string]string // name of an authorizer of the HTTP API by its key there
	later                    []func()          // resources that name functions, and that events name
	external                 map[string]string // logical id of an authorizer of the REST API by its name
}

// Formats of access logs that the Serverless Framework writes when none is given.
const (
	restLogFormat = "requestId: $context.requestId, ip: $context.identity.sourceIp, caller: $context.identity.caller, user: $context.identity.user, requestTime: $context.requestTime, httpMethod: $context.httpMethod, resourcePath: $context.resourcePath, status: $context.status, protocol: $context.protocol, responseLength: $context.responseLength"
	httpLogFormat = `{"requestId":"$context.requestId","ip":"$context.identity.sourceIp","requestTime":"$context.requestTime","httpMethod":"$context.httpMethod","routeKey":"$context.routeKey","status":"$context.status","protocol":"$context.protocol","responseLength":"$context.responseLength"}`
)

// Bounds of minimumCompressionSize, in bytes.
const maxCompress = 10 << 20

const unchecked = "requests would reach functions unchecked; let an authorizer check them"

// elsewhereAPI is what comes of naming an API that another stack has.
const elsewhereAPI = "an API belongs to one stack here: move the functions to the service that has it, or remove the key, and the service gets an API of its own"

// nameAPIs makes the APIs known to Ref and Fn::GetAtt.
func (r *reader) nameAPIs() {
	for id, kind := range map[string]string{"ApiGatewayRestApi": "REST", "HttpApi": "HTTP"} {
		api := arn.APIID(r.svc.Stack(), kind)
		r.names[id] = resource{api, api, map[string]string{
			"RootResourceId": arn.ID(6, api, "/"), "RestApiId": api, "ApiId": api,
			"ApiEndpoint": "https://" + api + ".execute-api." + r.svc.Region + ".amazonaws.com",
		}}
	}
}

// apiName is what shouldStartNameWithService asks for.
func (r *reader) apiName(to *API, what string) func(*node) {
	return func(v *node) {
		if r.boolean(v, what+".shouldStartNameWithService") && to.Name == "" {
			to.Name = r.svc.Name + "-" + r.svc.Stage
		}
	}
}

// providerREST reads provider.apiGateway.
func (r *reader) providerREST(n *node) {
	const what = "provider.apiGateway"
	rest := &r.svc.REST
	var apiKeys, plans *node
	r.object(n, what, keys{
		"binaryMediaTypes": func(v *node) { rest.BinaryTypes = r.strings(v, what+".binaryMediaTypes") },
		"minimumCompressionSize": func(v *node) {
			rest.Compress = new(r.integer(v, what+".minimumCompressionSize", 0, maxCompress))
		},
		"description":                func(v *node) { rest.Description = r.str(v, what+".description") },
		"shouldStartNameWithService": r.apiName(rest, what),
		"stage": func(v *node) {
			if rest.Stage = r.str(v, what+".stage"); !apiStage.MatchString(rest.Stage) && v.kind != broken {
				r.fail(v.pos, "%s.stage %q: letters, digits, _ and - only", what, rest.Stage)
			}
		},
		"timeoutInMillis": func(v *node) {
			r.gates.restTimeout = r.integer(v, what+".timeoutInMillis", minIntegration, maxREST)
		},
		"apiKeys": set(&apiKeys), "usagePlan": set(&plans),
		"apiKeySourceType": func(v *node) {
			rest.KeySource = r.choice(v, what+".apiKeySourceType", "HEADER", "AUTHORIZER")
		},
		"request": func(v *node) {
			r.object(v, what+".request", keys{"schemas": func(v *node) { r.schemas(v, what+".request.schemas") }}, effects{})
		},
		"metrics":                nil, // always kept
		"disableDefaultEndpoint": r.stillReached(what),
		"endpoint": func(v *node) {
			r.warn(v.pos, "%s.endpoint has no effect: --https says how the platform speaks TLS", what)
		},
		"restApiResources": nil, // of restApiId
		"resourcePolicy": func(v *node) {
			if v.kind != list || len(v.items) > 0 {
				r.fail(v.pos, "%s.resourcePolicy is not supported yet: %s", what, unchecked)
			}
		},
	}, effects{"restApiId": elsewhereAPI, "restApiRootResourceId": elsewhereAPI, "websocketApiId": elsewhereAPI})
	r.apiKeys(apiKeys, plans, what)
}

// stillReached says that an API keeps its own address.
func (r *reader) stillReached(what string) func(*node) {
	return func(v *node) {
		if r.boolean(v, what+".disableDefaultEndpoint") {
			r.warn(v.pos, "%s.disableDefaultEndpoint has no effect: the API stays reachable at its own address too", what)
		}
	}
}

// schemas keeps the schemas that events refer to by name.
func (r *reader) schemas(n *node, what string) {
	if !r.is(n, object, what) {
		return
	}
	r.gates.schemas = map[string]*node{}
	for _, f := range n.fields {
		if v := r.vars.resolve(f.value); r.is(v, object, what+"."+f.key) {
			r.gates.schemas[f.key] = v
		}
	}
}

// providerHTTP reads provider.httpApi.
func (r *reader) providerHTTP(n *node) {
	const what = "provider.httpApi"
	api := &r.svc.HTTP
	r.object(n, what, keys{
		"cors":                       func(v *node) { api.CORS = r.modernCORS(v, what+".cors") },
		"name":                       func(v *node) { api.Name = r.value(v, what+".name") },
		"description":                func(v *node) { api.Description = r.value(v, what+".description") },
		"shouldStartNameWithService": r.apiName(api, what),
		"payload":                    func(v *node) { r.gates.payload = r.payload(v, what+".payload") },
		"timeout":                    func(v *node) { r.gates.httpTimeout = r.httpTimeout(v, what+".timeout") },
		"authorizers":                set(&r.gates.authorizers),
		"disableDefaultEndpoint":     r.stillReached(what),
		"metrics":                    nil, // always kept
		"useProviderTags":            nil, // they are used
	}, effects{"id": elsewhereAPI})
}

func (r *reader) payload(n *node, what string) string {
	return r.choice(n, what, "1.0", "2.0")
}

// providerLogs reads provider.logs.
func (r *reader) providerLogs(n *node) {
	const what = "provider.logs"
	r.object(n, what, keys{
		"lambda":          func(v *node) { r.defaults.logs = r.logs(v, what+".lambda", logging{}) },
		"restApi":         func(v *node) { r.svc.REST.AccessLog = r.accessLog(v, what+".restApi", restLogFormat) },
		"httpApi":         func(v *node) { r.svc.HTTP.AccessLog = r.accessLog(v, what+".httpApi", httpLogFormat) },
		"frameworkLambda": nil, // of functions that the framework would add
	}, effects{})
}

// accessLog reads true, false, or a map, as the format of access logs.
func (r *reader) accessLog(n *node, what, format string) string {
	if n.kind == boolean {
		if n.text == "false" {
			return ""
		}
		return format
	}
	on := true
	ignored := func(key string) func(*node) {
		return func(v *node) {
			if v.text != "false" {
				r.warn(v.pos, "%s.%s has no effect: the gateway logs no executions; the function's own log has them", what, key)
			}
		}
	}
	r.object(n, what, keys{
		"format":           func(v *node) { format = r.str(v, what+".format") },
		"accessLogging":    func(v *node) { on = r.boolean(v, what+".accessLogging") },
		"executionLogging": ignored("executionLogging"), "fullExecutionData": ignored("fullExecutionData"), "level": ignored("level"),
		"role": nil, "roleManagedExternally": nil, // nobody is asked to write
	}, effects{})
	if !on {
		return ""
	}
	return format
}

// choice reads one of some words, in whatever case, and returns it as it is listed.
func (r *reader) choice(n *node, what string, words ...string) string {
	got := r.str(n, what)
	for _, w := range words {
		if strings.EqualFold(got, w) {
			return w
		}
	}
	if n.kind != broken {
		r.fail(n.pos, "%s must be %s, not %q", what, either(words), got)
	}
	return words[0]
}

func either(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// endpointType accepts what says where an API is served from, unless it says that
// the world is to be kept out.
func (r *reader) endpointType(n *node) {
	if r.choice(n, "provider.endpointType", "EDGE", "REGIONAL", "PRIVATE") == "PRIVATE" {
		r.fail(n.pos, "provider.endpointType PRIVATE is not supported yet: the API would be open to everybody; call the function itself from within the network")
	}
}

// authorizer adds an authorizer to an API. The last one of a name holds for all
// routes, as in the Serverless Framework.
func (r *reader) authorizer(api *API, a Authorizer) {
	i := slices.IndexFunc(api.Authorizers, func(b Authorizer) bool { return b.Name == a.Name })
	if i < 0 {
		api.Authorizers = append(api.Authorizers, a)
		return
	}
	before := api.Authorizers[i]
	if api.Authorizers[i] = a; !before.same(a) {
		r.warn(a.Pos, "authorizer %s is described in another way at %s; this one holds for all its routes", a.Name, before.Pos)
	}
}
