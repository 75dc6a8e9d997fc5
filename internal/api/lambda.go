package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/lambda"
	"github.com/dropstack/dropstack/internal/trace"
)

// Lambda is Lambda's REST API. Invoking, versions and aliases are the function
// room's; what else there is of functions and layers is Functions'.
type Lambda struct {
	Invoker   LambdaInvoker
	Functions *lambda.Functions
	Region    string
}

// LambdaInvoker is what Lambda needs of the function room.
type LambdaInvoker interface {
	function.Invokes
	function.Enqueues
	Get(name string) (function.Function, error)
	List() []function.Function
	Settings() function.Settings

	PublishVersion(ctx context.Context, name, description string) (function.Function, error)
	Versions(name string) ([]function.Function, error)
	DeleteVersion(ctx context.Context, name, version string) error
	PutAlias(ctx context.Context, name string, a function.Alias, create bool) error
	Aliases(name string) ([]function.Alias, error)
	DeleteAlias(ctx context.Context, name, alias string) error
	ProvisionedOf(name string) ([]function.Provisioned, error)
}

// lambdaCall is a call about one function, or about all of them.
type lambdaCall struct {
	*call
	name      string // as given: name, name:qualifier or ARN; "": of no function
	sub       string // what follows the last fixed part of the path
	qualifier string

	status int // of the answer that waits for its record; 0: none, or it is written
}

// answer keeps an answer until the call is recorded; nil is an empty body.
func (c *lambdaCall) answer(status int, out any) error {
	c.status, c.out = status, out
	return nil
}

// lambdaRoute is one operation by its name in policies.
type lambdaRoute struct {
	operation string
	handle    func(*Lambda, *lambdaCall) error // nil: room
	room      *roomCall
}

func asked(operation string, handle func(*Lambda, *lambdaCall) error) lambdaRoute {
	return lambdaRoute{operation: operation, handle: handle}
}

// lambdaRoutes are the calls below /VERSION/, by method and path; what stands for
// a function's name, or for one more part, is *.
var lambdaRoutes = map[string]lambdaRoute{
	"GET account-settings": asked("GetAccountSettings", (*Lambda).settings),
	"GET functions":        asked("ListFunctions", (*Lambda).list),
	"POST functions":       needs(of("CreateFunction", 201, (*lambda.Functions).CreateFunction), createNeeds),

	"POST functions/*/invocations":                    asked("InvokeFunction", (*Lambda).invoke),
	"POST functions/*/response-streaming-invocations": asked("InvokeFunction", (*Lambda).stream),

	"GET functions/*":               of("GetFunction", 200, (*lambda.Functions).GetFunction),
	"DELETE functions/*":            of("DeleteFunction", 204, (*lambda.Functions).DeleteFunction),
	"GET functions/*/configuration": of("GetFunctionConfiguration", 200, (*lambda.Functions).GetFunctionConfiguration),
	"PUT functions/*/configuration": needs(of("UpdateFunctionConfiguration", 200, (*lambda.Functions).UpdateFunctionConfiguration), configureNeeds),
	"PUT functions/*/code":          needs(of("UpdateFunctionCode", 200, (*lambda.Functions).UpdateFunctionCode), codeNeeds),

	"GET functions/*/versions":     asked("ListVersionsByFunction", (*Lambda).versions),
	"POST functions/*/versions":    asked("PublishVersion", (*Lambda).publish),
	"GET functions/*/aliases":      asked("ListAliases", (*Lambda).aliases),
	"POST functions/*/aliases":     asked("CreateAlias", (*Lambda).createAlias),
	"GET functions/*/aliases/*":    asked("GetAlias", (*Lambda).alias),
	"PUT functions/*/aliases/*":    asked("UpdateAlias", (*Lambda).updateAlias),
	"DELETE functions/*/aliases/*": asked("DeleteAlias", (*Lambda).deleteAlias),

	"GET functions/*/concurrency":                asked("GetFunctionConcurrency", (*Lambda).concurrency),
	"PUT functions/*/concurrency":                of("PutFunctionConcurrency", 200, (*lambda.Functions).PutFunctionConcurrency),
	"DELETE functions/*/concurrency":             of("DeleteFunctionConcurrency", 204, (*lambda.Functions).DeleteFunctionConcurrency),
	"GET functions/*/provisioned-concurrency":    asked("GetProvisionedConcurrencyConfig", (*Lambda).provisioned),
	"PUT functions/*/provisioned-concurrency":    of("PutProvisionedConcurrencyConfig", 202, (*lambda.Functions).PutProvisionedConcurrencyConfig),
	"DELETE functions/*/provisioned-concurrency": of("DeleteProvisionedConcurrencyConfig", 204, (*lambda.Functions).DeleteProvisionedConcurrencyConfig),

	"GET functions/*/event-invoke-config":      asked("GetFunctionEventInvokeConfig", (*Lambda).eventInvoke),
	"GET functions/*/event-invoke-config/list": asked("ListFunctionEventInvokeConfigs", (*Lambda).eventInvokes),
	"PUT functions/*/event-invoke-config":      of("PutFunctionEventInvokeConfig", 200, (*lambda.Functions).PutFunctionEventInvokeConfig),
	"POST functions/*/event-invoke-config":     of("UpdateFunctionEventInvokeConfig", 200, (*lambda.Functions).UpdateFunctionEventInvokeConfig),
	"DELETE functions/*/event-invoke-config":   of("DeleteFunctionEventInvokeConfig", 204, (*lambda.Functions).DeleteFunctionEventInvokeConfig),

	"POST functions/*/policy":     of("AddPermission", 201, (*lambda.Functions).AddPermission),
	"GET functions/*/policy":      of("GetPolicy", 200, (*lambda.Functions).GetPolicy),
	"DELETE functions/*/policy/*": of("RemovePermission", 204, (*lambda.Functions).RemovePermission).at("FunctionName", "StatementId"),

	"POST functions/*/url":   of("CreateFunctionUrlConfig", 201, (*lambda.Functions).CreateFunctionUrlConfig),
	"GET functions/*/url":    of("GetFunctionUrlConfig", 200, (*lambda.Functions).GetFunctionUrlConfig),
	"PUT functions/*/url":    of("UpdateFunctionUrlConfig", 200, (*lambda.Functions).UpdateFunctionUrlConfig),
	"DELETE functions/*/url": of("DeleteFunctionUrlConfig", 204, (*lambda.Functions).DeleteFunctionUrlConfig),
	"GET functions/*/urls":   of("ListFunctionUrlConfigs", 200, (*lambda.Functions).ListFunctionUrlConfigs),

	"POST tags/*":   of("TagResource", 204, (*lambda.Functions).TagResource).at("Resource", ""),
	"DELETE tags/*": of("UntagResource", 204, (*lambda.Functions).UntagResource).at("Resource", ""),
	"GET tags/*":    of("ListTags", 200, (*lambda.Functions).ListTags).at("Resource", ""),

	"GET event-source-mappings":      needs(of("ListEventSourceMappings", 200, (*lambda.Functions).ListEventSourceMappings), mappingsNeeds),
	"POST event-source-mappings":     needs(of("CreateEventSourceMapping", 202, (*lambda.Functions).CreateEventSourceMapping), mappingNeeds),
	"GET event-source-mappings/*":    needs(of("GetEventSourceMapping", 200, (*lambda.Functions).GetEventSourceMapping).at("UUID", ""), mappingIDNeeds),
	"PUT event-source-mappings/*":    needs(of("UpdateEventSourceMapping", 202, (*lambda.Functions).UpdateEventSourceMapping).at("UUID", ""), mappingNeeds),
	"DELETE event-source-mappings/*": needs(of("DeleteEventSourceMapping", 202, (*lambda.Functions).DeleteEventSourceMapping).at("UUID", ""), mappingIDNeeds),

	"GET layers":                 needs(of("ListLayers", 200, (*lambda.Functions).ListLayers), layersNeeds),
	"POST layers/*/versions":     needs(of("PublishLayerVersion", 201, (*lambda.Functions).PublishLayerVersion).at("LayerName", ""), publishLayerNeeds),
	"GET layers/*/versions":      needs(of("ListLayerVersions", 200, (*lambda.Functions).ListLayerVersions).at("LayerName", ""), layersNeeds),
	"GET layers/*/versions/*":    needs(of("GetLayerVersion", 200, (*lambda.Functions).GetLayerVersion).at("LayerName", "VersionNumber"), layerNeeds),
	"DELETE layers/*/versions/*": needs(of("DeleteLayerVersion", 204, (*lambda.Functions).DeleteLayerVersion).at("LayerName", "VersionNumber"), layerNeeds),
}

// byARN is what ListLayers is with a query that asks for one version.
var byARN = needs(of("GetLayerVersion", 200, (*lambda.Functions).GetLayerVersion), layerNeeds)

// lambdaService is what permissions and records call it; its operations are found
// by path.
var lambdaService = &Service{Scope: "lambda"}

// serveLambda answers a call of Lambda's API, which is REST with JSON bodies,
// under the date of the version that brought an operation.
func (s *Server) serveLambda(c *call) {
	p := jsonCall{kind: "application/json"}
	if err := s.authenticate(c); err != nil {
		s.fail(c, p, err)
		return
	}
	c.service = lambdaService
	lc := &lambdaCall{call: c, qualifier: c.r.URL.Query().Get("Qualifier")}
	route, err := s.Lambda.route(lc)
	if err != nil {
		s.fail(c, p, err)
		return
	}
	c.operation = route.operation
	o, err := s.Lambda.operation(lc, route)
	if err != nil {
		s.fail(c, p, err)
		return
	}
	if err := s.perform(c, o); err != nil {
		s.fail(c, p, err)
		return
	}
	switch {
	case lc.status == 0: // written already
	case c.out == nil:
		c.w.WriteHeader(lc.status)
	default:
		if err := writeJSON(c.w, "application/json", lc.status, c.out); err != nil {
			s.fail(c, p, err)
		}
	}
}

// operation is what a route comes to for a call.
func (l *Lambda) operation(c *lambdaCall, route lambdaRoute) (Operation, error) {
	o := Operation{data: route.operation == "InvokeFunction", need: func(context.Context, any) []Need { return []Need{{Resource: l.resource(c)}} }}
	if route.room == nil {
		c.in = &lambdaParameters{FunctionName: c.name, Qualifier: c.qualifier, Name: c.sub}
		o.do = func(context.Context, any) (any, error) { err := route.handle(l, c); return c.out, err }
		if !o.data {
			return o, nil
		}
		policies, err := l.Functions.Policies(c.name, c.qualifier)
		o.need = func(context.Context, any) []Need { return []Need{{Resource: l.resource(c), Policies: policies}} }
		return o, err
	}
	in, err := route.room.input(c)
	if err != nil {
		return o, err
	}
	c.in = in
	if need := route.room.need; need != nil {
		o.need = func(_ context.Context, in any) []Need { return need(l, in) }
	}
	o.do = func(_ context.Context, in any) (any, error) {
		err := l.answerRoom(c, route.room, in)
		return c.out, err
	}
	return o, nil
}

// lambdaParameters are what a record says of a call; bodies are not recorded.
type lambdaParameters struct {
	FunctionName, Qualifier, Name string
}

// resource is what a policy names for a call.
func (l *Lambda) resource(c *lambdaCall) string {
	if c.name == "" {
		return "*"
	}
	if _, err := arn.Parse(c.name); err == nil && c.qualifier == "" {
		return c.name // of a tag's resource
	}
	return functionARN(l.Region, c.qualified())
}

// functionARN names a function as policies do, whichever way a caller has.
func functionARN(region, name string) string {
	name = strings.TrimPrefix(name, "arn:aws:lambda:"+region+":")
	return arn.Function(region, strings.TrimPrefix(name, arn.Account+":function:"))
}

// route finds the operation by method and path.
func (l *Lambda) route(c *lambdaCall) (lambdaRoute, error) {
	date, path, _ := strings.Cut(strings.Trim(c.r.URL.EscapedPath(), "/"), "/")
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if len(date) != len("2015-03-31") {
		return lambdaRoute{}, unknownRoute(c.r)
	}
	for _, place := range []struct {
		n  int
		to *string
	}{{1, &c.name}, {3, &c.sub}} {
		_, exact := lambdaRoutes[c.r.Method+" "+strings.Join(parts, "/")]
		if len(parts) <= place.n || exact {
			break
		}
		text, err := url.PathUnescape(parts[place.n])
		if err != nil {
			return lambdaRoute{}, unknownRoute(c.r)
		}
		*place.to, parts[place.n] = text, "*"
	}
	route, ok := lambdaRoutes[c.r.Method+" "+strings.Join(parts, "/")]
	if !ok {
		return lambdaRoute{}, unknownRoute(c.r)
	}
	if route.operation == "GetProvisionedConcurrencyConfig" && c.r.URL.Query().Get("List") == "ALL" {
		route = asked("ListProvisionedConcurrencyConfigs", (*Lambda).provisionedList)
	}
	if route.operation == "ListLayers" && c.r.URL.Query().Get("find") == "LayerVersion" {
		route = byARN
	}
	return route, nil
}

func unknownRoute(r *http.Request) error {
	return fault.Coded(fault.NotFound, "UnknownOperationException", "lambda: %s %s is not available here", r.Method, r.URL.Path)
}

// qualified is the function with its qualifier.
func (c *lambdaCall) qualified() string {
	if c.qualifier == "" {
		return c.name
	}
	return c.name + ":" + c.qualifier
}

func (l *Lambda) invoke(c *lambdaCall) error {
	context, err := base64.StdEncoding.DecodeString(c.r.Header.Get("X-Amz-Client-Context"))
	if err != nil {
		return fault.Coded(fault.Invalid, "InvalidRequestContentException", "X-Amz-Client-Context is not base64")
	}
	inv := function.Invocation{ID: c.id, Function: c.qualified(), Payload: c.body, ClientContext: string(context), TraceID: trace.From(c.at)}
	switch kind := c.r.Header.Get("X-Amz-Invocation-Type"); kind {
	case "Event":
		if err := l.Invoker.Enqueue(c.at, inv); err != nil {
			return err
		}
		c.w.WriteHeader(http.StatusAccepted)
		return nil
	case "DryRun":
		if _, err := l.Invoker.Get(c.qualified()); err != nil {
			return err
		}
		c.w.WriteHeader(http.StatusNoContent)
		return nil
	case "", "RequestResponse":
		return l.run(c, inv)
	default:
		return fault.Coded(fault.Invalid, "InvalidParameterValueException", "X-Amz-Invocation-Type %q is not RequestResponse, Event or DryRun", kind)
	}
}

func (l *Lambda) run(c *lambdaCall, inv function.Invocation) error {
	result, err := l.Invoker.Invoke(c.at, inv)
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Amz-Executed-Version", result.ExecutedVersion)
	if result.FunctionError != "" {
		h.Set("X-Amz-Function-Error", result.FunctionError)
	}
	if c.r.Header.Get("X-Amz-Log-Type") == "Tail" {
		h.Set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString(result.LogTail))
	}
	_, _ = c.w.Write(result.Payload)
	return nil
}

func (l *Lambda) list(c *lambdaCall) error {
	list := []lambda.Configuration{}
	for _, f := range l.Invoker.List() {
		list = append(list, l.Functions.Describe(f, false))
	}
	return writePage(c, "Functions", list)
}

func (l *Lambda) settings(c *lambdaCall) error {
	s := l.Invoker.Settings()
	return c.answer(http.StatusOK, map[string]any{
		"AccountLimit": map[string]any{
			"ConcurrentExecutions": s.Limit, "UnreservedConcurrentExecutions": s.Unreserved,
			"CodeSizeUnzipped": 250 << 20, "CodeSizeZipped": 50 << 20, "TotalCodeSize": 75 << 30,
		},
		"AccountUsage": map[string]any{"FunctionCount": s.Functions, "TotalCodeSize": l.Functions.CodeSize()},
	})
}

func decodeJSON(body []byte, into any) error {
	if len(body) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fault.Coded(fault.Invalid, "InvalidRequestContentException", "the request's body: %w", err)
	}
	return nil
}
