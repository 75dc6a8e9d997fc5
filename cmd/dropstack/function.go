package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/spec"
)

func (c *cli) deployFunction() *cobra.Command {
	var name string
	var configOnly bool
	command := &cobra.Command{
		Use:   "function -f FUNCTION [DIRECTORY]",
		Short: "Build one function and replace it, leaving everything else",
		Long: `Builds one function of a deployed service and replaces its code and its
configuration. What calls it, and all other parts of the service, stay as they are
deployed.`,
		Example: "  dropstack deploy function -f hello\n  dropstack deploy function -f hello --update-config",
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
			return c.deployOne(cmd.Context(), client, dir, name, configOnly, c.specOptions(cmd))
		},
	}
	f := command.Flags()
	f.StringVarP(&name, "function", "f", "", "function: its key in serverless.yml or its full name")
	f.BoolVarP(&configOnly, "update-config", "u", false, "its configuration only, not its code")
	_ = command.MarkFlagRequired("function")
	return command
}

// deployOne builds one function of the service in dir and replaces it.
func (c *cli) deployOne(ctx context.Context, client *api.Client, dir, name string, configOnly bool, o spec.Options) error {
	started := time.Now()
	out, err := os.MkdirTemp("", "dropstack-package-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(out) }()
	pkg, err := deploy.PrepareFunction(ctx, dir, name, deploy.PackageOptions{Spec: o, OutDir: out, Progress: c.progress})
	if err != nil {
		return err
	}
	c.warn(pkg.Service.Warnings)
	if err := upload(ctx, client, pkg); err != nil {
		return err
	}
	var before, after api.Info
	stack := pkg.Revision.Stack
	if err := client.Call(ctx, "Info", api.StackInput{Stack: stack}, &before); err != nil {
		return err
	}
	in := api.DeployFunctionInput{Stack: stack, Function: pkg.Revision.Functions[0], ConfigOnly: configOnly}
	if err := client.Call(ctx, "DeployFunction", in, &after); err != nil {
		return err
	}
	switch full := in.Function.Name; {
	case c.json:
		c.writeJSON(c.stdout, after)
	case before.Revision.ID == after.Revision.ID:
		fmt.Fprintf(c.stderr, "%s is deployed as it is; nothing was changed\n", full)
	default:
		fmt.Fprintf(c.stderr, "%s deployed in %.1fs\n", full, time.Since(started).Seconds())
	}
	return nil
}
