package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/deploy"
)

func (c *cli) rollback() *cobra.Command {
	var to, at string
	command := &cobra.Command{
		Use:   "rollback [STACK]",
		Short: "Bring an earlier revision of a stack back",
		Long: `Brings the revision before the active one back, or the one that is named, with
everything that it consisted of: code, configuration, routes, topics, schedules.
It becomes the next revision, at once and for all callers. Given again, it goes
back one more.

` + "`dropstack deploy list`" + ` has the revisions that are kept.`,
		Example: "  dropstack rollback\n  dropstack rollback hello-dev --to 20261126T101500000Z-1a2b3c4d\n  dropstack rollback -t 1795687200000",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			if to != "" && at != "" {
				return fmt.Errorf("%w: give --to or --timestamp, not both", errUsage)
			}
			stack, err := c.stack(cmd, args)
			if err != nil {
				return err
			}
			var info api.Info
			if err := client.Call(cmd.Context(), "Rollback", api.RollbackInput{Stack: stack, To: to + at}, &info); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, info)
				return nil
			}
			fmt.Fprintf(c.stderr, "%s is back at revision %s\n", stack, info.Revision.Restores)
			c.printInfo(info)
			return nil
		},
	}
	f := command.Flags()
	f.StringVar(&to, "to", "", "revision to go back to")
	f.StringVarP(&at, "timestamp", "t", "", "go back to what was active then: milliseconds since 1970 or a time such as 2026-11-23T10:00:00Z")
	return command
}

func (c *cli) deployList() *cobra.Command {
	return &cobra.Command{
		Use:     "list [STACK]",
		Short:   "List the revisions of a stack that `rollback` can go back to",
		Example: "  dropstack deploy list\n  dropstack deploy list hello-dev --json",
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
			var list []deploy.Past
			if err := client.Call(cmd.Context(), "ListRevisions", api.StackInput{Stack: stack}, &list); err != nil {
				return err
			}
			for _, r := range list {
				if c.json {
					c.writeJSON(c.stdout, r)
					continue
				}
				remark := ""
				if r.Active {
					remark = "  (active)"
				}
				if r.Restores != "" {
					remark += "  restores " + r.Restores
				}
				fmt.Fprintf(c.stdout, "%s  %s  %d  %s%s\n", r.ID, r.Created.Format("2006-01-02 15:04:05Z"), r.Created.UnixMilli(), r.Contents, remark)
			}
			return nil
		},
	}
}
