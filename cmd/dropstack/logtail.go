package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/tail"
)

func (c *cli) logTail() *cobra.Command {
	var functions, groups []string
	var edge bool
	var in tail.StartLiveTailInput
	command := &cobra.Command{
		Use:   "tail",
		Short: "Follow the logs of all functions while they are written",
		Long: `Prints what is logged from now on, by all functions or by those that are named, until
it is interrupted. When more comes than can be printed, it says so.`,
		Example: "  dropstack logs tail\n  dropstack logs tail --filter '?ERROR ?Exception'\n  dropstack logs tail --function notes-dev-save --function notes-dev-list\n  dropstack logs tail --edge --filter '{ $.sc-status >= 500 }' --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, name := range functions {
				groups = append(groups, "/aws/lambda/"+name)
			}
			if edge {
				groups = append(groups, logs.DistributionGroup+"*", logs.EdgeGroup)
			}
			if len(groups) == 0 {
				groups = []string{"/aws/lambda/*"}
			}
			in.LogGroupIdentifiers = groups
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			return client.Tail(cmd.Context(), in, c.printUpdate)
		},
	}
	f := command.Flags()
	f.StringArrayVarP(&functions, "function", "f", nil, "only of this function, by its full name; may be repeated")
	f.StringArrayVar(&groups, "group", nil, "of this log group, whose name may end in *; may be repeated")
	f.BoolVar(&edge, "edge", false, "the requests to the edge")
	f.StringVar(&in.LogEventFilterPattern, "filter", "", "only lines that match this filter pattern of CloudWatch Logs")
	return command
}

func (c *cli) printUpdate(u tail.SessionUpdate) error {
	if u.SessionMetadata.Sampled {
		fmt.Fprintln(c.stderr, "more came than could be sent: some lines are missing")
	}
	for _, e := range u.SessionResults {
		if c.json {
			c.writeJSON(c.stdout, e)
			continue
		}
		_, group, _ := strings.Cut(e.LogGroupIdentifier, ":")
		_, err := fmt.Fprintf(c.stdout, "%s  %s  %s\n", time.UnixMilli(e.Timestamp).Local().Format("15:04:05.000"),
			strings.TrimPrefix(group, "/aws/lambda/"), strings.ReplaceAll(strings.TrimRight(e.Message, "\r\n"), "\r", "\n"))
		if err != nil {
			return err
		}
	}
	return nil
}
