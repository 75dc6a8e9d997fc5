package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/spec"
	"github.com/spf13/cobra"
)

func (c *cli) deploy() *cobra.Command {
	var how deployment
	var plan, configOnly bool
	var function, service string
	command := &cobra.Command{
		Use:   "deploy [DIRECTORY]",
		Short: "Build a service and make it the active revision",
		Long: `Reads serverless.yml, checks it, builds the functions and activates the new
revision at once: requests move over without an error, and when anything is
wrong the old revision keeps serving. What is as it is deployed already is left
alone. Where there is a serverless-compose.yml, its services are deployed one after
the other, each after those that it depends on.

Exit code 2 means that the service is wrong; the message names file and line.`,
		Example: "  dropstack deploy\n  dropstack deploy services/drops --stage prod\n  dropstack deploy --plan\n  dropstack deploy --package dist",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			o := c.specOptions(cmd)
			switch compose := deploy.ComposeFile(dir); {
			case how.from != "" && (function != "" || service != "" || len(args) == 1):
				return fmt.Errorf("%w: --package deploys what is in its directory; leave DIRECTORY, --function and --service out", errUsage)
			case function != "":
				return c.deployOne(cmd.Context(), client, dir, function, configOnly, o)
			case compose != "" && how.from == "":
				return c.deployComposed(cmd.Context(), client, compose, service, plan, o, how)
			case service != "":
				return fmt.Errorf("%w: --service is for a directory with a serverless-compose.yml, and %s has none", errUsage, dir)
			case plan:
				return c.showPlan(cmd.Context(), client, dir, o, how)
			}
			_, err = c.deployDirectory(cmd.Context(), client, dir, o, how)
			return err
		},
	}
	f := command.Flags()
	f.StringVarP(&function, "function", "f", "", "deploy this function only, as `deploy function` does")
	f.BoolVarP(&configOnly, "update-config", "u", false, "with --function: its configuration only, not its code")
	f.StringVar(&service, "service", "", "with a serverless-compose.yml: deploy this service only")
	f.StringVar(&how.shift, "shift", "", "how callers are moved to new code, of functions with deploymentSettings: AllAtOnce, Canary10Percent5Minutes, Linear10PercentEvery1Minute …")
	f.StringVarP(&how.from, "package", "p", "", "deploy what `dropstack package` has put into this directory, and build nothing")
	c.buildFlags(command)
	f.BoolVar(&plan, "plan", false, "show what would be created, changed, removed and started anew, and change nothing")
	f.BoolVar(&how.force, "force", false, "deploy what is deployed already, and while callers are being moved to new code")
	command.AddCommand(c.deployList(), c.deployFunction())
	return command
}

// deployment is how a service is deployed.
type deployment struct {
	force bool   // even if nothing changes, and while callers are being moved
	shift string // how they are moved, in place of what the service says; ""
	from  string // directory of a package that was made before; "": it is built
}

// apply makes a package what the command line says.
func (how deployment) apply(pkg *deploy.Package) error {
	if how.shift == "" {
		return nil
	}
	found := false
	for i := range pkg.Revision.Functions {
		if s := pkg.Revision.Functions[i].Shift; s != nil {
			s.Type, found = how.shift, true
		}
	}
	if !found {
		return fmt.Errorf("%w: --shift %s: no function of %s has callers that can be moved; give some `deploymentSettings: {alias: live, type: AllAtOnce}`", errUsage, how.shift, pkg.Service.File)
	}
	return nil
}

// deployDirectory deploys the service in dir, unless it is as it is deployed
// already, and says so.
func (c *cli) deployDirectory(ctx context.Context, client *api.Client, dir string, o spec.Options, how deployment) (api.Info, error) {
	started := time.Now()
	info, changes, err := c.deployTo(ctx, client, dir, o, how)
	switch {
	case err != nil:
		return info, err
	case c.json:
		c.writeJSON(c.stdout, deployed{info, changes})
		return info, nil
	case changes.Empty() && !how.force:
		fmt.Fprintf(c.stderr, "%s is deployed as it is; nothing was changed (--force deploys it again)\n", info.Revision.Stack)
	default:
		fmt.Fprintf(c.stderr, "%s deployed in %.1fs\n", info.Revision.Stack, time.Since(started).Seconds())
	}
	c.printInfo(info)
	return info, nil
}

// upload stores what a package has built.
func upload(ctx context.Context, client *api.Client, pkg *deploy.Package) error {
	for sha, path := range pkg.Artifacts {
		if err := client.PutArtifact(ctx, sha, path); err != nil {
			return err
		}
	}
	return nil
}

// deployed is what deploy prints as JSON.
type deployed struct {
	api.Info
	Diff *deploy.Diff `json:"diff"`
}

// deployTo builds the service in dir and deploys it. It is the only way in, for
// the bundled services too.
func (c *cli) deployTo(ctx context.Context, client *api.Client, dir string, o spec.Options, how deployment) (info api.Info, changes *deploy.Diff, err error) {
	out, err := os.MkdirTemp("", "dropstack-package-")
	if err != nil {
		return info, nil, err
	}
	defer func() { _ = os.RemoveAll(out) }()
	pkg, err := c.ready(ctx, dir, o, how, out)
	if err != nil {
		return info, nil, err
	}
	in := api.DeployInput{Revision: *pkg.Revision, Force: how.force}
	if err := client.Call(ctx, "DescribeChanges", in, &changes); err != nil {
		return info, nil, err
	}
	if changes.Empty() && !how.force {
		err = client.Call(ctx, "Info", api.StackInput{Stack: in.Stack}, &info)
		return info, changes, err
	}
	if err := upload(ctx, client, pkg); err != nil {
		return info, nil, err
	}
	err = client.Call(ctx, "Deploy", in, &info)
	return info, changes, err
}

// ready is the package that is to be deployed: one that was made before, or of the
// service in dir, built into out.
func (c *cli) ready(ctx context.Context, dir string, o spec.Options, how deployment, out string) (*deploy.Package, error) {
	pkg, err := how.packaged()
	if pkg == nil && err == nil {
		pkg, err = c.prepare(ctx, dir, o, out)
	}
	if err != nil {
		return nil, err
	}
	return pkg, how.apply(pkg)
}

func (c *cli) prepare(ctx context.Context, dir string, o spec.Options, out string) (*deploy.Package, error) {
	clean, done, err := c.cleanly()
	if err != nil {
		return nil, err
	}
	defer done()
	pkg, err := deploy.Prepare(ctx, dir, deploy.PackageOptions{Spec: o, OutDir: out, Progress: c.progress, Clean: clean})
	if err != nil {
		return nil, err
	}
	c.warn(pkg.Service.Warnings)
	return pkg, nil
}

func (c *cli) progress(what string) {
	if c.json {
		c.writeJSON(c.stderr, map[string]string{"event": "progress", "message": what})
		return
	}
	fmt.Fprintln(c.stderr, what)
}
