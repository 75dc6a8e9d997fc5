package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/alert/alarm"
	"github.com/dropstack/dropstack/internal/alert/notify"
	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/apigateway"
	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/bucket"
	"github.com/dropstack/dropstack/internal/bus"
	"github.com/dropstack/dropstack/internal/cloudformation"
	"github.com/dropstack/dropstack/internal/cloudfront"
	"github.com/dropstack/dropstack/internal/console"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/accesslog"
	"github.com/dropstack/dropstack/internal/edge/ban"
	"github.com/dropstack/dropstack/internal/edge/cache"
	"github.com/dropstack/dropstack/internal/edge/certificate"
	"github.com/dropstack/dropstack/internal/edge/waf"
	"github.com/dropstack/dropstack/internal/edge/waf/reputation"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/instance"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/fingerprint"
	"github.com/dropstack/dropstack/internal/logs/ingest"
	"github.com/dropstack/dropstack/internal/logs/query"
	"github.com/dropstack/dropstack/internal/logs/tail"
	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/metric/promapi"
	"github.com/dropstack/dropstack/internal/monitor"
	"github.com/dropstack/dropstack/internal/monitor/comparison"
	"github.com/dropstack/dropstack/internal/queue"
	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/schedule"
	"github.com/dropstack/dropstack/internal/topic"
	"github.com/dropstack/dropstack/internal/trace"
	"golang.org/x/sync/errgroup"
)

// grace is how long requests and invocations may take to finish at a shutdown.
const grace = 20 * time.Second

// Run starts the platform on cfg and returns when ctx ends and the last work in
// flight is done.
func Run(ctx context.Context, cfg Config) (err error) {
	tuneCollector()
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
	if err := mkdirs(cfg.Dir, "artifacts", "layers", "caches", "runtimes", "mounts", "instances", "alerts"); err != nil {
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
	rooms := &rooms{answered: make(chan struct{}), ending: ctx.Done()} // is furnished before anything can store an object
	eng, err := engine.Open(ctx, engine.Config{
		Dir: cfg.Dir, Region: cfg.Region, Log: cfg.Log, Accounts: keys,
		OnObject: rooms.onObject,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, eng.Close()) }()

	rooms.eng, rooms.keys = eng, keys
	defer func() { err = errors.Join(err, rooms.close()) }()
	if err := rooms.furnish(ctx, cfg, ls); err != nil {
		return err
	}
	if err := rooms.invoker.Load(ctx); err != nil {
		return err
	}
	if err := rooms.deployer.Load(ctx); err != nil {
		return err
	}
	if err := rooms.prune(ctx); err != nil {
		return err
	}
	if err := writeEndpoints(cfg.Dir, ls.endpoints); err != nil {
		return err
	}
	return rooms.serve(ctx, cfg, ls)
}

// rooms is every room of a running platform.
type rooms struct {
	eng            *engine.Engine
	keys           *iam.Authority
	secrets        *secrets
	trail          *audit.Log
	logs           *logs.Store
	traces         *trace.Traces
	imports        *ingest.Importer
	errors         *fingerprint.Index
	tail           *tail.Hub
	ending         <-chan struct{} // closed when the platform is told to end
	insights       *query.Insights
	metrics        *metric.Store
	alerts         *alert.Watcher
	alarms         *alarm.Alarms
	filters        *alarm.Filters
	people         func(ctx context.Context, alerts ...alert.Alert) // tells them; nil: nobody
	prometheus     *promapi.API
	boxes          *sandbox.Maker
	missing        map[string]string // why they are not of a stronger level
	examined       func() *Isolation // what attacks have shown, which are made when it is asked for first
	networks       *networks
	inner          *http.Server // the AWS endpoint inside of sandboxes
	pool           *instance.Pool
	invoker        *function.Invoker
	queues         *queue.Queues
	topics         *topic.Topics
	schedules      *schedule.Scheduler
	buses          *bus.Buses
	notifications  *bucket.Notifications
	gateway        *gateway.Gateway
	apis           *apigateway.APIs
	bans           *ban.Bans
	cache          *cache.Cache
	firewall       *waf.Firewall
	lists          *reputation.Lists
	edge           *edge.Server
	distributions  *cloudfront.Distributions
	access         *accesslog.Log
	certificates   *certificate.Keeper
	monitors       *monitor.Monitors
	statusPage     http.Handler
	comparisons    *comparison.Comparisons
	notifier       *notify.Notifier
	deployer       *deploy.Deployer
	cloudformation *cloudformation.Stacks
	api            *api.Server
	console        *console.Server
	platform       *Platform
	ready          atomic.Bool   // every stack has answered once
	answered       chan struct{} // closed then

	opened []func() error // what close is to close, the last one first
}

// close takes down what has been opened, in reverse.
func (r *rooms) close() error {
	var errs []error
	for len(r.opened) > 0 {
		last := len(r.opened) - 1
		errs = append(errs, r.opened[last]())
		r.opened = r.opened[:last]
	}
	return errors.Join(errs...)
}

// prune takes away what removals that a crash cut short have left. What is of a stack
// that could not be started stays: it is there, and its messages wait for it.
func (r *rooms) prune(ctx context.Context) error {
	stacks, err := r.deployer.Stacks(ctx)
	if err != nil {
		return err
	}
	started := r.deployer.List()
	broken := slices.DeleteFunc(slices.Clone(stacks), func(stack string) bool { return started[stack] != nil })
	return errors.Join(r.topics.Prune(ctx, stacks), r.queues.Prune(ctx, broken))
}

// serve runs every long-running part until ctx ends. The doors close first, then
// queues stop; invocations in flight finish.
func (r *rooms) serve(ctx context.Context, cfg Config, ls *listeners) error {
	go func() { _ = r.inner.Serve(r.api.Tunnel.Over(ls.secure)) }() // until closeBoxes: invocations in flight still call
	defer r.logAccess(ctx)()
	asked := ctx // to end
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.keys.Run(ctx) })
	g.Go(func() error { return r.alerts.Run(ctx) })
	g.Go(func() error { return r.alarms.Run(ctx) })
	g.Go(func() error { return r.countDown(ctx) })
	g.Go(func() error { return r.secrets.run(ctx) })
	g.Go(func() error { return r.invoker.Run(ctx) })
	g.Go(func() error { return r.queues.Run(ctx) })
	g.Go(func() error { return r.topics.Run(ctx) })
	g.Go(func() error { return r.gateway.Meter.Run(ctx) })
	g.Go(func() error { return r.schedules.Run(ctx) })
	g.Go(func() error { return r.cloudformation.Run(ctx) })
	g.Go(func() error { return r.imports.Run(ctx) })
	g.Go(func() error { return r.deployer.Run(ctx) })
	g.Go(func() error { return r.notifier.Run(ctx) })
	g.Go(func() error { return r.bans.Run(ctx) })
	g.Go(func() error { return r.lists.Run(ctx) })
	g.Go(func() error { return r.monitors.Run(ctx) })
	g.Go(func() error { return r.comparisons.Run(ctx) })
	g.Go(func() error { return r.edge.Serve(ctx, ls.http) })
	g.Go(func() error { return r.certificates.Run(ctx) })
	if ls.https != nil {
		g.Go(func() error { return r.edge.ServeTLS(ctx, ls.https, r.certificates.Config()) })
	}
	if ls.quic != nil {
		g.Go(func() error { return r.edge.ServeQUIC(ctx, ls.quic, r.certificates.Config()) })
	}
	g.Go(func() error { return serveHTTP(ctx, ls.aws, r.api) })
	g.Go(func() error { return serveHTTP(ctx, ls.console, r.consoleHandler(ctx)) })
	g.Go(func() error { r.examine(ctx); return nil })
	g.Go(func() error { return r.watch(ctx, cfg.Dir) })
	if cfg.Ready != nil {
		cfg.Ready(r.platform)
	}
	err := g.Wait()
	if asked.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // a room was still opening when it was told to end
	}
	return err
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
