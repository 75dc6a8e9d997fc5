package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/bucket"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/event"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/instance"
	"github.com/dropstack/dropstack/internal/lambda"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/schedule"
	"github.com/dropstack/dropstack/internal/topic"
	"golang.org/x/sync/errgroup"
)

// grace is how long requests and invocations may take to finish at a shutdown.
const grace = 20 * time.Second

// Run starts the platform on cfg and returns when ctx ends and the last work in
// flight is done.
func Run(ctx context.Context, cfg Config) (err error) {
	if cfg.Region == "" {
		cfg.Region = arn.Region
	}
	if err := cfg.check(); err != nil {
		return err
	}
	lock, err := engine.Lock(cfg.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := sweep(cfg.Dir); err != nil {
		return err
	}
	if err := mkdirs(cfg.Dir, "artifacts", "layers", "caches", "runtimes", "mounts", "instances"); err != nil {
		return err
	}
	ls, err := openListeners(cfg)
	if err != nil {
		return err
	}
	defer ls.close()
	keys, err := iam.Open(cfg.Dir)
	if err != nil {
		return err
	}
	var notifications *bucket.Notifications // set before anything can store an object
	eng, err := engine.Open(ctx, engine.Config{
		Dir: cfg.Dir, Region: cfg.Region, Log: cfg.Log, Accounts: keys,
		OnObject: func(e engine.ObjectEvent) error { return notifications.OnObject(e) },
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, eng.Close()) }()

	rooms, err := furnish(ctx, cfg, eng, keys, ls)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rooms.trail.Close()) }() // after everything that is recorded
	defer func() { err = errors.Join(err, rooms.metrics.Close()) }()
	defer func() { err = errors.Join(err, rooms.logs.Close()) }()   // after the pool, whose instances write to it
	defer func() { err = errors.Join(err, rooms.topics.Close()) }() // its appenders
	defer rooms.networks.close(cfg.Log)                             // after the sandboxes, which leave it
	defer rooms.closeBoxes(cfg.Log)
	defer func() { err = errors.Join(err, rooms.pool.Close()) }() // after the drain, before the engines
	notifications = rooms.notifications
	if err := rooms.invoker.Load(ctx); err != nil {
		return err
	}
	if err := rooms.deployer.Load(ctx); err != nil {
		return err
	}
	if err := rooms.topics.Prune(ctx, slices.Collect(maps.Keys(rooms.deployer.List()))); err != nil {
		return err
	}
	if err := writeEndpoints(cfg.Dir, ls.endpoints); err != nil {
		return err
	}
	return rooms.serve(ctx, cfg, ls)
}

// rooms is every room of a running platform.
type rooms struct {
	eng           *engine.Engine
	keys          *iam.Authority
	secrets       *secrets
	trail         *audit.Log
	logs          *logs.Store
	metrics       *metric.Store
	boxes         *sandbox.Maker
	missing       map[string]string // why they are not of a stronger level
	examined      func() *Isolation // what attacks have shown, which are made when it is asked for first
	networks      *networks
	inner         *http.Server // the AWS endpoint inside of sandboxes
	pool          *instance.Pool
	invoker       *function.Invoker
	topics        *topic.Topics
	schedules     *schedule.Scheduler
	notifications *bucket.Notifications
	gateway       *gateway.Gateway
	edge          *edge.Server
	deployer      *deploy.Deployer
	api           *api.Server
	platform      *Platform
	ready         atomic.Bool   // every stack has answered once
	answered      chan struct{} // closed then
}

// serve runs every long-running part until ctx ends. The doors close first, then
// queues stop; invocations in flight finish.
func (r *rooms) serve(ctx context.Context, cfg Config, ls *listeners) error {
	go func() { _ = r.inner.Serve(r.api.Tunnel.Over(ls.secure)) }() // until closeBoxes: invocations in flight still call
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.keys.Run(ctx) })
	g.Go(func() error { return r.secrets.run(ctx) })
	g.Go(func() error { return r.invoker.Run(ctx) })
	g.Go(func() error { return r.topics.Run(ctx) })
	g.Go(func() error { return r.schedules.Run(ctx) })
	g.Go(func() error { return r.edge.Serve(ctx, ls.http) })
	g.Go(func() error { return serveHTTP(ctx, ls.aws, r.api) })
	g.Go(func() error { return serveHTTP(ctx, ls.console, r.health(ctx)) })
	g.Go(func() error { r.examine(ctx); return nil })
	if cfg.Ready != nil {
		cfg.Ready(r.platform)
	}
	return g.Wait()
}

// serveHTTP serves h on l until ctx ends, then lets requests finish.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	done := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		done <- srv.Shutdown(bounded)
	})
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return <-done
}

func furnish(ctx context.Context, cfg Config, eng *engine.Engine, keys *iam.Authority, ls *listeners) (*rooms, error) {
	r, at := &rooms{eng: eng, keys: keys, answered: make(chan struct{})}, ls.endpoints
	var err error
	if r.secrets, err = openSecrets(ctx, cfg, eng, keyAuthority{keys}); err != nil {
		return nil, err
	}
	keys.Sealer = r.secrets.kept.Sealer("access keys and sessions")
	if err := loadAuthority(ctx, cfg, eng.Streams, keys); err != nil {
		return nil, err
	}
	if r.trail, err = r.secrets.openTrail(ctx, cfg); err != nil {
		return nil, err
	}
	r.secrets.recordReads(r.trail, cfg.Region)
	r.logs = &logs.Store{Streams: eng.Telemetry, State: eng.Streams, Region: cfg.Region, Log: cfg.Log}
	if err := r.logs.Open(ctx); err != nil {
		return nil, err
	}
	r.metrics = &metric.Store{Dir: filepath.Join(cfg.Dir, "metrics"), Log: cfg.Log}
	if err := r.metrics.Open(); err != nil {
		return nil, err
	}
	if r.boxes, r.missing, r.examined, err = boxes(ctx, cfg, at, r.secrets.ca.PEM()); err != nil {
		return nil, err
	}
	r.inner = &http.Server{ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug)}
	if r.networks, err = newNetworks(cfg, r.boxes.Level, at, ls.secure.Addr()); err != nil {
		return nil, err
	}
	r.pool = &instance.Pool{
		Log: cfg.Log, Logs: r.logs, Boxes: r.boxes,
		ServeAWS:   func(l net.Listener) { _ = r.inner.Serve(l) },
		ServeNames: func(l net.Listener) { _ = r.inner.Serve(r.api.Tunnel.Over(l)) },
		Network:    r.networks.join,
	}
	sealer := &environments{own: r.secrets.kept.Sealer("environments"), keys: r.secrets.keys}
	r.invoker = &function.Invoker{
		Pool: r.pool, Streams: eng.Streams, Log: cfg.Log, Region: cfg.Region, Endpoint: at.AWS,
		ArtifactRoot: filepath.Join(cfg.Dir, "artifacts"), MountRoot: filepath.Join(cfg.Dir, "mounts"),
		LayerRoot: filepath.Join(cfg.Dir, "layers"), CacheRoot: filepath.Join(cfg.Dir, "caches"), Managed: newRuntimes(cfg.Dir, cfg.Log).start,
		Credentials: func(fn function.Function, id string) (instance.Credentials, time.Time, error) {
			c, err := keys.Instance(fn.ARN, fn.Role, id)
			return instance.Credentials(c), time.Now().Add(iam.InstanceLifetime), err
		},
		Secrets: r.secrets.wanted(keys, cfg.Region), Sealer: sealer,
		Recorder: recorder{&metric.Functions{Store: r.metrics}},
	}
	r.invoker.Isolated = r.isolated
	identity, err := topicIdentity(ctx, eng.Streams, r.secrets.kept.Sealer("messages"))
	if err != nil {
		return nil, err
	}
	r.topics = &topic.Topics{
		Streams: eng.Streams, Deliver: r.invoker, Log: cfg.Log, Endpoint: at.AWS, Region: cfg.Region,
		Identity: identity, CheckPolicy: keys.CheckKeyPolicy, MayReachInside: func(ctx context.Context) bool { return cfg.PrivateEndpoints || isRoot(ctx) },
		NewAppender: func(stream string) topic.Appender { return eng.NewAppender(stream) },
	}
	r.invoker.Publish = func(ctx context.Context, topicARN string, body []byte, attributes map[string]string) error {
		in := topic.PublishInput{TopicArn: topicARN, Message: string(body), MessageAttributes: map[string]topic.MessageAttributeValue{}}
		for name, value := range attributes {
			in.MessageAttributes[name] = topic.MessageAttributeValue{DataType: "String", StringValue: &value}
		}
		_, err := r.topics.Publish(ctx, in)
		return err
	}
	r.schedules = &schedule.Scheduler{Streams: eng.Streams, Enqueue: r.invoker, Region: cfg.Region, Log: cfg.Log}
	r.notifications = &bucket.Notifications{Invoker: r.invoker, Region: cfg.Region, Log: cfg.Log}
	r.gateway = &gateway.Gateway{Invoker: r.invoker, Verify: keys, Log: cfg.Log}
	r.edge = &edge.Server{Origins: r.gateway, Objects: eng.Objects, Log: cfg.Log}
	r.deployer = &deploy.Deployer{
		Streams: eng.Streams, Objects: eng.Objects, Artifacts: filepath.Join(cfg.Dir, "artifacts"), LayerRoot: filepath.Join(cfg.Dir, "layers"), Region: cfg.Region, Log: cfg.Log, Sealer: sealer,
		Prepare: func(ctx context.Context, fn function.Function, _ string) error { return r.invoker.Prepare(ctx, fn) },
		Rooms: deploy.Rooms{
			Roles: keys, Networks: r.networks, Functions: r.invoker, Topics: r.topics, Schedules: r.schedules,
			Buckets: r.notifications, Gateway: r.gateway, Edge: r.edge,
		},
	}
	r.topics.Editor = topicEditor{r.deployer}
	if cfg.SMTP.Server != "" {
		r.topics.Mail = &cfg.SMTP
	}
	control := &api.Control{Deployer: r.deployer, Letters: r.invoker, Topics: r.topics, Flows: &r.networks.flows, Endpoints: at, Isolation: r.boxes.Level, Records: r.trail, RootKey: r.secrets.root}
	functions := &lambda.Functions{
		Deployer: r.deployer, Invoker: r.invoker, Objects: eng.Objects, Region: cfg.Region,
		Presign: presigner(at.AWS, cfg.Region, keys.Admin()), URL: onHost(at.HTTP), Roles: keys,
	}
	r.gateway.Permit = func(ctx context.Context, name string) error {
		policies, err := functions.Policies(name, "")
		if err != nil {
			return err
		}
		conditions := map[string][]string{"lambda:FunctionUrlAuthType": {gateway.AuthIAM}}
		return keys.AuthorizeWith(ctx, "lambda:InvokeFunctionUrl", arn.Function(cfg.Region, name), conditions, policies...)
	}
	r.api = &api.Server{
		Authority: keys, Trail: r.trail, Objects: &api.Objects{
			Store: eng.Objects.Handler, Caller: keys, Policy: eng.Objects.Policy,
			Notifications: &api.Notifications{Deployer: r.deployer, Exists: eng.Objects.HasBucket},
		},
		Lambda: &api.Lambda{Invoker: r.invoker, Functions: functions, Region: cfg.Region},
		Services: []*api.Service{
			control.Service(), (&api.SNS{Topics: r.topics, Region: cfg.Region}).Service(), (&api.Logs{Store: r.logs, Region: cfg.Region}).Service(),
			(&api.CloudWatch{Store: r.metrics}).Service(),
			(&api.Events{Rules: &event.Rules{Deployer: r.deployer, Region: cfg.Region}, Region: cfg.Region}).Service(),
			(&api.CloudTrail{Trail: r.trail}).Service(), api.IAM(keys), api.STS(keys), api.SSM(r.secrets.parameters), api.KMS(r.secrets.keys),
		},
		Region: cfg.Region, Log: cfg.Log, Certificate: identity.Certificate,
	}
	r.api.Tunnel = &api.Tunnel{Certificate: r.secrets.ca.GetCertificate(arn.ServiceHost), Handler: r.api}
	r.inner.Handler = r.api
	r.platform, err = newPlatform(cfg, r, at)
	return r, err
}
