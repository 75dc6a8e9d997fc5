// Package spec reads a serverless.yml into a validated Service.
//
// It knows shapes and lines. What a cron expression or a route means is asked of
// the room that owns it; every part therefore keeps its position.
//
// The walk: locate and parse the file (load.go, node.go), resolve variables only
// where a value is read (variable.go, source.go), read shapes and collect every
// problem (read.go and the nouns' files), check what spans entries (check.go).
package spec

import (
	"cmp"
	"fmt"

	"github.com/dropstack/dropstack/internal/network"
)

// Pos is a place in a file. Line and Column count from 1.
type Pos struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column,omitempty"`
}

func (p Pos) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// Problem is one fault or warning, with its place.
type Problem struct {
	Pos     Pos    `json:"pos"`
	Message string `json:"message"`
}

func (p Problem) String() string { return p.Pos.String() + ": " + p.Message }

// Service is a serverless.yml after variables are resolved and shapes checked.
type Service struct {
	Dir           string // directory of serverless.yml
	File          string
	Name          string
	Stage         string
	Region        string
	StackName     string     // provider.stackName; "": SERVICE-STAGE
	Functions     []Function // in file order
	Layers        []Layer    // in file order
	Topics        []Topic    // resources of type AWS::SNS::Topic and topics named by events
	Subscriptions []Subscription
	Buckets       []Bucket // resources of type AWS::S3::Bucket and buckets named by events
	Package       Package
	REST          API            // what provider.apiGateway says
	HTTP          API            // what provider.httpApi says
	Bundle        *Bundle        // nil: handlers are packed as they are, unless they are TypeScript
	Distributions []Distribution // custom.dropstack.distributions
	Monitors      []Monitor      // custom.dropstack.monitors
	Edge          []EdgeResource // resources of CloudFront and AWS WAF
	CloudFront    *APICloudFront // custom.apiCloudFront
	Roles         []Role         // that functions have, as far as something is said of them
	Network       network.Model  // resources of AWS::EC2 and AWS::Route53, and those of NetworkFile
	Notifications []Notification
	Queues        []Queue
	Buses         []Bus
	Rules         []Rule
	LogGroups     []LogGroup
	LogSources    []LogSource `json:",omitempty"` // custom.dropstack.logs
	Alarms        []Alarm
	MetricFilters []MetricFilter
	Alerting      *Alerting  // custom.dropstack.alerts
	LogRetention  *Retention // provider.logRetentionInDays
	Outputs       []Output
	Imports       []string          // names that Fn::ImportValue has asked for, sorted
	Tags          map[string]string // of everything that takes some
	Warnings      []Problem
	KeepVersions  int `json:",omitzero"` // of each function, besides those that aliases name (custom.prune); 0: as the platform does
}

// Stack is the unit of deployment: SERVICE-STAGE, unless it has another name.
func (s *Service) Stack() string { return cmp.Or(s.StackName, s.Prefix()) }

// Prefix is SERVICE-STAGE, which names of functions begin with.
func (s *Service) Prefix() string { return s.Name + "-" + s.Stage }

// Function is one entry of functions, with the provider's defaults filled in.
type Function struct {
	Pos                 Pos
	Key                 string // as in the file
	Name                string // SERVICE-STAGE-KEY unless named
	Handler             string
	HandlerPos          Pos
	Runtime             string
	Description         string
	MemoryMB            int
	TimeoutSeconds      int
	ReservedConcurrency *int
	Environment         map[string]string
	Mount               *Mount
	VPC                 *VPC     // nil: the public internet only
	Role                string   // ARN; "": the service's default role
	KeyARN              string   // of the key that its environment is encrypted under; "": the platform's
	Secrets             []Secret // parameters that become environment variables at a cold start
	Layers              []string // keys of the service's layers, and ARNs of others; later ones win
	Package             Package
	Events              []Event
	URL                 *URL

	Tags                   map[string]string
	LogRetention           *Retention // nil: not said
	Shift                  *Shift
	ProvisionedConcurrency int  `json:",omitzero"` // instances kept initialised for the alias Provisioned, which events call
	Warm                   int  `json:",omitzero"` // instances kept initialised
	Publish                bool // a deployment publishes a version

	MaximumEventAge      int    `json:",omitzero"` // seconds; 0: not said
	MaximumRetryAttempts *int   // nil: not said
	OnSuccess, OnFailure string // ARN of a function, topic or queue
	OnError              string // topic ARN for dead letters

	LogFormat                string // "", Text or JSON
	LogLevel, SystemLogLevel string // with JSON only
	StorageMB                int    `json:",omitzero"` // ephemeralStorageSize; 0: not said
	MinIsolation             string `json:",omitzero"` // level below which it is not to run; "": any
}

// Target is what events of the function call: its name, or with traffic that shifts
// or provisioned concurrency its alias.
func (f *Function) Target() string {
	switch {
	case f.Shift != nil:
		return f.Name + ":" + f.Shift.Alias
	case f.ProvisionedConcurrency > 0:
		return f.Name + ":" + Provisioned
	}
	return f.Name
}

// URL is an HTTPS endpoint of a function's own.
type URL struct {
	Pos        Pos
	Authorizer string // AuthNone or AuthIAM
	CORS       *CORS  // methods may be "*"
	InvokeMode string // Buffered or Stream
}

// Layer is one entry of layers: files that functions find in /opt.
type Layer struct {
	Pos     Pos
	Key     string // as in the file
	Name    string
	ARN     string // of its next version, whatever number that will have
	Path    string // directory, relative to the service's; "" when Package has an artifact
	PathPos Pos
	Package Package // patterns are relative to Path

	Description, License    string
	Runtimes, Architectures []string // that it is made for
	Retain                  bool     // earlier versions stay
}

// Mount is a directory that outlives instances (fileSystemConfig). Name is
// unique within the stack; Path is where the function expects it.
type Mount struct {
	Pos  Pos
	Name string
	Path string
}

// Package says what goes into an artifact.
type Package struct {
	Pos          Pos
	Artifact     string // prebuilt zip, relative to the service directory
	Individually bool
	Exclude      []string // globs of what is left out; "!" takes back in
	Patterns     []string // globs, "!" excludes, later wins; they win over Exclude
	KeepDev      bool     // development dependencies too (excludeDevDependencies: false)
}

// Event is one event source of a function; exactly one member is set.
type Event struct {
	Pos      Pos
	HTTP     *HTTPEvent
	HTTPAPI  *HTTPEvent
	SNS      *SNSEvent
	SQS      *SQSEvent
	Schedule *ScheduleEvent
	Rule     *RuleEvent // eventBridge and cloudwatchEvent
	S3       *S3Event
	Access   *AccessEvent
}

// CORS is what preflight requests are answered with.
type CORS struct {
	Origins          []string `json:"origins,omitempty"`
	Headers          []string `json:"headers,omitempty"`
	Methods          []string `json:"methods,omitempty"`
	ExposeHeaders    []string `json:"exposeHeaders,omitempty"`
	AllowCredentials bool     `json:"allowCredentials,omitempty"`
	MaxAgeSeconds    int      `json:"maxAge,omitempty"`
}

// SNSEvent subscribes the function to a topic, by name or ARN.
type SNSEvent struct {
	Topic      string // name, without the ARN around it
	ARN        string
	Attributes []Attribute // of the subscription
}

// Attribute is an attribute of a topic or a subscription and its place. Value is as
// the API of SNS takes it: what is a map in the file is JSON. What it means is said
// by deploy.Check.
type Attribute struct {
	Pos   Pos
	Name  string
	Value string
}

// Subscription is a resource of type AWS::SNS::Subscription, or an entry of a
// topic's Subscription.
type Subscription struct {
	Pos        Pos
	TopicARN   string
	Protocol   string
	Endpoint   string
	Attributes []Attribute
}

// S3Event subscribes the function to changes of a bucket.
type S3Event struct {
	Bucket string
	Event  string // s3:ObjectCreated:*
	Prefix string
	Suffix string
}

// Topic and Bucket are resources. Declared is false when only an event names it.
type Topic struct {
	Pos       Pos
	LogicalID string
	Name      string
	Declared  bool
	// Foreign is true when it is named by its ARN only: it may be another stack's.
	Foreign    bool
	Attributes []Attribute
	Tags       map[string]string
}

// Upload makes a behaviour stream request bodies into a bucket first.
type Upload struct {
	Bucket   string
	Prefix   string
	MaxBytes int64 // 0: no limit
}
