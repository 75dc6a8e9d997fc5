package main

import (
	"fmt"
	"math"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/logs/fingerprint"
	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/wire"
)

func (c *cli) logErrors() *cobra.Command {
	var in fingerprint.ListInput
	var since, name string
	command := &cobra.Command{
		Use:   "errors",
		Short: "List the errors in the logs of functions, those that are the same as one",
		Long: `Lists the errors that functions have logged, with those that are the same in one line:
of the same function, type, message and place in the code, whatever ids and numbers
are in it. TREND has a bar for each of the last 24 hours.

One that is resolved is listed again when it comes back; one that is ignored is not.`,
		Example: "  dropstack logs errors\n  dropstack logs errors --function notes-dev-save --since 24h\n  dropstack logs errors --new-since 12 --json | jq -r .message",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			start, err := moment("--since", since)
			if err != nil {
				return err
			}
			if !start.IsZero() {
				in.Start = wire.At(start)
			}
			in.Function = name
			var out fingerprint.ListOutput
			if err := c.ask(cmd, "ListErrors", in, &out); err != nil {
				return err
			}
			c.printErrors(out, time.Now())
			return nil
		},
	}
	f := command.Flags()
	f.StringVarP(&name, "function", "f", "", "only of this function, by its full name")
	f.StringVar(&since, "since", "", "only those seen since: 30m, 24h, 2d, or a time such as 2026-11-23T10:00:00Z")
	f.StringVar(&in.State, "state", "", "open, resolved, ignored or all (default open)")
	f.StringVar(&in.NewSince, "new-since", "", "only those first seen in a later version of the function than this number")
	f.IntVar(&in.Limit, "limit", 100, "so many at most")
	command.AddCommand(c.logError(), c.decide("resolve", fingerprint.Resolved, "is resolved, until it comes back"),
		c.decide("ignore", fingerprint.Ignored, "is ignored"), c.decide("reopen", fingerprint.Open, "is open"), c.rebuildErrors())
	return command
}

func (c *cli) printErrors(out fingerprint.ListOutput, now time.Time) {
	if c.json {
		for _, g := range out.Errors {
			c.writeJSON(c.stdout, g)
		}
		return
	}
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tCOUNT\tTREND\tLAST SEEN\tFUNCTION\tSTATE\tERROR")
	for _, g := range out.Errors {
		state := g.State
		if g.Regressed {
			state = "came back"
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\t%.100s\n", g.ID, g.Count, trend(g.Hours, now), g.Last.Local().Format(time.DateTime), g.Function, state, printable(title(g)))
	}
	_ = table.Flush() // a closed pipe has nobody to tell
	if out.More {
		fmt.Fprintln(c.stderr, "there are more; --limit shows them")
	}
}

func title(g fingerprint.Group) string {
	if g.Type == "" {
		return g.Message
	}
	return g.Type + ": " + g.Message
}

// trend draws the counts of the last day, an hour a bar.
func trend(hours []fingerprint.Hour, now time.Time) string {
	counts := make([]float64, 24)
	for i := range counts {
		counts[i] = math.NaN() // an hour with none is a gap
	}
	most := 1.0
	for _, h := range hours {
		ago := int((now.Truncate(time.Hour).Unix() - h.Start) / 3600)
		if ago >= 0 && ago < len(counts) && h.Count > 0 {
			counts[len(counts)-1-ago] = float64(h.Count)
			most = max(most, float64(h.Count))
		}
	}
	return metric.Bars(counts, 0, most)
}

func (c *cli) logError() *cobra.Command {
	return &cobra.Command{
		Use:     "show ID",
		Short:   "Show one error: when, how often, the last of them with its stack",
		Example: "  dropstack logs errors show 05abc21f9d4b3164",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var g fingerprint.Group
			if err := c.ask(cmd, "GetError", fingerprint.GetInput{ID: args[0]}, &g); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, g)
				return nil
			}
			c.showError(g, time.Now())
			return nil
		},
	}
}

func (c *cli) showError(g fingerprint.Group, now time.Time) {
	fmt.Fprintf(c.stdout, "%s  %s\n\n", g.ID, printable(title(g)))
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	state := g.State
	if g.Regressed {
		state += ", came back after it was resolved"
	}
	fmt.Fprintf(table, "function\t%s\nstate\t%s\ncount\t%d\nlast 24 h\t%s\n", g.Function, state, g.Count, trend(g.Hours, now))
	fmt.Fprintf(table, "first seen\t%s in version %s\nlast seen\t%s in version %s\nrequest\t%s\n",
		g.First.Local().Format(time.DateTime), g.FirstVersion, g.Last.Local().Format(time.DateTime), g.LastVersion, g.Sample.Request)
	_ = table.Flush() // a closed pipe has nobody to tell
	fmt.Fprintf(c.stdout, "\n%s\n", printable(g.Sample.Message))
	for _, frame := range g.Sample.Stack {
		fmt.Fprintf(c.stdout, "    %s\n", printable(frame))
	}
}

// decide is a command that changes the state of an error.
func (c *cli) decide(verb, state, what string) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " ID…",
		Short:   "Say that an error " + what,
		Example: "  dropstack logs errors " + verb + " 05abc21f9d4b3164",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, id := range args {
				var g fingerprint.Group
				if err := c.ask(cmd, "UpdateError", fingerprint.UpdateInput{ID: id, State: state}, &g); err != nil {
					return err
				}
				if c.json {
					c.writeJSON(c.stdout, g)
					continue
				}
				fmt.Fprintf(c.stdout, "%s %s: %.100s\n", g.ID, what, printable(title(g)))
			}
			return nil
		},
	}
}

func (c *cli) rebuildErrors() *cobra.Command {
	var since string
	command := &cobra.Command{
		Use:     "rebuild",
		Short:   "Count the errors of the last hours again, from the log",
		Long:    "Counts the errors of the last hours again from the log, at most a week's: after a crash,\nwhich may lose what was counted in its last seconds.",
		Example: "  dropstack logs errors rebuild --since 24h",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			start, err := moment("--since", since)
			if err != nil {
				return err
			}
			var out fingerprint.RebuildOutput
			if err := c.ask(cmd, "RebuildErrors", fingerprint.RebuildInput{Start: wire.At(start)}, &out); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, out)
				return nil
			}
			fmt.Fprintf(c.stdout, "%s found\n", count(out.Found, "error"))
			return nil
		},
	}
	command.Flags().StringVar(&since, "since", "24h", "from when on")
	return command
}
