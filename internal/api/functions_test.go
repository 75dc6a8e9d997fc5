package api_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/apigateway"
	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/bucket"
	"github.com/dropstack/dropstack/internal/bus"
	"github.com/dropstack/dropstack/internal/cloudfront"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/waf"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/event"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/instance"
	"github.com/dropstack/dropstack/internal/lambda"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/queue"
	"github.com/dropstack/dropstack/internal/schedule"
	"github.com/dropstack/dropstack/internal/topic"
	"github.com/dropstack/dropstack/internal/wafv2"
	"github.com/nats-io/nats.go/jetstream"
)

// shelf is an object store in memory.
type shelf struct {
	mu      sync.Mutex
	objects map[string][]byte
}

func newShelf() *shelf { return &shelf{objects: map[string][]byte{}} }

func (s *shelf) Put(_ context.Context, bucket, key string, r io.Reader, _ int64, _ engine.PutOptions) (engine.Object, error) {
	b, err := io.ReadAll(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[bucket+"/"+key] = b
	return engine.Object{Size: int64(len(b))}, err
}

func (s *shelf) get(bucket, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.objects[bucket+"/"+key]
	if !ok {
		return nil, fault.Errorf(fault.NotFound, "no %s/%s", bucket, key)
	}
	return b, nil
}

func (s *shelf) Get(_ context.Context, bucket, key string, _, _ int64) (engine.Object, io.ReadCloser, error) {
	b, err := s.get(bucket, key)
	return engine.Object{Size: int64(len(b))}, io.NopCloser(bytes.NewReader(b)), err
}

func (s *shelf) Stat(_ context.Context, bucket, key string) (engine.Object, error) {
	b, err := s.get(bucket, key)
	return engine.Object{Size: int64(len(b))}, err
}
func (s *shelf) Delete(context.Context, string, string) error { return nil }
func (s *shelf) CreateBucket(context.Context, string) error   { return nil }

// zipped is a zip of files with their contents, and its hash.
func zipped(t *testing.T, files ...string) ([]byte, string) {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i+1 < len(files); i += 2 {
		h := &zip.FileHeader{Name: files[i], Method: zip.Deflate}
		h.SetMode(0o755)
		f, err := w.CreateHeader(h)
		if err == nil {
			_, err = io.WriteString(f, files[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b.Bytes())
	return b.Bytes(), hex.EncodeToString(sum[:])
}

// The rooms with which these tests are not concerned.
type (
	quietRoles   struct{}
	quietQueues  struct{}
	quietTopics  struct{}
	quietBuckets struct{}
	quietEdge    struct{}
)

func (quietRoles) Replace(string, iam.Declaration) error { return nil }

func (quietRoles) Trusts(context.Context, string, string) error { return nil }

func (quietQueues) Replace(context.Context, string, []queue.Queue, []queue.Mapping) error { return nil }

func (quietTopics) Replace(context.Context, string, []topic.Topic, []topic.Subscription) error {
	return nil
}
func (quietBuckets) Replace(string, []bucket.Notification) error { return nil }
func (quietEdge) Replace(string, []edge.Distribution) error      { return nil }

// everything is allowed.
type everything struct{}

func (everything) Authorize(context.Context, string, string, map[string][]string) error { return nil }

// house is the rooms behind the endpoint, real ones as far as functions go.
type house struct {
	firewall waf.Firewall
	*world
	streams   jetstream.JetStream
	objects   *shelf
	invoker   *function.Invoker
	deployer  *deploy.Deployer
	schedules *schedule.Scheduler
	buses     *bus.Buses
	published chan string // what rules have told topics
	stored    *stored
}

func (h *house) publish(_ context.Context, topicARN string, body []byte, _ map[string]string) error {
	h.published <- topicARN + " " + string(body)
	return nil
}

func newHouse(t *testing.T) *house {
	t.Helper()
	root, log := t.TempDir(), slog.New(slog.DiscardHandler)
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	h := &house{streams: enginetest.Streams(t), objects: newShelf(), published: make(chan string, 8)}
	pool := &instance.Pool{Log: log, Logs: nowhere{}}
	t.Cleanup(func() { pool.Close() })
	h.invoker = &function.Invoker{
		Pool: pool, Streams: h.streams, Log: log, Region: arn.Region, ArtifactRoot: filepath.Join(root, "artifacts"),
		MountRoot: filepath.Join(root, "mounts"), LayerRoot: filepath.Join(root, "layers"),
	}
	for _, dir := range []string{h.invoker.ArtifactRoot, h.invoker.LayerRoot} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.invoker.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.buses = &bus.Buses{Invoker: h.invoker, Publish: h.publish, Region: arn.Region, Log: log}
	h.schedules = &schedule.Scheduler{Streams: h.streams, Enqueue: h.invoker, Deliver: h.buses.Deliver, Region: arn.Region, Log: log}
	gateways := &gateway.Gateway{Invoker: h.invoker, Log: log}
	h.deployer = &deploy.Deployer{
		Streams: h.streams, Objects: h.objects, Artifacts: h.invoker.ArtifactRoot, LayerRoot: h.invoker.LayerRoot, Region: arn.Region, Log: log,
		Rooms: deploy.Rooms{
			Roles: quietRoles{}, Networks: &network.Networks{Log: log}, Functions: h.invoker, Queues: quietQueues{}, Topics: quietTopics{},
			Schedules: h.schedules, Buses: h.buses, Buckets: quietBuckets{}, Gateway: gateways, Edge: quietEdge{}, Versions: h.invoker, Firewall: &h.firewall,
		},
		Hooks: h.invoker,
	}
	if err := h.deployer.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	functions := &lambda.Functions{
		Deployer: h.deployer, Invoker: h.invoker, Objects: h.objects, Region: arn.Region,
		Presign: func(_ context.Context, bucket, key string) (string, error) {
			return "https://s3/" + bucket + "/" + url.PathEscape(key), nil
		},
		URL: func(host string) string { return "http://" + host },
	}
	apis := &apigateway.APIs{Deployer: h.deployer, Streams: h.streams, Region: arn.Region, URL: func(id, stage string) string { return "http://" + id + "/" + stage }}
	if err := apis.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.stored = &stored{}
	distributions := &cloudfront.Distributions{Deployer: h.deployer, Edge: h.stored, Streams: h.streams, Translate: translated, Authorizer: everything{}}
	if err := distributions.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.world = serve(t, &api.Server{
		Lambda: &api.Lambda{Invoker: h.invoker, Functions: functions, Region: arn.Region},
		Services: []*api.Service{
			(&api.Events{Rules: &event.Rules{Deployer: h.deployer, Region: arn.Region}, Buses: h.buses, Region: arn.Region}).Service(),
			(&api.Scheduler{Schedules: &event.Schedules{Deployer: h.deployer, Region: arn.Region}, Region: arn.Region}).Service(),
			api.APIGateway(apis, arn.Region), api.CodeDeploy(h.deployer), api.CloudFront(distributions),
			api.Firewall(&wafv2.Firewalls{Deployer: h.deployer, Sampler: &h.firewall, Region: arn.Region}),
		},
	})
	gateways.Verify = h.keys
	return h
}

// nowhere takes what functions write.
type nowhere struct{}

func (nowhere) Append(logs.Record) {}

// invoking is Lambda's API of an invoker, without anything that changes functions.
func invoking(i api.LambdaInvoker) *api.Lambda {
	return &api.Lambda{Invoker: i, Functions: &lambda.Functions{Invoker: i, Region: arn.Region}, Region: arn.Region}
}
