// Package function holds the deployed functions and invokes them.
//
// Invoke answers with the function's result. Enqueue answers once the event is on
// disk; it is then delivered at least once, with Lambda's retry rule, and kept as
// a dead letter when the retries are used up. Stored, on the durable server:
//
//	stream   invocations            queued events, subject invocations.<function>
//	consumer invocations/<function> what the function still owes
//	bucket   delivery-failures      retries used, by stream, consumer and sequence
//	stream   dead-letters           DeadLetter as JSON, subject dead-letters.<function>
package function

import (
	"context"
	"time"

	"github.com/dropstack/dropstack/internal/instance"
)

// Function is one deployed function. It is part of a revision and never changes.
type Function struct {
	Stack       string            `json:"stack"`
	Name        string            `json:"name"`
	ARN         string            `json:"arn"`
	Description string            `json:"description,omitempty"`
	Version     string            `json:"version"` // "$LATEST"
	Runtime     string            `json:"runtime"` // provided.al2023 ...
	Handler     string            `json:"handler"`
	Artifact    string            `json:"artifact"` // SHA-256 of the zip, hex
	Environment map[string]string `json:"environment,omitempty" audit:"hidden"`
	// Sealed is Environment as it is stored, encrypted under the key that KeyARN
	// names; in memory it is empty.
	Sealed      []byte   `json:"sealedEnvironment,omitempty"`
	KeyARN      string   `json:"kmsKeyArn,omitempty"` // "": the platform's own for functions
	Secrets     []Secret `json:"secrets,omitempty"`
	Role        string   `json:"role,omitempty"`                // ARN
	MemoryMB    int      `json:"memorySize"`                    // 128-10240
	Timeout     int      `json:"timeout"`                       // seconds, 1-900
	StorageMB   int      `json:"ephemeralStorage,omitempty"`    // of /tmp, 512-10240; 0: 512
	Concurrency *int     `json:"reservedConcurrency,omitempty"` // 0: never runs
	Mount       *Mount   `json:"mount,omitempty"`
	DeadLetter  string   `json:"deadLetter,omitempty"` // ARN of a topic, besides the dead-letter stream
	Layers      []string `json:"layers,omitempty"`     // SHA-256 of each layer's zip; later ones win
	LogFormat   string   `json:"logFormat,omitempty"`  // "Text" (also "") or "JSON"
	LogLevel    string   `json:"applicationLogLevel,omitempty"`

	VPC *VPC `json:"vpcConfig,omitempty"` // nil: the public internet only

	MinIsolation string `json:"minIsolation,omitempty"` // level below which it does not run; "": any

	Publish     bool `json:"publish,omitempty"`                // a deployment publishes a version
	Provisioned int  `json:"provisionedConcurrency,omitempty"` // instances kept initialised for the alias "provisioned"
	Warm        int  `json:"warm,omitempty"`                   // instances of $LATEST kept initialised

	MaxEventAge int    `json:"maximumEventAge,omitempty"`      // seconds, 60-21,600; 0: 6 hours
	MaxRetries  *int   `json:"maximumRetryAttempts,omitempty"` // 0-2; nil: 2
	OnSuccess   string `json:"onSuccess,omitempty"`            // ARN of a function, topic or queue
	OnFailure   string `json:"onFailure,omitempty"`            // likewise

	Modified  time.Time         `json:"modified,omitzero"`    // when it last became another
	CodeSize  int64             `json:"codeSize,omitempty"`   // bytes of the artifact; 0: not known
	Source    string            `json:"codeSource,omitempty"` // bucket/key that the code was taken from; from another, the function is another
	LayerARNs []string          `json:"layerArns,omitempty"`  // of Layers that have one
	Tags      map[string]string `json:"tags,omitempty"`
	Shift     *Shift            `json:"shift,omitempty"` // nil: a deployment is for all callers at once
	// Policies are the resource policies, JSON by qualifier; "" is the function's
	// without one.
	Policies map[string]string `json:"policies,omitempty"`
}

// Shift moves the callers of an alias to a new version bit by bit.
type Shift struct {
	Alias  string `json:"alias"`            // which events call
	Type   string `json:"type"`             // of CodeDeploy: "Canary10Percent5Minutes", "Linear10PercentEvery1Minute", "AllAtOnce" ...
	Before string `json:"before,omitempty"` // function that is asked before any caller is moved
	After  string `json:"after,omitempty"`  // and after all are
	// Alarms are names of alarms that send callers back while they are being moved.
	Alarms []string `json:"alarms,omitempty"`
}

// DeclaredAlias is an alias that a revision says of a function.
type DeclaredAlias struct {
	Function string `json:"function"`
	Alias
}

// Secret is a parameter that is in the environment of the function's instances.
type Secret struct {
	Name      string `json:"name,omitempty"` // of the variable; "": Parameter is a path, and each parameter below it is named by its last part
	Parameter string `json:"parameter"`
}

// Mount is a directory that outlives instances, shared by the functions of a
// stack that name it.
type Mount struct {
	Name string `json:"name"`
	Path string `json:"path"`
}

// VPC is the private network that a function's instances are in (Lambda's
// VpcConfig).
type VPC struct {
	Subnets []string `json:"subnetIds"`
	Groups  []string `json:"securityGroupIds"`
}

// Invocation asks for one run of a function.
type Invocation struct {
	// ID is the request id, assigned when empty; one that is no part of a URL is
	// hashed into a UUID for the function. Enqueue drops a second event with the
	// same ID for the same function, within 15 minutes.
	ID            string
	Function      string // name, name:qualifier or ARN
	Payload       []byte // JSON; empty is {}
	Marshalled    bool   // the caller vouches that Payload is JSON: it is not checked again
	ClientContext string
	TraceID       string
	Trigger       string          // what caused it: one of the Trigger constants; "" is what called, by Enqueue TriggerAsync, else TriggerAPI
	Stream        instance.Stream // of Invoke: takes a response that the function streams; may be nil
	// Settled, of what a consumer's decode returns, is told what became of an
	// attempt before the message is let go; an error puts it off. Optional.
	Settled func(ctx context.Context, o Outcome) error
}

// What causes invocations, as they are measured by.
const (
	TriggerAPI      = "api"      // a call of Invoke
	TriggerAsync    = "async"    // a call of Invoke that does not wait
	TriggerHTTP     = "http"     // a route of an API, or its authorizer
	TriggerURL      = "url"      // a function URL
	TriggerTopic    = "topic"    //
	TriggerSchedule = "schedule" //
	TriggerQueue    = "queue"    //
	TriggerBucket   = "bucket"   // a notification
	TriggerBus      = "bus"      // a rule
	TriggerEdge     = "edge"     // access records
)

// Outcome is what became of an attempt to deliver an event.
type Outcome struct {
	Fate   Fate
	Letter DeadLetter // of one that is Dead
}

// Fate of an event after an attempt.
type Fate int

const (
	Delivered Fate = iota // the function has succeeded
	Retried               // it has failed, and comes again
	Dead                  // it will not be delivered
)

// Result is what a run of the function came to. A function that failed is a
// Result with FunctionError, not an error.
type Result struct {
	RequestID       string
	Payload         []byte
	Streamed        bool   // the response went to Invocation.Stream
	FunctionError   string // "" or "Unhandled"
	ErrorType       string
	ExecutedVersion string
	LogTail         []byte // last 4 KB
	Duration        time.Duration
}

// Invokes is the synchronous half of Invoker, for rooms that need only that.
type Invokes interface {
	Invoke(ctx context.Context, inv Invocation) (Result, error)
}

// Enqueues is the asynchronous half.
type Enqueues interface {
	Enqueue(ctx context.Context, inv Invocation) error
}

// Limits that AWS documents.
const (
	MaxSyncPayload  = 6 << 20
	MaxAsyncPayload = 1 << 20
	MaxConcurrency  = 1000 // running at once, per node
)
