// Package instance runs copies of functions and speaks the Lambda Runtime API
// to them.
//
// An instance is one process. It handles one invocation at a time, is reused for
// later ones (the last used first), and is replaced after a crash or a timeout.
//
// Pool owns the instances. Of a cold start: Pool.Do → launch (environment,
// extensions, sandbox.Start) → the function asks for its first event (runtime.go)
// → the event is written to that connection → its answer is the Outcome. A warm
// invocation begins at the third step.
//
// External extensions are processes of their own beside the function's, started
// from the layers before it (extension.go); the instance is free for its next
// event when they have come back too, and they get time to end (shutdown.go).
// What happens in an instance is told to its log and to the extensions that
// subscribed to it (platform.go, telemetry.go).
//
// At the sandbox level "process" there is no file system of its own: code is
// found at LAMBDA_TASK_ROOT, temporary files belong into TMPDIR, and the first
// mount is the host directory that DROPSTACK_MOUNT names (DROPSTACK_MOUNTS lists
// all, path=directory, separated by colons).
package instance

import (
	"context"
	"io"
	"time"
)

// Config is everything that one version of a function needs to start. Instances
// are shared only between invocations whose Config has the same ID.
type Config struct {
	ID      string // identity of this version's code and configuration
	Name    string // function name
	ARN     string // invoked function ARN
	Version string // "$LATEST" or a number
	Runtime string // provided.al2023, provided.al2, go1.x, nodejs22.x …
	Handler string
	// Command starts the runtime client of a managed runtime: its executable and
	// arguments. Empty: the function's own bootstrap, or with go1.x its handler.
	Command []string
	// Preboot says that Command knows how to wait for an assignment (see spare) and
	// that nothing in Env has to be there when it starts.
	Preboot bool
	Dir     string // unpacked artifact, read only
	Opt     string // the layers, merged into one directory, read only; "": none
	// Cache is a directory for code that the runtime has compiled, which belongs to
	// the function's user; "": none. The client finds it in DROPSTACK_COMPILE_CACHE.
	Cache     string
	MemoryMB  int
	StorageMB int           // of its temporary files; 0: no limit but that of the sandbox
	Timeout   time.Duration // one invocation
	Region    string
	Env       map[string]string // the function's own; checked not to set reserved names
	Mounts    []Mount
	Keys      Credentials
	// Equip gives an instance what it alone has. It is called for every start, with
	// an id that no other instance has; an error means that the instance cannot be
	// started. nil: there is nothing but what is here.
	Equip    func(ctx context.Context, id string) (Equipment, error) `json:"-"`
	Endpoint string                                                  // AWS_ENDPOINT_URL
	LogGroup string                                                  // /aws/lambda/NAME
	JSONLogs bool                                                    // LoggingConfig.LogFormat is JSON
	LogLevel string                                                  // least level of the function's own lines with JSONLogs: TRACE … FATAL; "" is INFO
	// InitType is what AWS_LAMBDA_INITIALIZATION_TYPE says: "on-demand", which ""
	// means too, or "provisioned-concurrency".
	InitType string
	// Subnets and Groups are the private network that the function is in; neither:
	// it reaches the public internet only, as far as its sandbox has a network.
	Subnets, Groups []string
	Role            string   // ARN of the role that the function runs as
	Secrets         []string // what it wants in its environment besides Env
	// User is the identity whose unprivileged user id the function runs under;
	// "" is the ARN. Functions that share a mount must share it.
	User string
}

// Mount is a directory of the host that the function may write.
type Mount struct {
	Source string // directory on the host
	Path   string // where the function expects it
}

// Equipment is what one instance has and others of its version have not.
type Equipment struct {
	Keys    Credentials
	Expires time.Time         // of Keys; the instance is replaced before. Zero: never
	Env     map[string]string // over Config.Env
}

// Credentials are the function's own.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
}

// Event is one invocation as the instance sees it.
type Event struct {
	RequestID     string // goes into a URL: letters, digits, "-", "_"
	Payload       []byte // not modified, not kept after Do returns
	ClientContext string // JSON
	// CognitoIdentity is who called, as JSON
	// {"cognitoIdentityId":…,"cognitoIdentityPoolId":…}; "" leaves the header out.
	CognitoIdentity string
	TraceID         string
	InvokedARN      string    // "" is Config.ARN
	Deadline        time.Time // earlier than the function's timeout, or zero
	// Stream takes a response that the function streams: one that is sent with
	// Lambda-Runtime-Function-Response-Mode: streaming, or in chunks and not as JSON,
	// as the official Go client sends readers. Other responses are in the Outcome
	// all the same. nil gathers a streamed one like any other, up to MaxResponse.
	Stream Stream
	// Ended is called once when the instance is done with the event: before Do
	// returns, or later when the caller left. An error says that there is no
	// outcome. Optional.
	Ended func(Outcome, error)
}

func (ev Event) ended(out Outcome, err error) {
	if ev.Ended != nil {
		ev.Ended(out, err)
	}
}

// Stream takes a response while the function writes it. Its calls come one after
// the other and none after Do has returned, which waits for a call under way. An
// error of Write says that the caller is gone: the rest of the response is read
// and dropped.
type Stream interface {
	io.Writer
	// Begin is called once before anything is written, with the response's
	// Content-Type as the function sent it.
	Begin(contentType string)
}

// Outcome is how one invocation ended. Payload is the response, or the error
// object {errorMessage, errorType, stackTrace}.
type Outcome struct {
	Payload       []byte
	Streamed      bool   // the response went to Event.Stream; Payload is nil or an error in its midst
	FunctionError string // "" or "Unhandled"
	ErrorType     string // Runtime.ExitError, Sandbox.Timedout, or the function's own
	Duration      time.Duration
	Init          time.Duration // of a cold start, else 0
	MaxMemoryMB   int
	LogTail       []byte // the last 4 KB of this invocation's log
}
