package api

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/google/uuid"
)

func newRequestID() string { return uuid.NewString() }

// Lambda is the part of Lambda's REST API that invokes and lists functions.
type Lambda struct {
	Invoker interface {
		function.Invokes
		function.Enqueues
		Get(name string) (function.Function, error)
		List() []function.Function
	}
}

// serve routes by method and path: Lambda's API is REST with JSON bodies.
func (l *Lambda) serve(w http.ResponseWriter, r *http.Request, c call) error {
	if path, ok := strings.CutPrefix(r.URL.EscapedPath(), streamPrefix); ok {
		return l.serveStream(w, r, c, path)
	}
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), "/2015-03-31/functions")
	if !ok {
		return unknownRoute(r)
	}
	path = strings.Trim(path, "/")
	if path == "" && r.Method == http.MethodGet {
		return l.list(w, c)
	}
	escaped, rest, _ := strings.Cut(path, "/")
	name, err := url.PathUnescape(escaped)
	if err != nil {
		return unknownRoute(r)
	}
	switch {
	case rest == "invocations" && r.Method == http.MethodPost:
		return l.invoke(w, r, c, name)
	case rest == "" && r.Method == http.MethodGet:
		return l.get(w, c, name)
	}
	return unknownRoute(r)
}

func unknownRoute(r *http.Request) error {
	return fault.Coded(fault.NotFound, "UnknownOperationException", "lambda: %s %s is not available here", r.Method, r.URL.Path)
}

func (l *Lambda) invoke(w http.ResponseWriter, r *http.Request, c call, name string) error {
	if q := r.URL.Query().Get("Qualifier"); q != "" {
		name += ":" + q
	}
	context, err := base64.StdEncoding.DecodeString(r.Header.Get("X-Amz-Client-Context"))
	if err != nil {
		return fault.Coded(fault.Invalid, "InvalidRequestContentException", "X-Amz-Client-Context is not base64")
	}
	inv := function.Invocation{ID: c.id, Function: name, Payload: c.body, ClientContext: string(context), TraceID: r.Header.Get("X-Amzn-Trace-Id")}
	switch kind := r.Header.Get("X-Amz-Invocation-Type"); kind {
	case "Event":
		if err := l.Invoker.Enqueue(r.Context(), inv); err != nil {
			return err
		}
		w.WriteHeader(http.StatusAccepted)
		return nil
	case "DryRun":
		if _, err := l.Invoker.Get(name); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	case "", "RequestResponse":
		return l.run(w, r, inv)
	default:
		return fault.Coded(fault.Invalid, "InvalidParameterValueException", "X-Amz-Invocation-Type %q is not RequestResponse, Event or DryRun", kind)
	}
}

func (l *Lambda) run(w http.ResponseWriter, r *http.Request, inv function.Invocation) error {
	result, err := l.Invoker.Invoke(r.Context(), inv)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Amz-Executed-Version", result.ExecutedVersion)
	if result.FunctionError != "" {
		h.Set("X-Amz-Function-Error", result.FunctionError)
	}
	if r.Header.Get("X-Amz-Log-Type") == "Tail" {
		h.Set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString(result.LogTail))
	}
	_, _ = w.Write(result.Payload)
	return nil
}

// configuration is Lambda's FunctionConfiguration.
type configuration struct {
	FunctionName string
	FunctionArn  string
	Description  string
	Runtime      string
	Handler      string
	MemorySize   int
	Timeout      int
	Version      string
	CodeSha256   string
	State        string
}

func configure(f function.Function) configuration {
	return configuration{f.Name, f.ARN, f.Description, f.Runtime, f.Handler, f.MemoryMB, f.Timeout, f.Version, f.Artifact, "Active"}
}

func (l *Lambda) get(w http.ResponseWriter, c call, name string) error {
	if !c.who.Admin {
		return fault.Coded(fault.Denied, "AccessDeniedException", "functions may invoke functions, not read their configuration")
	}
	f, err := l.Invoker.Get(name)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"Configuration": configure(f)})
}

func (l *Lambda) list(w http.ResponseWriter, c call) error {
	if !c.who.Admin {
		return fault.Coded(fault.Denied, "AccessDeniedException", "functions may invoke functions, not list them")
	}
	list := []configuration{}
	for _, f := range l.Invoker.List() {
		list = append(list, configure(f))
	}
	return writeJSON(w, http.StatusOK, map[string]any{"Functions": list})
}
