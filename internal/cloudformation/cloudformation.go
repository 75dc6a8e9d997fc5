// Package cloudformation deploys templates: stacks, change sets and their events,
// as CloudFormation does.
//
// A template becomes a revision (package deploy) in one pass: its conditions and
// intrinsic functions are worked out resource by resource, in the order in which
// they refer to each other, and each resource's kind adds it to the revision. What
// a template asks for is therefore known, and refused, before anything changes;
// activating it is one step, as of every deployment. Only what functions make of
// custom resources is known later: those are called between two passes.
//
// A change of a stack goes on when the call that asked for it has been answered.
// It is written down before each step that lasts, and a platform that was killed
// finishes it, or takes it back, at the next start.
package cloudformation

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/secret/store"
)

// Sealer keeps what templates hold from whoever has only the data directory.
type Sealer interface {
	Seal(plaintext, context []byte) ([]byte, error)
	Open(sealed, context []byte) ([]byte, error)
}

// Deployer is what stacks need of deployments.
type Deployer interface {
	Deploy(ctx context.Context, r *deploy.Revision) (*deploy.Revision, error)
	// Preview is an error when Deploy would refuse a revision.
	Preview(ctx context.Context, r *deploy.Revision) (*deploy.Diff, error)
	Remove(ctx context.Context, stack string) error
	Active(stack string) (*deploy.Revision, bool)
	List() map[string]*deploy.Revision
	// Recall returns a revision of a stack that was active once.
	Recall(ctx context.Context, stack, id string) (*deploy.Revision, error)
	// Shifting is how callers were moved to new versions last, nil if never.
	Shifting(stack string) *deploy.Shift
}

// Objects is what stacks need of buckets: they make them and delete them, and read
// templates from them.
type Objects interface {
	Get(ctx context.Context, bucket, key string, offset, length int64) (engine.Object, io.ReadCloser, error)
	HasBucket(ctx context.Context, bucket string) error
	CreateBucket(ctx context.Context, bucket string) error
	// DeleteBucket is fault.Conflict when there is something in it, and nil when
	// there is no such bucket.
	DeleteBucket(ctx context.Context, bucket string) error
}

// Logs is what stacks need of log groups.
type Logs interface {
	// DeleteLogGroup is fault.NotFound when there is no such group.
	DeleteLogGroup(ctx context.Context, in logs.LogGroupNameInput) (logs.None, error)
}

// Authorizer asks what the caller may do besides the operation itself.
type Authorizer interface {
	Authorize(ctx context.Context, action, resource string, conditions map[string][]string) error
}

// Stacks are the stacks that templates have made. All fields are required that do
// not say otherwise. All methods are safe for concurrent use.
type Stacks struct {
	Bucket, Events store.Bucket
	Sealer         Sealer
	Deployer       Deployer
	Platform       Platform
	Objects        Objects
	Logs           Logs
	Authorizer     Authorizer
	Functions      function.Invokes // make custom resources
	Region         string
	Log            *slog.Logger
	// Parameter reads a parameter of Parameter Store in clear, as the caller may.
	Parameter func(ctx context.Context, name string) (string, error)
	// Answers is the URL that functions send what became of a custom resource to,
	// by its token; Answer is told of what comes.
	Answers func(token string) string
	// Endpoint is the URL of the AWS endpoint, with which those of queues begin, and
	// URL where the edge answers for a host. Optional: they are Amazon's.
	Endpoint string
	URL      func(host string) string

	kinds   map[string]kind // of tests; nil: all
	base    context.Context // the platform's
	working sync.WaitGroup  // changes that are under way
	left    []*stack        // by the last platform, while they were changed

	mu     sync.Mutex            // guards what follows, and writing to the buckets
	stacks map[string]*stack     // by UUID; those that were deleted too
	sets   map[string]*changeSet // by ARN

	awaited answers
}

// Run finishes what was under way when the platform ended, and returns when ctx has
// ended and with it everything that is under way.
func (s *Stacks) Run(ctx context.Context) error {
	s.resume()
	<-ctx.Done()
	s.working.Wait()
	return nil
}

// start has a change go on after its call was answered, for whoever called.
func (s *Stacks) start(ctx context.Context, change func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(s.base, cancel)
	s.working.Go(func() {
		defer cancel()
		defer stop()
		change(ctx)
	})
}

// find is the stack that a name or an ARN means: by name, one that is there. The
// lock is held.
func (s *Stacks) find(text string) *stack {
	for _, st := range s.stacks {
		if st.ID == text || st.Name == text && st.here() {
			return st
		}
	}
	return nil
}

// ARN is what policies call a stack, by its name or ARN.
func (s *Stacks) ARN(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.find(text); st != nil {
		return st.ID
	}
	if id, ok := s.native(text); ok {
		return id
	}
	return StackARN(s.Region, nameOf(text), "*")
}

// native is the ARN of a stack that the deploy command has made.
func (s *Stacks) native(text string) (string, bool) {
	name := nameOf(text)
	r, ok := s.Deployer.Active(name)
	if !ok || r.Owner == deploy.OwnerCloudFormation || name == deploy.APIStack {
		return "", false
	}
	id := StackARN(s.Region, name, uuid.NewSHA1(uuid.NameSpaceURL, []byte(name)).String())
	return id, text == name || text == id
}

func newUUID() string { return uuid.NewString() }

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
