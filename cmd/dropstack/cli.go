package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/server"
	"github.com/dropstack/dropstack/internal/spec"
	"github.com/spf13/cobra"
)

// cli holds what every command shares: streams and global flags.
type cli struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	stage, region, endpoint, profile, data string
	params                                 []string
	json                                   bool
	clean                                  bool // of commands that build
}

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "dropstack",
		Short: "Run serverless.yml services on your own machines",
		Long: `dropstack runs serverless.yml services on your own machines: functions,
HTTP APIs, topics, schedules and buckets, in one process.

  dropstack up                 start the platform and the bundled services
  dropstack deploy             deploy the service in this directory
  dropstack logs -f hello -t   follow a function's log`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(c.stdin)
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %w; see --help", errUsage, err) })
	flags := root.PersistentFlags()
	flags.StringVarP(&c.stage, "stage", "s", "", "stage (default: the service's own, else dev)")
	flags.StringVarP(&c.region, "region", "r", "", "region of the service (default: the service's own, else us-east-1)")
	flags.StringArrayVar(&c.params, "param", nil, "NAME=VALUE for ${param:NAME} of the service; may be repeated")
	flags.StringVar(&c.endpoint, "endpoint", "", "the platform's AWS endpoint (default: $AWS_ENDPOINT_URL, else the one that runs on the data directory)")
	flags.StringVar(&c.profile, "profile", "", "profile of the AWS credentials file (default: the data directory's own key)")
	flags.StringVar(&c.data, "data", server.DefaultDir(), "data directory ($DROPSTACK_DATA)")
	flags.BoolVar(&c.json, "json", false, "print JSON, one value a line")
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return c.checkParams() }
	root.AddCommand(
		c.up(),
		c.deploy(), c.rollback(), c.remove(), c.pack(), c.print(), c.info(),
		c.invoke(), c.deadLetters(), c.redrive(),
		c.logs(), c.trace(), c.metrics(),
		c.monitor(), c.probe(),
		c.topic(), c.schedule(),
		c.alert(),
		c.edge(), c.waf(),
		c.network(),
		c.audit(), c.param(), c.key(), c.env(), c.iam(),
		c.console(), c.doctor(), c.version(),
	)
	strict(root)
	return root
}

// strict makes wrong arguments of commands the caller's fault, at every level.
func strict(parent *cobra.Command) {
	for _, command := range parent.Commands() {
		strict(command)
		args := command.Args
		if args == nil {
			continue
		}
		command.Args = func(cmd *cobra.Command, given []string) error {
			if err := args(cmd, given); err != nil {
				return fmt.Errorf("%w: %w; see `%s --help`", errUsage, err, cmd.CommandPath())
			}
			return nil
		}
	}
}

// client is a client of the running platform, with the administrator's key or a
// profile's.
func (c *cli) client(cmd *cobra.Command) (*api.Client, error) {
	endpoint := c.endpoint
	if endpoint == "" {
		endpoint = os.Getenv("AWS_ENDPOINT_URL")
	}
	if endpoint == "" {
		endpoint = server.RunningEndpoint(c.data)
	}
	if c.profile != "" {
		cfg, err := config.LoadDefaultConfig(cmd.Context(), config.WithSharedConfigProfile(c.profile))
		if err != nil {
			return nil, fmt.Errorf("profile %q: %w", c.profile, err)
		}
		keys, err := cfg.Credentials.Retrieve(cmd.Context())
		return &api.Client{Endpoint: endpoint, Keys: keys}, err
	}
	keys, err := iam.ReadCredentials(filepath.Join(c.data, "credentials"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("no credentials in %s; run `dropstack up` first, or name its directory with --data or a profile with --profile", c.data)
	}
	if err != nil {
		return nil, err
	}
	out := &api.Client{Endpoint: endpoint}
	out.Keys.AccessKeyID, out.Keys.SecretAccessKey = keys.AccessKeyID, keys.SecretAccessKey
	return out, nil
}

// stack finds out which stack is meant: the one named, or the service in the
// working directory.
func (c *cli) stack(cmd *cobra.Command, args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	svc, err := spec.Load(cmd.Context(), ".", c.specOptions(cmd))
	if err != nil {
		return "", err
	}
	return svc.Stack(), nil
}

func (c *cli) writeJSON(w io.Writer, v any) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // a closed pipe has nobody to tell
}

func (c *cli) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Run: func(*cobra.Command, []string) {
			v := map[string]string{"version": "devel"}
			if info, ok := debug.ReadBuildInfo(); ok {
				v["go"] = info.GoVersion
				if info.Main.Version != "" && info.Main.Version != "(devel)" {
					v["version"] = info.Main.Version
				}
			}
			if c.json {
				c.writeJSON(c.stdout, v)
				return
			}
			fmt.Fprintf(c.stdout, "dropstack %s (%s)\n", v["version"], v["go"])
		},
	}
}
