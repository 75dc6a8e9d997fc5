package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/monitor"
	"github.com/dropstack/dropstack/internal/server"
	"github.com/dropstack/dropstack/internal/spec"
	"github.com/spf13/cobra"
)

func (c *cli) up() *cobra.Command {
	var cfg server.Config
	var services string
	var verbose bool
	var auditDays int
	var memoryMB, diskMB int64
	var place string
	var proxies []string
	command := &cobra.Command{
		Use:   "up",
		Short: "Start the platform, with everything embedded",
		Long: `Starts every engine in this process, deploys the bundled services when they have
changed, and serves until it is told to stop (Ctrl-C or SIGTERM).

Everything is kept in the data directory. Listeners are on loopback unless you
say otherwise; port 0 picks a free one.`,
		Example: "  dropstack up\n  dropstack up --http 0.0.0.0:80 --data /srv/dropstack\n  dropstack up --json --http 127.0.0.1:0 --aws 127.0.0.1:0 --console 127.0.0.1:0",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.Dir = c.data
			cfg.Log = c.logger(verbose)
			var err error
			if cfg.RootKey, err = rootKey(c.data, place); err != nil {
				return err
			}
			if cfg.TrustedProxies, err = prefixes(proxies); err != nil {
				return err
			}
			cfg.SMTP.Password = os.Getenv("DROPSTACK_SMTP_PASSWORD")
			cfg.CacheMemory, cfg.CacheDisk = memoryMB<<20, diskMB<<20
			cfg.AuditKeep = time.Duration(auditDays) * 24 * time.Hour
			return c.serve(cmd.Context(), cfg, services)
		},
	}
	f := command.Flags()
	f.StringVar(&cfg.HTTP, "http", env("DROPSTACK_HTTP", "127.0.0.1:8080"), "address of the edge ($DROPSTACK_HTTP)")
	f.BoolVar(&cfg.HTTP3, "http3", os.Getenv("DROPSTACK_HTTP3") == "true", "answer HTTP/3 too, by UDP at the address of --https; distributions with http3 say so to clients ($DROPSTACK_HTTP3)")
	f.StringVar(&cfg.HTTPS, "https", env("DROPSTACK_HTTPS", "127.0.0.1:8443"), "address of the edge for HTTPS, or off ($DROPSTACK_HTTPS)")
	f.StringVar(&cfg.ACME.Mode, "acme", env("DROPSTACK_ACME", "off"), "get certificates for the aliases of distributions by ACME: on, which agrees to the authority's terms, off, or staging, to try things out ($DROPSTACK_ACME)")
	f.StringVar(&cfg.ACME.Email, "acme-email", os.Getenv("DROPSTACK_ACME_EMAIL"), "address that the authority writes to when something is wrong with a certificate ($DROPSTACK_ACME_EMAIL)")
	f.StringVar(&cfg.ACME.Directory, "acme-directory", os.Getenv("DROPSTACK_ACME_DIRECTORY"), "URL of the authority's directory (default: Let's Encrypt's) ($DROPSTACK_ACME_DIRECTORY)")
	f.StringVar(&cfg.ACME.Root, "acme-ca-root", os.Getenv("DROPSTACK_ACME_CA_ROOT"), "file of certificates that vouch for a private authority's server ($DROPSTACK_ACME_CA_ROOT)")
	f.StringVar(&cfg.ACME.Challenge, "acme-challenge", env("DROPSTACK_ACME_CHALLENGE", "auto"), "how to show that a name leads here: http-01 on port 80, tls-alpn-01 on port 443, or auto ($DROPSTACK_ACME_CHALLENGE)")
	f.StringVar(&cfg.TLSAsk, "tls-ask", os.Getenv("DROPSTACK_TLS_ASK"), "URL that is asked, with ?domain=NAME, whether a host below a wildcard alias, or of the default distribution, may have a certificate by ACME; 200 is yes ($DROPSTACK_TLS_ASK)")
	f.StringVar(&cfg.AWS, "aws", env("DROPSTACK_AWS", "127.0.0.1:4566"), "address of the AWS endpoint ($DROPSTACK_AWS)")
	f.StringVar(&cfg.Console, "console", env("DROPSTACK_CONSOLE", "127.0.0.1:8090"), "address of the console and the health checks ($DROPSTACK_CONSOLE)")
	f.StringVar(&cfg.Isolation, "isolation", env("DROPSTACK_ISOLATION", "auto"), "how functions are isolated: full, userns, process, none, or auto, the strongest that can be had ($DROPSTACK_ISOLATION)")
	f.StringVar(&cfg.Network, "network", env("DROPSTACK_NETWORK", "user"), "what carries the packets of functions: user, in this process, or kernel, with routes and nftables, as root ($DROPSTACK_NETWORK)")
	f.StringVar(&cfg.MinIsolation, "min-isolation", os.Getenv("DROPSTACK_MIN_ISOLATION"), "refuse to start with less than this level, or with a control of isolation that is off ($DROPSTACK_MIN_ISOLATION)")
	f.StringVar(&cfg.AuditHeads, "audit-heads", os.Getenv("DROPSTACK_AUDIT_HEADS"), "URL or directory to which the signed heads of the audit log are published; keep it on another machine ($DROPSTACK_AUDIT_HEADS)")
	f.IntVar(&auditDays, "audit-keep", int(audit.DefaultKeep.Hours()/24), "days for which audit records are kept")
	f.StringVar(&place, "root-key", os.Getenv("DROPSTACK_ROOT_KEY"), "where the root key is: file:PATH, env:VARIABLE, systemd:CREDENTIAL or age:IDENTITY:FILE (default: root.key in the data directory) ($DROPSTACK_ROOT_KEY)")
	f.StringVar(&cfg.SMTP.Server, "smtp", os.Getenv("DROPSTACK_SMTP"), "host:port of the mail server for alerts and for subscriptions by e-mail; its password is in $DROPSTACK_SMTP_PASSWORD ($DROPSTACK_SMTP)")
	f.StringVar(&cfg.SMTP.From, "smtp-from", os.Getenv("DROPSTACK_SMTP_FROM"), "sender of e-mails ($DROPSTACK_SMTP_FROM)")
	f.StringVar(&cfg.SMTP.User, "smtp-user", os.Getenv("DROPSTACK_SMTP_USER"), "who logs in to the mail server; nobody if empty ($DROPSTACK_SMTP_USER)")
	f.BoolVar(&cfg.SMTP.RequireTLS, "smtp-require-tls", false, "refuse a mail server that does not offer TLS")
	f.StringVar(&cfg.Alerts, "alerts", os.Getenv("DROPSTACK_ALERTS"), "file in Alertmanager's format that says who is told of alerts (default: what dropstack alert receivers put has said) ($DROPSTACK_ALERTS)")
	f.StringVar(&cfg.AlertEmail, "alert-email", os.Getenv("DROPSTACK_ALERT_EMAIL"), "who gets mail about alerts, through --smtp, as long as nothing else is said ($DROPSTACK_ALERT_EMAIL)")
	f.BoolVar(&cfg.PrivateEndpoints, "private-endpoints", false, "let everybody who may name an endpoint of a subscription, a monitor or a receiver of alerts name loopback and private addresses; without it only the administrator may")
	f.IntVar(&cfg.Keep.Revisions, "keep-revisions", deploy.DefaultKeep.Revisions, "how many revisions of a stack are kept to go back to")
	f.IntVar(&cfg.Keep.Versions, "keep-versions", deploy.DefaultKeep.Versions, "how many versions of each function are kept, besides those that aliases name")
	f.StringSliceVar(&proxies, "trusted-proxies", strings.FieldsFunc(os.Getenv("DROPSTACK_TRUSTED_PROXIES"), func(r rune) bool { return r == ',' }), "addresses or prefixes of reverse proxies in front of the edge, whose X-Forwarded-For names the client ($DROPSTACK_TRUSTED_PROXIES)")
	f.IntVar(&cfg.EdgeLimits.Connections, "max-connections", 10_000, "connections that the edge keeps open at the same time")
	f.IntVar(&cfg.EdgeLimits.PerClient, "max-client-connections", 1_000, "of those, from one address, or one /64 of IPv6; trusted proxies have no such limit")
	f.IntVar(&cfg.EdgeLimits.Rate, "min-rate", 200, "bytes a second that a client must send of a body, or take of an answer, over a minute of waiting for it; -1: any")
	f.StringVar(&cfg.StatusTitle, "status-title", os.Getenv("DROPSTACK_STATUS_TITLE"), "heading of the public status page, at /status/ of the console's address ($DROPSTACK_STATUS_TITLE)")
	f.DurationVar(&cfg.MonitorInterval, "monitor-interval", monitor.MinInterval, "the shortest interval that a monitor may have")
	f.Int64Var(&memoryMB, "cache-memory", 128, "MB of responses that the edge stores in memory")
	f.Int64Var(&diskMB, "cache-disk", 1024, "MB of responses that it stores below the data directory; 0: none")
	f.IntVar(&cfg.FloodLimit, "flood-limit", 2000, "requests in 5 minutes after which a client is banned for a while; -1: none")
	f.StringArrayVar(&cfg.RemoteWrite, "remote-write", nil, "send what is measured to a receiver of Prometheus' remote write: its URL, or a file in the form of prometheus.yml, where its password stands; may be repeated")
	f.BoolVar(&cfg.ShadowBans, "shadow-bans", false, "write bans down and turn nobody away")
	f.StringArrayVar(&cfg.Rules, "rules", nil, "file of alert rules in Prometheus' format, or a directory of some; read again when it changes; may be repeated")
	f.StringArrayVar(&cfg.WithoutRules, "without-rule", nil, "name of a built-in alert rule that is off, or all; may be repeated")
	f.StringVar(&services, "services", "", `directory of the bundled services ("none": start without; default: services/ beside the program or here)`)
	f.BoolVarP(&verbose, "verbose", "v", false, "log every cold start and engine message")
	return command
}

// prefixes reads addresses and prefixes; an address is a prefix of its own.
func prefixes(list []string) (out []netip.Prefix, err error) {
	for _, text := range list {
		p, err := netip.ParsePrefix(text)
		if a, failed := netip.ParseAddr(text); failed == nil {
			p, err = a.Unmap().Prefix(a.Unmap().BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("%w: --trusted-proxies: %q is neither an address nor a prefix, such as 10.0.0.1 or 10.0.0.0/24", errUsage, text)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

func env(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}

func (c *cli) logger(verbose bool) *slog.Logger {
	level := slog.LevelWarn
	if verbose {
		level = slog.LevelDebug
	}
	o := &slog.HandlerOptions{Level: level}
	if c.json {
		return slog.New(slog.NewJSONHandler(c.stderr, o))
	}
	return slog.New(slog.NewTextHandler(c.stderr, o))
}

// serve runs the platform and, beside it, deploys the bundled services.
func (c *cli) serve(ctx context.Context, cfg server.Config, services string) error {
	started := time.Now()
	// found before the object store moves the working directory
	list, err := bundledServices(services)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var bundle sync.WaitGroup
	var failed error
	cfg.Ready = func(p *server.Platform) {
		bundle.Go(func() {
			if failed = c.bundled(ctx, p, list); failed != nil {
				stop()
				return
			}
			if ctx.Err() == nil {
				c.announce(ctx, p, time.Since(started))
			}
		})
	}
	err = server.Run(ctx, cfg)
	bundle.Wait()
	if failed != nil && err == nil {
		return failed
	}
	return err
}

// bundled deploys the services that come with the program, through the same path
// as anybody's, unless what they are made of is what is active already.
func (c *cli) bundled(ctx context.Context, p *server.Platform, list []string) error {
	client := &api.Client{Endpoint: p.Endpoints.AWS}
	client.Keys.AccessKeyID, client.Keys.SecretAccessKey = p.Admin.AccessKeyID, p.Admin.SecretAccessKey
	o := c.equip(spec.Options{Stage: c.stage, Env: withSettings(p)}, platform{ctx, func() (*api.Client, error) { return client, nil }})
	for _, service := range list {
		if c.unchanged(p, service, o) {
			continue
		}
		c.progress("building and deploying " + filepath.Base(service))
		// changed or not: the revision notes what it was made of
		if _, _, err := c.deployTo(ctx, client, service, o, deployment{force: true}); err != nil {
			if ctx.Err() != nil {
				return nil // told to stop meanwhile
			}
			return fmt.Errorf("bundled service %s: %w", filepath.Base(service), err)
		}
	}
	return p.Answers(ctx)
}

// unchanged reports whether the active revision was made from what lies in dir.
func (c *cli) unchanged(p *server.Platform, dir string, o spec.Options) bool {
	svc, err := deploy.Load(context.Background(), dir, o)
	if err != nil {
		return false // deploying will say what is wrong
	}
	active, ok := p.Active(svc.Stack())
	if !ok {
		return false
	}
	source, err := deploy.Fingerprint(svc)
	return err == nil && source == active.Source
}

// bundledServices lists the directories of services below dir, as absolute paths.
func bundledServices(dir string) ([]string, error) {
	if dir == "none" {
		return nil, nil
	}
	candidates := []string{dir}
	if dir == "" {
		candidates = []string{"services"}
		if exe, err := os.Executable(); err == nil {
			candidates = append([]string{filepath.Join(filepath.Dir(exe), "services")}, candidates...)
		}
	}
	for _, c := range candidates {
		c, err := filepath.Abs(c)
		if err != nil {
			return nil, err
		}
		found, err := filepath.Glob(filepath.Join(c, "*", "serverless.yml"))
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			for i := range found {
				found[i] = filepath.Dir(found[i])
			}
			return found, nil
		}
	}
	if dir != "" {
		return nil, fmt.Errorf("%w: no services in %s", errUsage, dir)
	}
	return nil, nil
}

// withSettings gives the bundled services' serverless.yml what the platform knows
// and they ask for as ${env:…}.
func withSettings(p *server.Platform) func(string) (string, bool) {
	return func(name string) (string, bool) {
		if name == "DROPS_UPLOAD_TOKEN" && os.Getenv(name) == "" {
			return p.UploadToken, true
		}
		return os.LookupEnv(name)
	}
}

func (c *cli) announce(ctx context.Context, p *server.Platform, took time.Duration) {
	if c.json {
		c.writeJSON(c.stdout, map[string]any{
			"event": "ready", "http": p.Endpoints.HTTP, "https": p.Endpoints.HTTPS, "aws": p.Endpoints.AWS, "console": p.Endpoints.Console,
			"data": p.Dir, "took_ms": took.Milliseconds(),
		})
		return
	}
	link, _, err := p.SignIn(ctx)
	if err != nil {
		link = p.Endpoints.Console + "  (`dropstack console` makes a link to sign in)"
	}
	fmt.Fprintf(c.stdout, `dropstack is ready (%.1fs)
  share files   %s
  by HTTPS      %s
  AWS endpoint  %s
  console       %s
  credentials   %s
  isolation     %s

Try:  curl -F file=@shot.png %s/
`, took.Seconds(), p.Endpoints.HTTP, cmp.Or(p.Endpoints.HTTPS, "off"), p.Endpoints.AWS, link, filepath.Join(p.Dir, "credentials"), p.Isolation, p.Endpoints.HTTP)
}
