package api

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

func newRequestID() string { return uuid.NewString() }

// Lambda is the part of Lambda's REST API that invokes functions, shows them, and
// publishes versions and aliases. What a deployment decides (code, configuration,
// concurrency, destinations) can be read, not changed.
type Lambda struct {
	Invoker LambdaInvoker
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

// lambdaCall is a call about one function.
type lambdaCall struct {
	call
	w         http.ResponseWriter
	r         *http.Request
	name      string // as given: name, name:qualifier or ARN
	sub       string // what follows the last fixed part of the path
	qualifier string
}

// lambdaRoutes are the calls below /VERSION/functions/NAME/, by method and what
// follows; * stands for one more part.
var lambdaRoutes = map[string]func(*Lambda, lambdaCall) error{
	"POST invocations":                    (*Lambda).invoke,
	"POST response-streaming-invocations": (*Lambda).stream,
	"GET ":                                (*Lambda).get,
	"GET configuration":                   (*Lambda).configuration,
	"DELETE ":                             (*Lambda).deleteVersion,
	"GET versions":                        (*Lambda).versions,
	"POST versions":                       (*Lambda).publish,
	"GET aliases":                         (*Lambda).aliases,
	"POST aliases":                        (*Lambda).createAlias,
	"GET aliases/*":                       (*Lambda).alias,
	"PUT aliases/*":                       (*Lambda).updateAlias,
	"DELETE aliases/*":                    (*Lambda).deleteAlias,
	"GET concurrency":                     (*Lambda).concurrency,
	"PUT concurrency":                     (*Lambda).deployed,
	"DELETE concurrency":                  (*Lambda).deployed,
	"GET provisioned-concurrency":         (*Lambda).provisioned,
	"PUT provisioned-concurrency":         (*Lambda).deployed,
	"DELETE provisioned-concurrency":      (*Lambda).deployed,
	"GET event-invoke-config":             (*Lambda).eventInvoke,
	"GET event-invoke-config/list":        (*Lambda).eventInvokes,
	"PUT event-invoke-config":             (*Lambda).deployed,
	"POST event-invoke-config":            (*Lambda).deployed,
	"DELETE event-invoke-config":          (*Lambda).deployed,
	"PUT code":                            (*Lambda).deployed,
	"PUT configuration":                   (*Lambda).deployed,
}

// serve routes by method and path: Lambda's API is REST with JSON bodies, under
// the date of the version that brought a call.
func (l *Lambda) serve(w http.ResponseWriter, r *http.Request, c call) error {
	path := strings.Trim(r.URL.EscapedPath(), "/")
	date, path, _ := strings.Cut(path, "/")
	if len(date) != len("2015-03-31") {
		return unknownRoute(r)
	}
	if strings.Trim(path, "/") == "account-settings" && r.Method == http.MethodGet {
		return l.settings(w, c)
	}
	path, ok := strings.CutPrefix(path, "functions")
	if !ok {
		return unknownRoute(r)
	}
	path = strings.Trim(path, "/")
	if path == "" && r.Method == http.MethodGet {
		return l.list(w, r, c)
	}
	escaped, rest, _ := strings.Cut(path, "/")
	name, err := url.PathUnescape(escaped)
	if err != nil {
		return unknownRoute(r)
	}
	lc := lambdaCall{call: c, w: w, r: r, name: name, qualifier: r.URL.Query().Get("Qualifier")}
	handle := lambdaRoutes[r.Method+" "+rest]
	if first, sub, more := strings.Cut(rest, "/"); handle == nil && more {
		handle = lambdaRoutes[r.Method+" "+first+"/*"]
		if lc.sub, err = url.PathUnescape(sub); err != nil {
			return unknownRoute(r)
		}
	}
	if rest == "provisioned-concurrency" && r.URL.Query().Get("List") == "ALL" {
		handle = (*Lambda).provisionedList
	}
	if handle == nil {
		return unknownRoute(r)
	}
	if !c.who.Admin && rest != "invocations" && rest != "response-streaming-invocations" {
		return fault.Coded(fault.Denied, "AccessDeniedException", "functions may invoke functions, not read or change their configuration")
	}
	return handle(l, lc)
}

func unknownRoute(r *http.Request) error {
	return fault.Coded(fault.NotFound, "UnknownOperationException", "lambda: %s %s is not available here", r.Method, r.URL.Path)
}

// deployed refuses to change what a deployment would change back.
func (l *Lambda) deployed(c lambdaCall) error {
	return fault.Coded(fault.Invalid, "InvalidParameterValueException",
		"%s is deployed from a serverless.yml, which decides this; change it there and deploy again", c.name)
}

// qualified is the function with its qualifier.
func (c lambdaCall) qualified() string {
	if c.qualifier == "" {
		return c.name
	}
	return c.name + ":" + c.qualifier
}

func (l *Lambda) invoke(c lambdaCall) error {
	context, err := base64.StdEncoding.DecodeString(c.r.Header.Get("X-Amz-Client-Context"))
	if err != nil {
		return fault.Coded(fault.Invalid, "InvalidRequestContentException", "X-Amz-Client-Context is not base64")
	}
	inv := function.Invocation{ID: c.id, Function: c.qualified(), Payload: c.body, ClientContext: string(context), TraceID: c.r.Header.Get("X-Amzn-Trace-Id")}
	switch kind := c.r.Header.Get("X-Amz-Invocation-Type"); kind {
	case "Event":
		if err := l.Invoker.Enqueue(c.r.Context(), inv); err != nil {
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

func (l *Lambda) run(c lambdaCall, inv function.Invocation) error {
	result, err := l.Invoker.Invoke(c.r.Context(), inv)
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
	EphemeralStorage ephemeralStorage
	Layers           []layer     `json:",omitempty"`
	DeadLetterConfig *deadLetter `json:",omitempty"`
	LoggingConfig    map[string]string
}

type (
	layer      struct{ Arn string }
	deadLetter struct{ TargetArn string }

	ephemeralStorage struct{ Size int } // MB
)

// configure describes a version; qualified says that its ARN names it.
func configure(f function.Function, qualified bool) configuration {
	c := configuration{
		FunctionName: f.Name, FunctionArn: f.ARN, Description: f.Description, Runtime: f.Runtime, Handler: f.Handler,
		MemorySize: f.MemoryMB, Timeout: f.Timeout, Version: f.Version, CodeSha256: base64Sum(f.Artifact),
		EphemeralStorage: ephemeralStorage{cmp.Or(f.StorageMB, 512)},
		State:            "Active", LastUpdateStatus: "Successful", PackageType: "Zip",
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

func (l *Lambda) get(c lambdaCall) error {
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
	return writeJSON(c.w, http.StatusOK, out)
}

func (l *Lambda) configuration(c lambdaCall) error {
	f, err := l.Invoker.Get(c.qualified())
	if err != nil {
		return err
	}
	return writeJSON(c.w, http.StatusOK, configure(f, c.qualifier != ""))
}

func (l *Lambda) list(w http.ResponseWriter, r *http.Request, c call) error {
	if !c.who.Admin {
		return fault.Coded(fault.Denied, "AccessDeniedException", "functions may invoke functions, not list them")
	}
	list := []configuration{}
	for _, f := range l.Invoker.List() {
		list = append(list, configure(f, false))
	}
	return writePage(w, r, "Functions", list)
}

func (l *Lambda) settings(w http.ResponseWriter, c call) error {
	if !c.who.Admin {
		return fault.Coded(fault.Denied, "AccessDeniedException", "functions may invoke functions, not read the account's settings")
	}
	s := l.Invoker.Settings()
	return writeJSON(w, http.StatusOK, map[string]any{
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
