package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/monitor"
)

func (c *cli) monitorMaintenance() *cobra.Command {
	command := &cobra.Command{
		Use:   "maintenance",
		Short: "Say when monitors are worked on, so that nobody is called",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	command.AddCommand(c.maintenanceList(), c.maintenanceAdd(), c.maintenanceRemove())
	return command
}

func (c *cli) maintenanceList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List maintenance windows that are to come, go on or come every week",
		Example: "  dropstack monitor maintenance list",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var out monitor.WindowsOutput
			if err := c.ask(cmd, "ListMaintenance", struct{}{}, &out); err != nil {
				return err
			}
			if c.json {
				for _, w := range out.Windows {
					c.writeJSON(c.stdout, w)
				}
				return nil
			}
			table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "ID\tWHEN\tLENGTH\tMONITORS\tREASON")
			for _, w := range out.Windows {
				fmt.Fprintf(table, "%s\t%s\t%v\t%s\t%s\n", w.ID, windowTime(w), w.Length, windowOf(w), w.Reason)
			}
			_ = table.Flush() // a closed pipe has nobody to tell
			return nil
		},
	}
}

func windowTime(w monitor.Window) string {
	if w.Weekly == "" {
		return clock(w.Start)
	}
	return strings.TrimSpace(w.Weekly + " " + w.Zone)
}

func windowOf(w monitor.Window) string {
	if len(w.Monitors) == 0 {
		return "all"
	}
	return strings.Join(w.Monitors, ", ")
}

func (c *cli) maintenanceAdd() *cobra.Command {
	in := monitor.Window{}
	var start string
	var length time.Duration
	command := &cobra.Command{
		Use:   "add [NAME…] --for DURATION",
		Short: "Add a maintenance window, from now on, at a time or every week",
		Long: `During the window no incident of the monitors opens, and what their checks find counts
neither for nor against their uptime. Without names it is of all monitors. It begins now,
at --at, or every week as --weekly says: days, or daily, and a time.`,
		Example: "  dropstack monitor maintenance add drops-dev-page --for 30m --reason 'a new disk'\n" +
			"  dropstack monitor maintenance add --at '2026-12-01 22:00' --for 2h\n" +
			"  dropstack monitor maintenance add --weekly 'Sat,Sun 03:30' --zone Europe/Berlin --for 1h",
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Monitors, in.Length = args, monitor.Duration(length)
			switch {
			case in.Weekly != "" && start != "":
				return fmt.Errorf("%w: --at and --weekly exclude each other", errUsage)
			case in.Weekly == "" && start == "":
				in.Start = time.Now().UTC()
			case start != "":
				at, err := windowStart(start, in.Zone)
				if err != nil {
					return err
				}
				in.Start, in.Zone = at, ""
			}
			var w monitor.Window
			if err := c.ask(cmd, "PutMaintenance", in, &w); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, w)
				return nil
			}
			fmt.Fprintf(c.stdout, "maintenance window %s: %s, for %v, of %s\n", w.ID, windowTime(w), w.Length, windowOf(w))
			return nil
		},
		Args: cobra.ArbitraryArgs,
	}
	f := command.Flags()
	f.DurationVar(&length, "for", time.Hour, "how long it lasts")
	f.StringVar(&start, "at", "", "when it begins, as 2006-01-02 15:04 or RFC 3339 (default: now)")
	f.StringVar(&in.Weekly, "weekly", "", "days and a time at which it begins every week: Sat,Sun 03:30, or daily 03:30")
	f.StringVar(&in.Zone, "zone", "", "time zone that the times are meant in, such as Europe/Berlin (default: UTC with --weekly, else this machine's)")
	f.StringVar(&in.Reason, "reason", "", "why, for the status page")
	return command
}

// windowStart reads a time that is meant in a zone, "" for this machine's.
func windowStart(text, zone string) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC(), nil
	}
	place := time.Local
	if zone != "" {
		var err error
		if place, err = time.LoadLocation(zone); err != nil {
			return time.Time{}, fmt.Errorf("%w: --zone %q: %w", errUsage, zone, err)
		}
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", text, place)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: --at %q is no time, such as 2026-12-01 22:00", errUsage, text)
	}
	return at.UTC(), nil
}

func (c *cli) maintenanceRemove() *cobra.Command {
	return &cobra.Command{
		Use:     "remove ID",
		Short:   "Remove a maintenance window; one that goes on ends",
		Example: "  dropstack monitor maintenance remove a2b3c4d5",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.ask(cmd, "DeleteMaintenance", monitor.WindowInput{ID: args[0]}, nil); err != nil {
				return err
			}
			c.say(args[0], "is removed")
			return nil
		},
	}
}
