package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/deploy"
)

func (c *cli) remove() *cobra.Command {
	return &cobra.Command{
		Use:   "remove [STACK]",
		Short: "Take a stack down; buckets and their objects stay",
		Long: `Takes a stack down, with its functions, their versions and aliases, APIs, topics,
queues, schedules and the revisions to go back to. What holds data of yours stays:
buckets with their objects, the directories that functions share, and logs; it is
said what. Where there is a serverless-compose.yml, its services are removed, each
before those that it depends on.`,
		Example: "  dropstack remove hello-dev",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			if compose := deploy.ComposeFile("."); compose != "" && len(args) == 0 {
				return c.removeComposed(cmd.Context(), client, compose, c.specOptions(cmd))
			}
			stack, err := c.stack(cmd, args)
			if err != nil {
				return err
			}
			return c.removeStack(cmd.Context(), client, stack)
		},
	}
}

func (c *cli) removeStack(ctx context.Context, client *api.Client, stack string) error {
	var info api.Info
	if err := client.Call(ctx, "Info", api.StackInput{Stack: stack}, &info); err != nil {
		return err
	}
	if err := client.Call(ctx, "Remove", api.StackInput{Stack: stack}, nil); err != nil {
		return err
	}
	stays := remains(info.Revision)
	if c.json {
		c.writeJSON(c.stdout, map[string]any{"event": "removed", "stack": stack, "stays": stays})
		return nil
	}
	fmt.Fprintf(c.stdout, "%s removed: %s\n", stack, info.Revision.Describe())
	if len(stays) > 0 {
		fmt.Fprintf(c.stdout, "what it kept stays: %s\n", strings.Join(stays, ", "))
	}
	return nil
}

// remains lists what outlives a stack.
func remains(r *deploy.Revision) []string {
	stays := []string{}
	for _, b := range r.Buckets {
		stays = append(stays, "bucket "+b)
	}
	for _, f := range r.Functions {
		stays = append(stays, "log group /aws/lambda/"+f.Name)
		if f.Mount != nil && !slices.Contains(stays, "directory "+f.Mount.Name) {
			stays = append(stays, "directory "+f.Mount.Name)
		}
	}
	slices.Sort(stays)
	return stays
}
