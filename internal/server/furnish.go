package server

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/apigateway"
	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/bucket"
	"github.com/dropstack/dropstack/internal/bus"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/edge/certificate"
	"github.com/dropstack/dropstack/internal/event"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/instance"
	"github.com/dropstack/dropstack/internal/lambda"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/export"
	"github.com/dropstack/dropstack/internal/logs/query"
	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/metric/promapi"
	"github.com/dropstack/dropstack/internal/schedule"
	"github.com/dropstack/dropstack/internal/topic"
	"github.com/dropstack/dropstack/internal/wafv2"
)

// furnish builds every room from the engines up, and connects them.
func (r *rooms) furnish(ctx context.Context, cfg Config, ls *listeners) error {
	if err := r.openStores(ctx, cfg); err != nil {
		return err
	}
	if err := r.openFunctions(ctx, cfg, ls); err != nil {
		return err
	}
	if err := r.openSources(ctx, cfg, ls); err != nil {
		return err
	}
	if err := r.openCertificates(ctx, cfg, ls); err != nil {
		return err
	}
	if err := r.openNotifier(ctx, cfg, ls.endpoints.Console); err != nil {
		return err
	}
	r.measure()
	if err := r.openAlerts(ctx, cfg); err != nil {
		return err
	}
	if err := r.openMonitors(ctx, cfg, ls); err != nil {
		return err
	}
	r.deployer = r.newDeployer(cfg)
	if err := r.openComparisons(ctx, cfg); err != nil {
		return err
	}
	r.queues.Editor, r.topics.Editor, r.alarms.Editor = queueEditor{r.deployer}, topicEditor{r.deployer}, alarmEditor{r.deployer}
	r.apis.Deployer, r.distributions.Deployer = r.deployer, r.deployer
	if err := r.openStacks(ctx, cfg, ls.endpoints); err != nil {
		return err
	}
	if err := r.openConsole(ctx, cfg, ls); err != nil {
		return err
	}
	r.api = r.newAPI(cfg, ls)
	r.inner.Handler, r.console.AWS = r.api, r.api
	var err error
	r.platform, err = newPlatform(cfg, r, ls.endpoints)
	return err
}

// openStores opens what is sealed, who may what, and what is written down.
func (r *rooms) openStores(ctx context.Context, cfg Config) (err error) {
	if r.secrets, err = openSecrets(ctx, cfg, r.eng, keyAuthority{r.keys}); err != nil {
		return err
	}
	r.keys.Sealer = r.secrets.kept.Sealer("access keys and sessions")
	if err := loadAuthority(ctx, cfg, r.eng.Streams, r.keys); err != nil {
		return err
	}
	if r.trail, err = r.secrets.openTrail(ctx, cfg); err != nil {
		return err
	}
	r.opened = append(r.opened, r.trail.Close)
	r.secrets.recordReads(r.trail, cfg.Region)
	r.metrics = &metric.Store{Dir: filepath.Join(cfg.Dir, "metrics"), Log: cfg.Log}
	if err := r.metrics.Open(); err != nil {
		return err
	}
	r.opened = append(r.opened, r.metrics.Close)
	r.prometheus = &promapi.API{Store: r.metrics}
	if cfg.sendTo != nil {
		sender := &promapi.Sender{Store: r.metrics, Targets: cfg.sendTo}
		if err := sender.Open(); err != nil {
			return err
		}
		r.opened = append(r.opened, sender.Close)
	}
	r.logs = &logs.Store{Dir: filepath.Join(cfg.Dir, "logs"), Streams: r.eng.Telemetry, State: r.eng.Streams, Region: cfg.Region, Log: cfg.Log}
	if err := r.logs.Open(ctx); err != nil {
		return err
	}
	r.opened = append(r.opened, r.logs.Close) // after the pool, whose instances write to it
	r.insights = &query.Insights{Source: r.logs, Groups: r.logs, State: r.eng.Streams, Log: cfg.Log}
	r.opened = append(r.opened, r.insights.Close)
	return r.openLogSources(ctx, cfg)
}

// openFunctions opens sandboxes, their networks, and what runs in them.
func (r *rooms) openFunctions(ctx context.Context, cfg Config, ls *listeners) (err error) {
	at := ls.endpoints
	if r.boxes, r.missing, r.examined, err = boxes(ctx, cfg, at, r.secrets.ca.PEM()); err != nil {
		return err
	}
	r.inner = &http.Server{ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug)}
	if r.networks, err = newNetworks(cfg, r.boxes.Level, at, ls.secure.Addr()); err != nil {
		r.closeBoxes(cfg.Log)
		return err
	}
	r.pool = &instance.Pool{
		Log: cfg.Log, Logs: r.openEmbedded(), Boxes: r.boxes,
		ServeAWS:   func(l net.Listener) { _ = r.inner.Serve(l) },
		ServeNames: func(l net.Listener) { _ = r.inner.Serve(r.api.Tunnel.Over(l)) },
		Network:    r.networks.join,
	}
	r.opened = append(r.opened,
		func() error { return r.topics.Close() }, // its appenders; instances publish until they end
		func() error { return r.queues.Close() }, // likewise, and topics send to them
		func() error { r.networks.close(cfg.Log); return nil },
		func() error { r.closeBoxes(cfg.Log); return nil }, // which leave the networks
		r.pool.Close, // after the drain
	)
	r.topics = &topic.Topics{}
	r.invoker = &function.Invoker{
		Pool: r.pool, Streams: r.eng.Streams, Log: cfg.Log, Region: cfg.Region, Endpoint: at.AWS,
		ArtifactRoot: filepath.Join(cfg.Dir, "artifacts"), MountRoot: filepath.Join(cfg.Dir, "mounts"),
		LayerRoot: filepath.Join(cfg.Dir, "layers"), CacheRoot: filepath.Join(cfg.Dir, "caches"), Managed: newRuntimes(cfg.Dir, cfg.Log).start,
		Credentials: func(fn function.Function, id string) (instance.Credentials, time.Time, error) {
			c, err := r.keys.Instance(fn.ARN, fn.Role, id)
			return instance.Credentials(c), time.Now().Add(iam.InstanceLifetime), err
		},
		Secrets: r.secrets.wanted(r.keys, cfg.Region), Sealer: r.secrets.environments(), Isolated: r.isolated,
		Recorder: recorder{&metric.Functions{Store: r.metrics}, &metric.Streaks{Store: r.metrics}},
		Traces:   r.traces,
	}
	return nil
}

// openSources opens what invokes functions.
func (r *rooms) openSources(ctx context.Context, cfg Config, ls *listeners) error {
	r.openQueues(cfg, ls)
	identity, err := topicIdentity(ctx, r.eng.Streams, r.secrets.kept.Sealer("messages"))
	if err != nil {
		return err
	}
	r.topics = &topic.Topics{
		Streams: r.eng.Streams, Deliver: r.invoker, Log: cfg.Log, Endpoint: ls.endpoints.AWS, Region: cfg.Region,
		Identity: identity, CheckPolicy: r.keys.CheckKeyPolicy, MayReachInside: cfg.mayReachInside,
		NewAppender: func(stream string) topic.Appender { return r.eng.NewAppender(stream) },
		Traces:      r.traces,
	}
	if cfg.SMTP.Server != "" {
		r.topics.Mail = &cfg.SMTP
	}
	r.invoker.Publish, r.topics.Send = r.tell, r.forward
	r.buses = &bus.Buses{Invoker: r.invoker, Publish: r.tell, Send: r.send, Traces: r.traces, Region: cfg.Region, Log: cfg.Log}
	r.schedules = &schedule.Scheduler{Streams: r.eng.Streams, Enqueue: r.invoker, Deliver: r.buses.Deliver, Region: cfg.Region, Log: cfg.Log}
	r.notifications = &bucket.Notifications{Invoker: r.invoker, Region: cfg.Region, Log: cfg.Log}
	if err := r.openGateway(ctx, cfg); err != nil {
		return err
	}
	if err := r.openEdge(ctx, cfg); err != nil {
		return err
	}
	r.apis = &apigateway.APIs{Meter: r.gateway.Meter, Streams: r.eng.Streams, Region: cfg.Region, URL: byPath(ls.endpoints.HTTP)}
	return r.apis.Open(ctx)
}

// tell publishes what became of an event to a topic, for a function.
func (r *rooms) tell(ctx context.Context, topicARN string, body []byte, attributes map[string]string) error {
	in := topic.PublishInput{TopicArn: topicARN, Message: string(body), MessageAttributes: map[string]topic.MessageAttributeValue{}}
	for name, value := range attributes {
		in.MessageAttributes[name] = topic.MessageAttributeValue{DataType: "String", StringValue: &value}
	}
	_, err := r.topics.Publish(ctx, in)
	return err
}

func (r *rooms) newDeployer(cfg Config) *deploy.Deployer {
	return &deploy.Deployer{
		Streams: r.eng.Streams, Objects: r.eng.Objects, Artifacts: filepath.Join(cfg.Dir, "artifacts"), LayerRoot: filepath.Join(cfg.Dir, "layers"),
		Caches: filepath.Join(cfg.Dir, "caches"), Stored: r.eng.Objects, Hooks: r.invoker, Keep: cfg.Keep,
		Region: cfg.Region, Log: cfg.Log, Sealer: r.secrets.environments(),
		Prepare: func(ctx context.Context, fn function.Function, _ string) error { return r.invoker.Prepare(ctx, fn) },
		Rooms: deploy.Rooms{
			Roles: r.keys, Networks: r.networks, Functions: r.invoker, Versions: r.invoker,
			Queues: r.queues, Topics: r.topics, Schedules: r.schedules, Buses: r.buses,
			Buckets: r.notifications, Gateway: r.gateway, Edge: r.edge, Logs: r.logs, Storage: r.eng.Objects,
			Firewall: r.firewall, AccessReaders: r.access, LogSources: r.imports, Alerts: r.alerts, Alarms: r.alarms, MetricFilters: r.filters, Monitors: r.monitors,
		},
	}
}

// newAPI is the AWS endpoint over all rooms.
func (r *rooms) newAPI(cfg Config, ls *listeners) *api.Server {
	at := ls.endpoints
	control := &api.Control{
		Deployer: r.deployer, Letters: r.invoker, Topics: r.topics, Flows: &r.networks.flows, Endpoints: at, Isolation: r.boxes.Level,
		Records: r.trail, RootKey: r.secrets.root, Schedules: r.schedules, URL: onHost(at.HTTP), Edge: r.distributions, Bans: r.bans, Certificates: r.certificates,
		Imports:     r.imports,
		Errors:      r.errors,
		Exports:     &export.Exporter{Records: r.logs, Objects: r.eng.Objects},
		Console:     r.console,
		Monitors:    r.monitors,
		Traces:      r.traces,
		Receivers:   r.notifier,
		LogFields:   r.insights,
		Alerts:      r.alerts,
		Alarms:      r.alarms,
		Metrics:     r.metrics,
		Comparisons: r.comparisons,
	}
	functions := &lambda.Functions{
		Deployer: r.deployer, Invoker: r.invoker, Objects: r.eng.Objects, Region: cfg.Region,
		Presign: presigner(at.AWS, cfg.Region, r.keys.Admin()), URL: onHost(at.HTTP), Roles: r.keys,
	}
	r.gateway.Permit = func(ctx context.Context, name string) error {
		policies, err := functions.Policies(name, "")
		if err != nil {
			return err
		}
		conditions := map[string][]string{"lambda:FunctionUrlAuthType": {gateway.AuthIAM}}
		return r.keys.AuthorizeWith(ctx, "lambda:InvokeFunctionUrl", arn.Function(cfg.Region, name), conditions, policies...)
	}
	schedules := &event.Schedules{Deployer: r.deployer, Region: cfg.Region}
	r.schedules.Completed = schedules.Complete
	s := &api.Server{
		Authority: r.keys, Trail: pointedTrail{r.trail, r.logs}, Traces: r.traces, Region: cfg.Region, Log: cfg.Log, Certificate: r.topics.Identity.Certificate, Answers: r.cloudformation,
		Objects: &api.Objects{
			Store: r.eng.Objects.Handler, Caller: r.keys, Policy: r.eng.Objects.Policy,
			Notifications: &api.Notifications{Deployer: r.deployer, Exists: r.eng.Objects.HasBucket},
		},
		Lambda: &api.Lambda{Invoker: r.invoker, Functions: functions, Region: cfg.Region},
		Services: []*api.Service{
			control.Service(),
			(&api.SNS{Topics: r.topics, Region: cfg.Region}).Service(),
			(&api.SQS{Queues: r.queues}).Service(),
			(&api.Logs{Store: r.logs, Insights: r.insights, Tail: r.tail, Region: cfg.Region}).Service(),
			(&api.CloudWatch{Store: r.metrics, Alarms: r.alarms, Region: cfg.Region}).Service(),
			(&api.Events{Rules: &event.Rules{Deployer: r.deployer, Region: cfg.Region}, Buses: r.buses, Region: cfg.Region}).Service(),
			api.Firewall(&wafv2.Firewalls{Deployer: r.deployer, Sampler: r.firewall, Region: cfg.Region}),
			(&api.Scheduler{Schedules: schedules, Region: cfg.Region}).Service(),
			(&api.CloudTrail{Trail: r.trail}).Service(),
			api.APIGateway(r.apis, cfg.Region),
			api.CodeDeploy(r.deployer),
			api.IAM(r.keys), api.STS(r.keys), api.SSM(r.secrets.parameters), api.KMS(r.secrets.keys),
			api.CloudFormation(r.cloudformation), api.CloudFront(r.distributions), api.ECR(), api.ACM(certificate.ACM{Keeper: r.certificates}),
		},
	}
	s.Tunnel = &api.Tunnel{Certificate: r.secrets.ca.GetCertificate(arn.ServiceHost), Handler: s}
	return s
}
