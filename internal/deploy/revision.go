// Package deploy turns a service into a running revision.
//
// A revision is one immutable document that says everything a stack consists of.
// Deploying writes it, then moves the stack's pointer to it by one compare-and-set;
// every room derives its snapshot from it and swaps. Until the pointer moves
// nothing has changed, and afterwards everything has. Stored, in KV buckets of
// the durable engine:
//
//	revisions  STACK.ID   the document
//	stacks     STACK      the ID that is active
//	shifts     STACK      how far callers have been moved to new versions
package deploy

import (
	"time"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/alert/alarm"
	"github.com/dropstack/dropstack/internal/bucket"
	"github.com/dropstack/dropstack/internal/bus"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/accesslog"
	"github.com/dropstack/dropstack/internal/edge/waf"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/ingest"
	"github.com/dropstack/dropstack/internal/monitor"
	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/queue"
	"github.com/dropstack/dropstack/internal/schedule"
	"github.com/dropstack/dropstack/internal/topic"
)

// Revision is one deployed state of a stack. It never changes once written.
type Revision struct {
	ID             string                   `json:"id"` // YYYYMMDDThhmmssmmmZ-<8 hex>, assigned when deployed
	Stack          string                   `json:"stack"`
	Service        string                   `json:"service"`
	Stage          string                   `json:"stage"`
	Region         string                   `json:"region"`
	Created        time.Time                `json:"created"`
	Source         string                   `json:"source,omitempty"` // fingerprint of the inputs, to skip an unchanged build
	Network        network.Model            `json:"network,omitzero"`
	Roles          []iam.DeclaredRole       `json:"roles,omitempty"`
	Functions      []function.Function      `json:"functions,omitempty"`
	APIs           []gateway.API            `json:"apis,omitempty"`
	Topics         []topic.Topic            `json:"topics,omitempty"`
	Subscriptions  []topic.Subscription     `json:"subscriptions,omitempty"`
	Schedules      []schedule.Schedule      `json:"schedules,omitempty"`
	Buckets        []string                 `json:"buckets,omitempty"`
	Notifications  []bucket.Notification    `json:"notifications,omitempty"`
	Distributions  []edge.Distribution      `json:"distributions,omitempty"`
	WebACLs        []waf.WebACL             `json:"webACLs,omitempty"`
	IPSets         []waf.IPSet              `json:"ipSets,omitempty"`
	PatternSets    []waf.RegexPatternSet    `json:"regexPatternSets,omitempty"`
	AccessReaders  []accesslog.Reader       `json:"accessReaders,omitempty"`
	Queues         []queue.Queue            `json:"queues,omitempty"`
	Mappings       []queue.Mapping          `json:"eventSourceMappings,omitempty"`
	Buses          []bus.Bus                `json:"buses,omitempty"`
	Rules          []bus.Rule               `json:"rules,omitempty"`
	ScheduleGroups []schedule.Group         `json:"scheduleGroups,omitempty"`
	APIKeys        []gateway.APIKey         `json:"apiKeys,omitempty"`
	UsagePlans     []gateway.UsagePlan      `json:"usagePlans,omitempty"`
	Aliases        []function.DeclaredAlias `json:"aliases,omitempty"`
	Outputs        []Output                 `json:"outputs,omitempty"`
	Imports        []string                 `json:"imports,omitempty"` // names of exports of other stacks that it is made with
	Owner          string                   `json:"owner,omitempty"`   // OwnerCloudFormation, or "": the deploy command
	Layers         []Layer                  `json:"layers,omitempty"`
	LastLayers     map[string]int           `json:"lastLayerVersions,omitempty"` // the highest number ever given, by name
	Previous       string                   `json:"previous,omitempty"`          // ID of the revision that was active before, if there was one
	Restores       string                   `json:"restores,omitempty"`          // ID of the revision that this one brings back
	Keep           *Keep                    `json:"keep,omitempty"`              // nil: what the platform keeps of stacks

	BucketSettings []bucket.Settings `json:"bucketSettings,omitempty"` // of Buckets
	LogGroups      []logs.Declared   `json:"logGroups,omitempty"`
	LogSources     []ingest.Source   `json:"logSources,omitempty"`
	Alerts         []alert.Rule      `json:"alerts,omitempty"`
	AlertSettings  alert.Settings    `json:"alertSettings,omitzero"`
	Alarms         []alarm.Alarm     `json:"alarms,omitempty"`
	MetricFilters  []alarm.Filter    `json:"metricFilters,omitempty"`
	Monitors       []monitor.Monitor `json:"monitors,omitempty"`
	// Granted are the ids of the statements in functions' policies that the stack
	// declares, by the function's name; the others are of calls of the AWS API.
	Granted map[string][]string `json:"granted,omitempty"`

	sealed map[string][]byte // environments as they are stored, by function
}

// Keep is how much of a stack's past is kept.
type Keep struct {
	Revisions int `json:"revisions,omitempty"` // 0: as the platform does
	Versions  int `json:"versions,omitempty"`  // of each function, besides those that aliases name; 0: as the platform does
}

// OwnerCloudFormation is the owner of stacks that are deployed as templates; the
// deploy command leaves them alone.
const OwnerCloudFormation = "cloudformation"

// Output is a value that a stack shows, and may export to other stacks.
type Output struct {
	Key         string `json:"key"`
	Value       string `json:"value"`
	Description string `json:"description,omitempty"`
	Export      string `json:"export,omitempty"`    // a name, one of its kind in the region
	VersionOf   string `json:"versionOf,omitempty"` // name of a function; then Value is the ARN of its version, known when it is deployed
}

// Layer is a version of a layer that a template declares or a call of the AWS API
// has published.
type Layer struct {
	Name          string    `json:"name"`
	Version       int       `json:"version"`
	ARN           string    `json:"arn"`
	Artifact      string    `json:"artifact"` // SHA-256 of the zip, hex
	Size          int64     `json:"size"`
	Created       time.Time `json:"created"`
	Description   string    `json:"description,omitempty"`
	License       string    `json:"license,omitempty"`
	Runtimes      []string  `json:"runtimes,omitempty"`
	Architectures []string  `json:"architectures,omitempty"`
	Retain        bool      `json:"retain,omitempty"` // it stays when another version takes its place
}

// Artifacts lists the artifacts that the revision's functions run, each once.
func (r *Revision) Artifacts() []string {
	var list []string
	seen := map[string]bool{}
	for _, f := range r.Functions {
		if !seen[f.Artifact] {
			seen[f.Artifact] = true
			list = append(list, f.Artifact)
		}
	}
	return list
}

// ArtifactBucket holds the artifacts, by SHA256.zip.
const ArtifactBucket = "dropstack-artifacts"

// ArtifactKey is the key of an artifact in ArtifactBucket.
func ArtifactKey(sha256 string) string { return sha256 + ".zip" }
