package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream/eventstreamapi"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/trace"
)

// maxChunk is the most bytes of one PayloadChunk. An event may have 16 MiB; smaller
// ones bound what either side holds.
const maxChunk = 1 << 20

// stream is InvokeWithResponseStream: POST NAME/response-streaming-invocations.
// The answer is a stream of events in AWS's binary encoding, PayloadChunk for what
// the function writes, at once, and InvokeComplete at the end. A function that does
// not stream answers with its result in chunks. An error before the first chunk
// that is not the function's is an ordinary one.
func (l *Lambda) stream(c *lambdaCall) error {
	w, r, name := c.w, c.r, c.qualified()
	fn, err := l.Invoker.Get(name) // its version is sent before it has run
	if err != nil {
		return err
	}
	switch kind := r.Header.Get("X-Amz-Invocation-Type"); kind {
	case "", "RequestResponse":
	case "DryRun":
		w.WriteHeader(http.StatusNoContent)
		return nil
	default:
		return fault.Coded(fault.Invalid, "InvalidParameterValueException", "X-Amz-Invocation-Type %q is not RequestResponse or DryRun", kind)
	}
	client, err := base64.StdEncoding.DecodeString(r.Header.Get("X-Amz-Client-Context"))
	if err != nil {
		return fault.Coded(fault.Invalid, "InvalidRequestContentException", "X-Amz-Client-Context is not base64")
	}
	out := &events{w: w, r: r, encoder: eventstream.NewEncoder(), version: fn.Version}
	// The invocation outlives a caller who leaves, as on AWS.
	result, err := l.Invoker.Invoke(context.WithoutCancel(c.at), function.Invocation{
		ID: c.id, Function: name, Payload: c.body, ClientContext: string(client),
		TraceID: trace.From(c.at), Stream: out,
	})
	if err != nil && !out.begun {
		return err
	}
	out.complete(result, err)
	return nil
}

// complete is Lambda's InvokeWithResponseStreamCompleteEvent.
type complete struct {
	ErrorCode    string `json:",omitempty"`
	ErrorDetails string `json:",omitempty"`
	LogResult    string `json:",omitempty"` // base64
}

// events is an answer in events; it is an instance.Stream.
type events struct {
	w       http.ResponseWriter
	r       *http.Request
	encoder *eventstream.Encoder
	version string
	begun   bool
	err     error // why nothing more is taken
}

// Begin sends the headers. The type that the function gave has no place in the
// answer, whose own is that of event streams.
func (e *events) Begin(string) {
	e.begun = true
	e.w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
	e.w.Header().Set("X-Amz-Executed-Version", e.version)
	e.w.WriteHeader(http.StatusOK)
	e.flush()
}

// Write sends p as chunks.
func (e *events) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) && e.err == nil {
		n := min(len(p)-done, maxChunk)
		e.send("PayloadChunk", "application/octet-stream", p[done:done+n])
		done += n
	}
	if e.err != nil {
		return 0, e.err
	}
	return done, nil
}

func (e *events) complete(result function.Result, err error) {
	var end complete
	if !e.begun {
		if result.ExecutedVersion != "" {
			e.version = result.ExecutedVersion
		}
		e.Begin("")
	}
	switch {
	case err != nil: // what is internal is not the caller's to know
		end.ErrorCode, end.ErrorDetails = "InternalFailure", "the invocation broke off"
		if fault.KindOf(err) != fault.Internal {
			end.ErrorCode, end.ErrorDetails = codes[fault.KindOf(err)], err.Error()
		}
		if code := fault.CodeOf(err); code != "" {
			end.ErrorCode = code
		}
	case result.FunctionError != "":
		end.ErrorCode, end.ErrorDetails = result.FunctionError, string(result.Payload)
	case !result.Streamed:
		_, _ = e.Write(result.Payload) // a caller who has left needs none of it
	}
	if e.r.Header.Get("X-Amz-Log-Type") == "Tail" {
		end.LogResult = base64.StdEncoding.EncodeToString(result.LogTail)
	}
	doc, err := json.Marshal(end)
	if err != nil {
		panic(err) // strings always marshal
	}
	e.send("InvokeComplete", "application/json", doc)
}

// send writes one event, whole or not at all, and flushes it.
func (e *events) send(kind, contentType string, payload []byte) {
	if e.err == nil && e.r.Context().Err() != nil {
		e.err = context.Cause(e.r.Context())
	}
	if e.err != nil {
		return
	}
	var m eventstream.Message
	m.Headers.Set(eventstreamapi.MessageTypeHeader, eventstream.StringValue(eventstreamapi.EventMessageType))
	m.Headers.Set(eventstreamapi.EventTypeHeader, eventstream.StringValue(kind))
	m.Headers.Set(eventstreamapi.ContentTypeHeader, eventstream.StringValue(contentType))
	m.Payload = payload
	var buf bytes.Buffer
	if e.err = e.encoder.Encode(&buf, m); e.err != nil {
		return
	}
	if _, e.err = e.w.Write(buf.Bytes()); e.err == nil {
		e.flush()
	}
}

func (e *events) flush() {
	if err := http.NewResponseController(e.w).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		e.err = err
	}
}
