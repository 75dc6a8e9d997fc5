package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/spec"
	"github.com/spf13/cobra"
)

func (c *cli) deploy() *cobra.Command {
	var how deployment
	var plan bool
	command := &cobra.Command{
		Use:   "deploy [DIRECTORY]",
		Short: "Build a service and make it the active revision",
		Long: `Reads serverless.yml, checks it, builds the functions and activates the new
revision at once: requests move over without an error, and when anything is
wrong the old revision keeps serving. What is as it is deployed already is left
alone.

Exit code 2 means that the service is wrong; the message names file and line.`,
		Example: "  dropstack deploy\n  dropstack deploy services/drops --stage prod\n  dropstack deploy --plan",
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
			if plan {
				return c.showPlan(cmd.Context(), client, dir, c.specOptions(cmd))
			}
			_, err = c.deployDirectory(cmd.Context(), client, dir, c.specOptions(cmd), how)
			return err
		},
	}
	f := command.Flags()
	f.BoolVar(&plan, "plan", false, "show what would be created, changed, removed and started anew, and change nothing")
	f.BoolVar(&how.force, "force", false, "deploy what is deployed already")
	command.AddCommand(c.deployList())
	return command
}

// deployment is how a service is deployed.
type deployment struct {
	force bool // even if nothing changes
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
	pkg, err := c.prepare(ctx, dir, o, out)
	if err != nil {
		return info, nil, err
	}
	in := api.DeployInput{Revision: *pkg.Revision}
	if err := client.Call(ctx, "DescribeChanges", in, &changes); err != nil {
		return info, nil, err
	}
	if changes.Empty() && !how.force {
		err = client.Call(ctx, "Info", api.StackInput{Stack: in.Stack}, &info)
		return info, changes, err
	}
	for sha, path := range pkg.Artifacts {
		if err := client.PutArtifact(ctx, sha, path); err != nil {
			return info, nil, err
		}
	}
	err = client.Call(ctx, "Deploy", in, &info)
	return info, changes, err
}

func (c *cli) prepare(ctx context.Context, dir string, o spec.Options, out string) (*deploy.Package, error) {
	pkg, err := deploy.Prepare(ctx, dir, deploy.PackageOptions{Spec: o, OutDir: out, Progress: c.progress})
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

func (c *cli) pack() *cobra.Command {
	out := ".dropstack"
	command := &cobra.Command{
		Use:     "package [DIRECTORY]",
		Short:   "Build what deploy would use, without deploying",
		Example: "  dropstack package --package dist",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			if err := os.MkdirAll(out, 0o755); err != nil {
				return err
			}
			pkg, err := c.prepare(cmd.Context(), dir, c.specOptions(cmd), out)
			if err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, map[string]any{"revision": pkg.Revision, "artifacts": pkg.Artifacts})
				return nil
			}
			for sha, path := range pkg.Artifacts {
				fmt.Fprintf(c.stdout, "%s  %s\n", sha, path)
			}
			return nil
		},
	}
	command.Flags().StringVarP(&out, "package", "p", out, "directory for the artifacts")
	return command
}

func (c *cli) info() *cobra.Command {
	return &cobra.Command{
		Use:     "info [STACK]",
		Short:   "Show a deployed stack: endpoints, functions, topics, schedules",
		Long:    "Shows the stack named, or that of the service in this directory, or, where there is none, all stacks.",
		Example: "  dropstack info drops-dev\n  dropstack info --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			if len(args) == 0 && !spec.Exists(".") {
				return c.listStacks(cmd.Context(), client)
			}
			stack, err := c.stack(cmd, args)
			if err != nil {
				return err
			}
			var info api.Info
			if err := client.Call(cmd.Context(), "Info", api.StackInput{Stack: stack}, &info); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, info)
				return nil
			}
			c.printInfo(info)
			return nil
		},
	}
}

func (c *cli) listStacks(ctx context.Context, client *api.Client) error {
	var stacks []api.StackSummary
	if err := client.Call(ctx, "List", struct{}{}, &stacks); err != nil {
		return err
	}
	for _, s := range stacks {
		if c.json {
			c.writeJSON(c.stdout, s)
			continue
		}
		fmt.Fprintf(c.stdout, "%-24s %s  %s\n", s.Stack, s.Created, s.Contents)
	}
	if len(stacks) == 0 && !c.json {
		fmt.Fprintln(c.stdout, "nothing is deployed; `dropstack deploy` deploys the service in this directory")
	}
	return nil
}

func (c *cli) printInfo(info api.Info) {
	r := info.Revision
	var b strings.Builder
	line := func(k, v string) { fmt.Fprintf(&b, "%-11s %s\n", k+":", v) }
	if r.Stack == deploy.APIStack {
		line("stack", r.Stack+", made by calls of the AWS API and changed by them only")
	} else {
		line("service", r.Service)
		line("stage", r.Stage)
		line("stack", r.Stack)
	}
	line("revision", r.ID)
	for _, api := range r.APIs {
		if api.Kind == gateway.URL {
			line("url", hostURL(info.Endpoints.HTTP, gateway.URLHost(api.ID, r.Region))+"/")
			fmt.Fprintf(&b, "  %-7s %-28s %s\n", "ANY", "/", api.Name)
			continue
		}
		line("endpoint", hostURL(info.Endpoints.HTTP, r.Stack+".localhost"))
		for _, route := range api.Routes {
			fmt.Fprintf(&b, "  %-7s %-28s %s\n", route.Method, route.Path, route.Function)
		}
	}
	if len(r.Functions) > 0 && info.Isolation != "" { // a platform of before does not tell
		line("isolation", info.Isolation)
	}
	section(&b, "functions", len(r.Functions), func(i int) string {
		f := r.Functions[i]
		return fmt.Sprintf("%-34s %s %d MB %d s", f.Name, f.Runtime, f.MemoryMB, f.Timeout)
	})
	section(&b, "topics", len(r.Topics), func(i int) string { return r.Topics[i].ARN })
	section(&b, "schedules", len(r.Schedules), func(i int) string {
		return fmt.Sprintf("%-34s %s", r.Schedules[i].Function, r.Schedules[i].Expression)
	})
	section(&b, "buckets", len(r.Buckets), func(i int) string { return r.Buckets[i] })
	_, _ = fmt.Fprint(c.stdout, b.String())
}

func section(b *strings.Builder, title string, n int, item func(int) string) {
	if n == 0 {
		return
	}
	fmt.Fprintf(b, "%s:\n", title)
	for i := range n {
		fmt.Fprintf(b, "  %s\n", item(i))
	}
}

func (c *cli) remove() *cobra.Command {
	return &cobra.Command{
		Use:     "remove [STACK]",
		Short:   "Take a stack down; buckets and their objects stay",
		Example: "  dropstack remove hello-dev",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			stack, err := c.stack(cmd, args)
			if err != nil {
				return err
			}
			if err := client.Call(cmd.Context(), "Remove", api.StackInput{Stack: stack}, nil); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, map[string]string{"event": "removed", "stack": stack})
				return nil
			}
			fmt.Fprintf(c.stdout, "%s removed\n", stack)
			return nil
		},
	}
}
