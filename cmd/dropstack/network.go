package main

import (
	"fmt"
	"net/netip"
	"text/tabwriter"
	"time"

	"github.com/dropstack/dropstack/internal/network"
	"github.com/spf13/cobra"
)

func (c *cli) network() *cobra.Command {
	command := &cobra.Command{
		Use:   "network",
		Short: "Look into the networks of functions",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	command.AddCommand(c.flows())
	return command
}

func (c *cli) flows() *cobra.Command {
	var filter network.FlowFilter
	var since time.Duration
	var format string
	command := &cobra.Command{
		Use:   "flows",
		Short: "List what functions connected to, or tried to",
		Long: `Lists the flows of functions that have ended or were refused, the oldest first,
with the reason: a security group, no route, an address that no function
reaches. A refused flow that is tried again within a minute is counted in one
line. The latest 10,000 are kept, until the platform ends.

Functions have flows where their sandboxes have networks: from isolation level
userns up.`,
		Example: "  dropstack network flows\n  dropstack network flows -f hello --rejected --since 10m\n  dropstack network flows --format log    # as VPC flow logs are written\n  dropstack network flows --json | jq 'select(.accepted | not)'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "table" && format != "log" {
				return fmt.Errorf("%w: --format %q: table or log", errUsage, format)
			}
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			if filter.Function != "" {
				if filter.Function, err = c.functionName(cmd, filter.Function); err != nil {
					return err
				}
			}
			if since > 0 {
				filter.Since = time.Now().Add(-since)
			}
			var list []network.FlowRecord
			if err := client.Call(cmd.Context(), "Flows", filter, &list); err != nil {
				return err
			}
			c.printFlows(list, format)
			return nil
		},
	}
	f := command.Flags()
	f.StringVarP(&filter.Function, "function", "f", "", "only of this function: its key in serverless.yml or its full name")
	f.StringVar(&filter.VPC, "vpc", "", "only of this VPC")
	f.BoolVar(&filter.Rejected, "rejected", false, "only refused ones")
	f.DurationVar(&since, "since", 0, "only of the time since, such as 10m")
	f.IntVar(&filter.Limit, "limit", 100, "the latest so many; 0: all")
	f.StringVar(&format, "format", "table", "table, or log: the columns of VPC flow logs")
	return command
}

func (c *cli) printFlows(list []network.FlowRecord, format string) {
	switch {
	case c.json:
		for _, r := range list {
			c.writeJSON(c.stdout, r)
		}
		return
	case format == "log":
		fmt.Fprintln(c.stdout, network.FlowColumns)
		for _, r := range list {
			fmt.Fprintln(c.stdout, r)
		}
		return
	}
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	for _, r := range list {
		verdict, what := "refused", fmt.Sprintf("%d ×", max(r.Count, 1))
		if r.Accepted {
			verdict, what = "passed", fmt.Sprintf("%d B out, %d B in, %s", r.Sent, r.Received, r.Duration.Round(time.Millisecond))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s %s\t%s\t%s\n",
			r.Time.Local().Format("15:04:05.000"), verdict, r.Function, r.Protocol, destination(r.Destination), r.Reason, what)
	}
	_ = table.Flush() // a closed pipe has nobody to tell
}

func destination(a netip.AddrPort) string {
	if a.Port() == 0 {
		return a.Addr().String()
	}
	return a.String()
}
