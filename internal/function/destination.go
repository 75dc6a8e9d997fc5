package function

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/trace"
)

// How an asynchronous invocation ended, as Lambda words it.
const (
	conditionSuccess   = "Success"
	conditionExhausted = "RetriesExhausted"
	conditionTooOld    = "EventAgeExceeded"
)

// record is what a destination gets. Source: AWS Lambda developer guide, "Capturing
// records of Lambda asynchronous invocations".
type record struct {
	Version        string `json:"version"`
	Timestamp      string `json:"timestamp"`
	RequestContext struct {
		RequestID   string `json:"requestId"`
		FunctionARN string `json:"functionArn"`
		Condition   string `json:"condition"`
		Invocations int    `json:"approximateInvokeCount"`
	} `json:"requestContext"`
	RequestPayload  json.RawMessage `json:"requestPayload"`
	ResponseContext *answered       `json:"responseContext,omitempty"` // nil: it did not run
	ResponsePayload json.RawMessage `json:"responsePayload,omitempty"`
}

type answered struct {
	StatusCode      int    `json:"statusCode"`
	ExecutedVersion string `json:"executedVersion"`
	FunctionError   string `json:"functionError,omitempty"`
}

// succeeded tells the function's success destination.
func (t *task) succeeded(res Result) error {
	e, _, err := t.find(t.inv.Function)
	if err != nil || t.deployed(e).OnSuccess == "" {
		return nil
	}
	return t.tell(t.deployed(e).OnSuccess, conditionSuccess, verdict{Code: 200, Version: res.ExecutedVersion, Payload: res.Payload}, t.past.Count+1)
}

// tell sends a record to a destination. One that does not exist is logged: nobody
// could ever be told.
func (t *task) tell(to, condition string, v verdict, invocations int) error {
	e, qualifier, err := t.find(t.inv.Function)
	if err != nil {
		return nil // the function is gone, and with it who wants to know
	}
	if qualifier == "" {
		qualifier = Latest
	}
	var r record
	r.Version, r.Timestamp = "1.0", time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	r.RequestContext.RequestID, r.RequestContext.FunctionARN = requestID(t.inv.ID), e.ARN+":"+qualifier
	r.RequestContext.Condition, r.RequestContext.Invocations = condition, invocations
	r.RequestPayload = t.inv.Payload
	if v.Version != "" {
		r.ResponseContext = &answered{v.Code, v.Version, v.FunctionError}
		r.ResponsePayload = v.Payload
	}
	if len(r.ResponsePayload) > 0 && !json.Valid(r.ResponsePayload) {
		if r.ResponsePayload, err = json.Marshal(string(v.Payload)); err != nil {
			return err
		}
	}
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	err = t.send(to, body)
	if err != nil && (fault.KindOf(err) == fault.NotFound || fault.KindOf(err) == fault.Invalid || fault.KindOf(err) == fault.TooLarge) {
		t.Log.Error("a destination cannot be told", "function", e.ARN, "request", t.inv.ID, "destination", to, "err", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("tell the destination %s: %w", to, err)
	}
	return nil
}

// send delivers a body to a function, topic or queue. After a crash it may come
// again; a function and a queue drop the second.
func (t *task) send(to string, body []byte) error {
	a, err := arn.Parse(to)
	if err != nil {
		return fault.Errorf(fault.Invalid, "destination %s: %w", to, err)
	}
	switch {
	case a.Service == "lambda":
		return t.Enqueue(t.run, Invocation{ID: requestID(t.key + "/destination"), Function: to, Payload: body, Marshalled: true, TraceID: t.inv.TraceID})
	case a.Service == "sns" && t.Publish != nil:
		return t.Publish(trace.With(t.run, t.inv.TraceID), to, body, nil)
	case a.Service == "sqs" && t.Send != nil:
		return t.Send(trace.With(t.run, t.inv.TraceID), to, t.key, string(body), nil)
	}
	return fault.Errorf(fault.Invalid, "destination %s is no function, topic or queue", to)
}

// checkDestinations refuses what could never be told.
func checkDestinations(fn Function) error {
	for what, to := range map[string]string{"onSuccess": fn.OnSuccess, "onFailure": fn.OnFailure} {
		if to == "" {
			continue
		}
		a, err := arn.Parse(to)
		if err != nil || a.Service != "lambda" && a.Service != "sns" && a.Service != "sqs" {
			return fault.Errorf(fault.Invalid, "%s %q is not the ARN of a function, a topic or a queue", what, to)
		}
		if a.Service == "lambda" && strings.HasSuffix(to, ":function:"+fn.Name) {
			return fault.Errorf(fault.Invalid, "%s of %s is the function itself, which would go round for ever", what, fn.Name)
		}
	}
	return nil
}
