package api

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

// Lambda is the part of Lambda's REST API that invokes functions, shows them, and
// publishes versions and aliases. What a deployment decides (code, configuration,
// concurrency, destinations) can be read, not changed.
type Lambda struct {
	Invoker LambdaInvoker
	Region  string
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
	handle    func(*Lambda, *lambdaCall) error
}

// lambdaRoutes are the calls below /VERSION/, by method and path; what stands for
// a function's name, or for one more part, is *.
var lambdaRoutes = map[string]lambdaRoute{
	"GET account-settings": {"GetAccountSettings", (*Lambda).settings},
	"GET functions":        {"ListFunctions", (*Lambda).list},

	"POST functions/*/invocations":                    {"InvokeFunction", (*Lambda).invoke},
	"POST functions/*/response-streaming-invocations": {"InvokeFunction", (*Lambda).stream},
	"GET functions/*":                                 {"GetFunction", (*Lambda).get},
	"GET functions/*/configuration":                   {"GetFunctionConfiguration", (*Lambda).configuration},
	"DELETE functions/*":                              {"DeleteFunction", (*Lambda).deleteVersion},
	"GET functions/*/versions":                        {"ListVersionsByFunction", (*Lambda).versions},
	"POST functions/*/versions":                       {"PublishVersion", (*Lambda).publish},
	"GET functions/*/aliases":                         {"ListAliases", (*Lambda).aliases},
	"POST functions/*/aliases":                        {"CreateAlias", (*Lambda).createAlias},
	"GET functions/*/aliases/*":                       {"GetAlias", (*Lambda).alias},
	"PUT functions/*/aliases/*":                       {"UpdateAlias", (*Lambda).updateAlias},
	"DELETE functions/*/aliases/*":                    {"DeleteAlias", (*Lambda).deleteAlias},
	"GET functions/*/concurrency":                     {"GetFunctionConcurrency", (*Lambda).concurrency},
	"PUT functions/*/concurrency":                     {"PutFunctionConcurrency", (*Lambda).deployed},
	"DELETE functions/*/concurrency":                  {"DeleteFunctionConcurrency", (*Lambda).deployed},
	"GET functions/*/provisioned-concurrency":         {"GetProvisionedConcurrencyConfig", (*Lambda).provisioned},
	"PUT functions/*/provisioned-concurrency":         {"PutProvisionedConcurrencyConfig", (*Lambda).deployed},
	"DELETE functions/*/provisioned-concurrency":      {"DeleteProvisionedConcurrencyConfig", (*Lambda).deployed},
	"GET functions/*/event-invoke-config":             {"GetFunctionEventInvokeConfig", (*Lambda).eventInvoke},
	"GET functions/*/event-invoke-config/list":        {"ListFunctionEventInvokeConfigs", (*Lambda).eventInvokes},
	"PUT functions/*/event-invoke-config":             {"PutFunctionEventInvokeConfig", (*Lambda).deployed},
	"POST functions/*/event-invoke-config":            {"UpdateFunctionEventInvokeConfig", (*Lambda).deployed},
	"DELETE functions/*/event-invoke-config":          {"DeleteFunctionEventInvokeConfig", (*Lambda).deployed},
	"PUT functions/*/code":                            {"UpdateFunctionCode", (*Lambda).deployed},
	"PUT functions/*/configuration":                   {"UpdateFunctionConfiguration", (*Lambda).deployed},
}

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
	c.in = &lambdaParameters{FunctionName: lc.name, Qualifier: lc.qualifier, Name: lc.sub}
	o := Operation{
		need: func(any) []Need { return []Need{{Resource: s.Lambda.resource(lc)}} },
		data: c.operation == "InvokeFunction",
		do:   func(ctx context.Context, _ any) (any, error) { err := route.handle(s.Lambda, lc); return c.out, err },
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

// lambdaParameters are what a record says of a call; bodies are not recorded.
type lambdaParameters struct {
	FunctionName, Qualifier, Name string
}

// resource is what a policy names for a call.
func (l *Lambda) resource(c *lambdaCall) string {
	if c.name == "" {
		return "*"
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
		route = lambdaRoute{"ListProvisionedConcurrencyConfigs", (*Lambda).provisionedList}
	}
	return route, nil
}

func unknownRoute(r *http.Request) error {
	return fault.Coded(fault.NotFound, "UnknownOperationException", "lambda: %s %s is not available here", r.Method, r.URL.Path)
}

// deployed refuses to change what a deployment would change back.
func (l *Lambda) deployed(c *lambdaCall) error {
	return fault.Coded(fault.Invalid, "InvalidParameterValueException",
		"%s is deployed from a serverless.yml, which decides this; change it there and deploy again", c.name)
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
	inv := function.Invocation{ID: c.id, Function: c.qualified(), Payload: c.body, ClientContext: string(context), TraceID: c.r.Header.Get("X-Amzn-Trace-Id")}
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

// configuration is Lambda's FunctionConfiguration.
type configuration struct {
	FunctionName     string
	FunctionArn      string
	Description      string
	Runtime          string
	Handler          string
	MemorySize       int
	Timeout          int
	Version          string
	CodeSha256       string
	State            string
	LastUpdateStatus string
	PackageType      string
	Layers           []layer     `json:",omitempty"`
	DeadLetterConfig *deadLetter `json:",omitempty"`
	LoggingConfig    map[string]string
}

type (
	layer      struct{ Arn string }
	deadLetter struct{ TargetArn string }
)

// configure describes a version; qualified says that its ARN names it.
func configure(f function.Function, qualified bool) configuration {
	c := configuration{
		FunctionName: f.Name, FunctionArn: f.ARN, Description: f.Description, Runtime: f.Runtime, Handler: f.Handler,
		MemorySize: f.MemoryMB, Timeout: f.Timeout, Version: f.Version, CodeSha256: base64Sum(f.Artifact),
		State: "Active", LastUpdateStatus: "Successful", PackageType: "Zip",
		LoggingConfig: map[string]string{"LogFormat": "Text", "LogGroup": "/aws/lambda/" + f.Name},
	}
	if f.LogFormat != "" {
		c.LoggingConfig["LogFormat"] = f.LogFormat
	}
	if qualified {
		c.FunctionArn += ":" + f.Version
	}
	if f.DeadLetter != "" {
		c.DeadLetterConfig = &deadLetter{f.DeadLetter}
	}
	return c
}

// base64Sum spells a hash in hex as Lambda does.
func base64Sum(sum string) string {
	b, err := hex.DecodeString(sum)
	if err != nil {
		return sum
	}
	return base64.StdEncoding.EncodeToString(b)
}

func (l *Lambda) get(c *lambdaCall) error {
	f, err := l.Invoker.Get(c.qualified())
	if err != nil {
		return err
	}
	out := map[string]any{
		"Configuration": configure(f, c.qualifier != ""),
		"Code":          map[string]string{"RepositoryType": "S3"},
	}
	if f.Concurrency != nil {
		out["Concurrency"] = map[string]int{"ReservedConcurrentExecutions": *f.Concurrency}
	}
	return c.answer(http.StatusOK, out)
}

func (l *Lambda) configuration(c *lambdaCall) error {
	f, err := l.Invoker.Get(c.qualified())
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, configure(f, c.qualifier != ""))
}

func (l *Lambda) list(c *lambdaCall) error {
	list := []configuration{}
	for _, f := range l.Invoker.List() {
		list = append(list, configure(f, false))
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
		"AccountUsage": map[string]any{"FunctionCount": s.Functions, "TotalCodeSize": 0},
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
