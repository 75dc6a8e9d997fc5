package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/monitor"
)

func (c *cli) monitor() *cobra.Command {
	command := &cobra.Command{
		Use:   "monitor",
		Short: "Watch URLs from one or several locations: how they stand, incidents, maintenance",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	command.AddCommand(
		c.monitorList(), c.monitorShow(), c.monitorAdd(), c.monitorRemove(), c.monitorTest(), c.monitorPause("pause", true), c.monitorPause("resume", false),
		c.monitorIncidents(), c.monitorAcknowledge(), c.monitorMaintenance(), c.monitorLocation(), c.monitorDeployments(),
	)
	return command
}

func (c *cli) monitorList() *cobra.Command {
	var in monitor.ListInput
	command := &cobra.Command{
		Use:   "list",
		Short: "List monitors and how they stand",
		Long: `Lists all monitors: those that stacks declare and those that were added here. UPTIME is
of the last 30 days.`,
		Example: "  dropstack monitor list\n  dropstack monitor list --stack drops-dev --json | jq -r 'select(.state != \"up\").name'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var out monitor.ListOutput
			if err := c.ask(cmd, "ListMonitors", in, &out); err != nil {
				return err
			}
			if c.json {
				for _, s := range out.Monitors {
					c.writeJSON(c.stdout, s)
				}
				return nil
			}
			table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "NAME\tSTATE\tSINCE\tUPTIME\tLATENCY\tURL")
			for _, s := range out.Monitors {
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", s.Name, s.State, clock(s.Since), uptimeIn(s.Uptime, 30), latency(s), s.URL)
			}
			_ = table.Flush() // a closed pipe has nobody to tell
			return nil
		},
	}
	command.Flags().StringVar(&in.Stack, "stack", "", "only those that a stack declares")
	return command
}

// clock is a time by this machine's clock; "-" for none.
func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateTime)
}

// uptimeIn is an uptime in words; "-" if nothing is known.
func uptimeIn(uptime map[int]float64, days int) string {
	v, known := uptime[days]
	if !known {
		return "-"
	}
	return strconv.FormatFloat(math.Floor(v*1e5)/1e3, 'f', -1, 64) + " %" // 99.9999 is not 100
}

// latency is the last total of the locations, the highest.
func latency(s monitor.Status) string {
	var most monitor.Duration
	for _, p := range s.Places {
		if p.Last != nil {
			most = max(most, p.Last.Phases.Total)
		}
	}
	if most == 0 {
		return "-"
	}
	return time.Duration(most).Round(100 * time.Microsecond).String()
}

func (c *cli) monitorShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Show a monitor: what each location sees, its uptime, its incidents",
		Example: "  dropstack monitor show drops-dev-page",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var s monitor.Status
			if err := c.ask(cmd, "DescribeMonitor", monitor.NameInput{Name: args[0]}, &s); err != nil {
				return err
			}
			var past monitor.IncidentsOutput
			if err := c.ask(cmd, "ListIncidents", monitor.IncidentsInput{Monitor: args[0], Limit: 10}, &past); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, struct {
					monitor.Status
					Incidents []monitor.Incident `json:"incidents"`
				}{s, past.Incidents})
				return nil
			}
			c.printMonitor(s)
			if len(past.Incidents) > 0 {
				fmt.Fprintln(c.stdout, "incidents:")
			}
			for _, i := range past.Incidents {
				fmt.Fprintf(c.stdout, "  %s  %s  %s\n", clock(i.Opened), i.Duration(time.Now()), i.Cause)
			}
			return nil
		},
	}
}

func (c *cli) printMonitor(s monitor.Status) {
	line := func(k, v string) {
		if v != "" {
			fmt.Fprintf(c.stdout, "%-10s %s\n", k+":", v)
		}
	}
	line("monitor", strings.TrimSpace(s.Name+"  "+s.Title))
	line("url", cmp.Or(s.Method, "GET")+" "+s.URL)
	line("stack", s.Stack)
	line("state", fmt.Sprintf("%s since %s", s.State, clock(s.Since)))
	if !s.Until.IsZero() {
		line("until", clock(s.Until))
	}
	var uptime []string
	for _, days := range slices.Sorted(maps.Keys(s.Uptime)) {
		uptime = append(uptime, fmt.Sprintf("%s in %d days", uptimeIn(s.Uptime, days), days))
	}
	line("uptime", strings.Join(uptime, ", "))
	if s.Incident != nil {
		line("incident", s.Incident.Cause)
	}
	c.printResults(s.Places)
}

// printResults shows what each location has seen last, with the phases.
func (c *cli) printResults(places []monitor.Place) {
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "LOCATION\tSTATE\tDNS\tCONNECT\tTLS\tFIRST BYTE\tTRANSFER\tTOTAL\tREASON")
	for _, p := range places {
		r := p.Last
		switch {
		case !p.Joined:
			fmt.Fprintf(table, "%s\tnot heard from\n", p.Location)
		case r == nil:
			fmt.Fprintf(table, "%s\tno check yet\n", p.Location)
		default:
			state := string(r.State)
			if p.Cut {
				state += " (cut off)"
			}
			fmt.Fprintf(table, "%s\t%s", p.Location, state)
			for _, d := range []monitor.Duration{r.Phases.DNS, r.Phases.Connect, r.Phases.TLS, r.Phases.FirstByte, r.Phases.Transfer, r.Phases.Total} {
				fmt.Fprintf(table, "\t%v", time.Duration(d).Round(10*time.Microsecond))
			}
			fmt.Fprintf(table, "\t%s\n", r.Reason)
		}
	}
	_ = table.Flush()
}

func (c *cli) monitorPause(verb string, paused bool) *cobra.Command {
	long := "Has a paused monitor checked again."
	if paused {
		long = "Keeps a monitor from being checked until it is resumed, also when its stack is\ndeployed again. An incident that goes on is over."
	}
	return &cobra.Command{
		Use:     verb + " NAME",
		Short:   strings.ToUpper(verb[:1]) + verb[1:] + " a monitor",
		Long:    long,
		Example: "  dropstack monitor " + verb + " drops-dev-page",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var s monitor.Status
			if err := c.ask(cmd, "PauseMonitor", monitor.PauseInput{Name: args[0], Paused: paused}, &s); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, s)
				return nil
			}
			fmt.Fprintf(c.stdout, "%s is %sd\n", s.Name, verb)
			return nil
		},
	}
}

func (c *cli) monitorTest() *cobra.Command {
	var in monitor.TestInput
	command := &cobra.Command{
		Use:   "test NAME|URL",
		Short: "Check a monitor, or a URL, now from each location",
		Long: `Makes one check now, of a monitor or of a URL that is none, and shows what each location
sees. Nothing is kept of it. It fails if any location finds it down.`,
		Example: "  dropstack monitor test drops-dev-page\n  dropstack monitor test https://example.com/healthz --location here",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Monitor.Name = args[0]
			if strings.Contains(args[0], "://") {
				in.Monitor = monitor.Monitor{Target: monitor.Target{URL: args[0]}}
			}
			var out monitor.TestOutput
			if err := c.ask(cmd, "TestMonitor", in, &out); err != nil {
				return err
			}
			var places []monitor.Place
			down := false
			for _, r := range out.Results {
				places = append(places, monitor.Place{Location: r.Location, Joined: true, Last: &r})
				down = down || r.State == monitor.Down
				if c.json {
					c.writeJSON(c.stdout, r)
				}
			}
			if !c.json {
				c.printResults(places)
			}
			if down {
				return &silent{errors.New("it is down")}
			}
			return nil
		},
	}
	command.Flags().StringSliceVar(&in.Locations, "location", nil, "check from this location only; may be repeated")
	return command
}
