package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/spf13/cobra"
)

func (c *cli) deadLetters() *cobra.Command {
	in := api.LettersInput{}
	command := &cobra.Command{
		Use:   "dead-letters -f FUNCTION",
		Short: "List the events that a function could not handle",
		Long: `Lists the asynchronous events that a function has failed on with all its
retries, or that could not be run, the newest first. They are kept for 14 days.
An error code of 200 means that the function ran and failed.`,
		Example: "  dropstack dead-letters -f hello\n  dropstack dead-letters -f hello --json | jq -r .body | base64 -d",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, full, err := c.target(cmd, in.Function)
			if err != nil {
				return err
			}
			in.Function = full
			var list []function.DeadLetter
			if err := client.Call(cmd.Context(), "DeadLetters", in, &list); err != nil {
				return err
			}
			c.printLetters(list)
			return nil
		},
	}
	command.Flags().StringVarP(&in.Function, "function", "f", "", "function: its key in serverless.yml or its full name")
	command.Flags().IntVar(&in.Limit, "limit", 100, "how many, 1-10000")
	_ = command.MarkFlagRequired("function")
	return command
}

func (c *cli) printLetters(list []function.DeadLetter) {
	if c.json {
		for _, l := range list {
			c.writeJSON(c.stdout, l)
		}
		return
	}
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	for _, l := range list {
		fmt.Fprintf(table, "%s\t%s\t%d\t%.80s\n", l.Time.Format(time.RFC3339), l.RequestID, l.ErrorCode, l.ErrorMessage)
	}
	_ = table.Flush() // a closed pipe has nobody to tell
}

func (c *cli) redrive() *cobra.Command {
	in := api.LettersInput{}
	var all bool
	command := &cobra.Command{
		Use:   "redrive -f FUNCTION (--id REQUEST | --all)",
		Short: "Let a function try its dead letters again",
		Long: `Puts dead letters back into the function's queue, the oldest first; each gets all
its retries again. A letter leaves the list when its event is queued, so that
nothing is lost if this is interrupted.`,
		Example: "  dropstack redrive -f hello --all\n  dropstack redrive -f hello --id 8476a536-e9f4-11e8-9739-2dfe598c3fcd",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if all == (in.ID != "") {
				return fmt.Errorf("%w: say --all, or which one with --id; `dropstack dead-letters` lists them", errUsage)
			}
			client, full, err := c.target(cmd, in.Function)
			if err != nil {
				return err
			}
			in.Function = full
			var out api.Redriven
			if err := client.Call(cmd.Context(), "Redrive", in, &out); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, out)
				return nil
			}
			fmt.Fprintf(c.stdout, "%d queued again\n", out.Count)
			return nil
		},
	}
	f := command.Flags()
	f.StringVarP(&in.Function, "function", "f", "", "function: its key in serverless.yml or its full name")
	f.StringVar(&in.ID, "id", "", "request id of one dead letter")
	f.BoolVar(&all, "all", false, "all of them")
	_ = command.MarkFlagRequired("function")
	return command
}
