package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/monitor"
)

func (c *cli) monitorIncidents() *cobra.Command {
	var in monitor.IncidentsInput
	var long bool
	command := &cobra.Command{
		Use:   "incidents [NAME]",
		Short: "List incidents, the newest first",
		Long: `Lists the times in which monitors were down or slow, of one or of all. With --timeline
each is shown with what happened in it, and what each location saw.`,
		Example: "  dropstack monitor incidents --open\n  dropstack monitor incidents drops-dev-page --timeline",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				in.Monitor = args[0]
			}
			var out monitor.IncidentsOutput
			if err := c.ask(cmd, "ListIncidents", in, &out); err != nil {
				return err
			}
			c.printIncidents(out.Incidents, long, time.Now())
			return nil
		},
	}
	f := command.Flags()
	f.BoolVar(&in.Open, "open", false, "those that go on")
	f.IntVar(&in.Limit, "limit", 20, "at most this many")
	f.BoolVar(&long, "timeline", false, "show what happened in each, and the evidence")
	return command
}

func (c *cli) printIncidents(list []monitor.Incident, long bool, now time.Time) {
	if c.json {
		for _, i := range list {
			c.writeJSON(c.stdout, i)
		}
		return
	}
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	if !long {
		fmt.Fprintln(table, "MONITOR\tSTATE\tOPENED\tLASTED\tOVER\tCAUSE")
	}
	for _, i := range list {
		over := "yes"
		switch {
		case !i.Resolved.IsZero():
		case !i.Acknowledged.IsZero():
			over = "no, but somebody looks after it"
		default:
			over = "no"
		}
		if !long {
			fmt.Fprintf(table, "%s\t%s\t%s\t%v\t%s\t%s\n", i.Monitor, i.State, clock(i.Opened), i.Duration(now), over, i.Cause)
			continue
		}
		fmt.Fprintf(c.stdout, "%s was %s for %v: %s\n", i.Monitor, i.State, i.Duration(now), i.Cause)
		for _, e := range i.Timeline {
			fmt.Fprintf(c.stdout, "  %s  %-12s %-12s %s\n", clock(e.At), e.Event, e.Location, e.Text)
		}
		for _, r := range i.Evidence {
			if r.Evidence == nil {
				continue
			}
			fmt.Fprintf(c.stdout, "  evidence from %s: %s %s %s\n", r.Location, r.Evidence.Address, r.Evidence.Status, r.Evidence.Error)
			if r.Evidence.Body != "" {
				fmt.Fprintf(c.stdout, "    %.200q\n", r.Evidence.Body)
			}
		}
	}
	_ = table.Flush() // a closed pipe has nobody to tell
}

func (c *cli) monitorAcknowledge() *cobra.Command {
	var in monitor.AcknowledgeInput
	command := &cobra.Command{
		Use:     "acknowledge NAME",
		Short:   "Note that somebody looks after a monitor's incident",
		Example: "  dropstack monitor acknowledge drops-dev-page --text 'the database is being moved'",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Monitor = args[0]
			var i monitor.Incident
			if err := c.ask(cmd, "AcknowledgeIncident", in, &i); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, i)
				return nil
			}
			fmt.Fprintf(c.stdout, "the incident of %s is acknowledged\n", i.Monitor)
			return nil
		},
	}
	command.Flags().StringVar(&in.Text, "text", "", "what is known, for the timeline")
	return command
}
