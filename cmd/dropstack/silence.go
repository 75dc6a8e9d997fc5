package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/alert/notify"
)

func (c *cli) silence() *cobra.Command {
	command := &cobra.Command{
		Use:   "silence",
		Short: "Keep alerts from being told for a while",
	}
	command.AddCommand(c.silenceAdd(), c.silenceList(), c.silenceExpire())
	return command
}

func (c *cli) silenceAdd() *cobra.Command {
	var in notify.PutSilenceInput
	var length time.Duration
	command := &cobra.Command{
		Use:   "add MATCHER... --comment WHY",
		Short: "Silence the alerts that all matchers match",
		Long: `Silences alerts by their labels: NAME=VALUE, NAME!=VALUE, NAME=~REGEXP or NAME!~REGEXP,
of which all have to match. Alerts that are silenced go on, and are told if they still
do when the silence is over. amtool understands the same, and sees the same silences.`,
		Example: "  dropstack alert silence add function=shop-dev-charge --for 2h --comment 'being mended'\n  dropstack alert silence add alertname=~'Function.*' stack=shop-dev --comment 'load test'",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if length < time.Second {
				return fmt.Errorf("%w: --for %v: at least 1s, such as 2h", errUsage, length)
			}
			in.Matchers, in.Seconds = args, int64(length/time.Second)
			var out notify.Silence
			if err := c.ask(cmd, "PutSilence", in, &out); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, out)
				return nil
			}
			fmt.Fprintf(c.stdout, "%s silences %s until %s\n", out.ID, strings.Join(out.Matchers, " "), out.Ends.Local().Format(time.DateTime))
			return nil
		},
	}
	command.Flags().DurationVar(&length, "for", 2*time.Hour, "how long, such as 30m or 2h")
	command.Flags().StringVar(&in.Comment, "comment", "", "why, for whoever wonders; required")
	return command
}

func (c *cli) silenceList() *cobra.Command {
	var in notify.ListSilencesInput
	command := &cobra.Command{
		Use:     "list",
		Short:   "List what is silenced, by whom and until when",
		Example: "  dropstack alert silence list\n  dropstack alert silence list --expired --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var out notify.ListSilencesOutput
			if err := c.ask(cmd, "ListSilences", in, &out); err != nil {
				return err
			}
			if c.json {
				for _, s := range out.Silences {
					c.writeJSON(c.stdout, s)
				}
				return nil
			}
			table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "ID\tSTATE\tUNTIL\tMATCHERS\tBY\tCOMMENT")
			for _, s := range out.Silences {
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, s.State, s.Ends.Local().Format(time.DateTime), strings.Join(s.Matchers, " "), s.By, s.Comment)
			}
			_ = table.Flush() // a closed pipe has nobody to tell
			return nil
		},
	}
	command.Flags().BoolVar(&in.Expired, "expired", false, "those too that are over")
	return command
}

func (c *cli) silenceExpire() *cobra.Command {
	return &cobra.Command{
		Use:     "expire ID...",
		Short:   "End silences now",
		Example: "  dropstack alert silence expire 0f8c1d3e-5b0a-4c9e-9d5f-2f6f5c1b7a11",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, id := range args {
				if err := c.ask(cmd, "ExpireSilence", notify.SilenceID{ID: id}, nil); err != nil {
					return err
				}
				c.say(id, "is over")
			}
			return nil
		},
	}
}
