package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/monitor"
)

func (c *cli) monitorLocation() *cobra.Command {
	command := &cobra.Command{
		Use:   "location",
		Short: "Manage the locations that monitors are checked from",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	command.AddCommand(c.locationList(), c.locationAdd(), c.locationRemove())
	return command
}

func (c *cli) locationList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List locations, and whether they are heard from",
		Example: "  dropstack monitor location list",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var out monitor.LocationsOutput
			if err := c.ask(cmd, "ListLocations", struct{}{}, &out); err != nil {
				return err
			}
			if c.json {
				for _, l := range out.Locations {
					c.writeJSON(c.stdout, l)
				}
				return nil
			}
			table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "NAME\tSTATE\tSINCE\tADDRESS\tTITLE")
			for _, l := range out.Locations {
				state := "joined"
				switch {
				case !l.Joined:
					state = "not heard from"
				case l.Cut:
					state = "reaches nothing"
				}
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", l.Name, state, clock(l.Since), l.Address, l.Title)
			}
			_ = table.Flush() // a closed pipe has nobody to tell
			return nil
		},
	}
}

func (c *cli) locationAdd() *cobra.Command {
	var in monitor.LocationInput
	command := &cobra.Command{
		Use:   "add NAME",
		Short: "Make the key by which a probe joins as a location",
		Long: `Prints a key, once; only its hash is kept. With it the probe of the location joins:

  DROPSTACK_PROBE_KEY=KEY dropstack probe --location NAME --join URL

Of a location that exists the key is replaced, and its probe is turned away.`,
		Example: "  dropstack monitor location add frankfurt --title 'Frankfurt, Germany'\n  dropstack monitor location add office --json | jq -r .key > probe.key",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Name = args[0]
			var out monitor.LocationKey
			if err := c.ask(cmd, "PutLocation", in, &out); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, out)
				return nil
			}
			fmt.Fprintf(c.stdout, "location %s may join with this key, which is not shown again:\n%s\n", out.Name, out.Key)
			return nil
		},
	}
	command.Flags().StringVar(&in.Title, "title", "", "what people call it")
	return command
}

func (c *cli) locationRemove() *cobra.Command {
	return &cobra.Command{
		Use:     "remove NAME",
		Short:   "Turn a location away for good",
		Example: "  dropstack monitor location remove office",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.ask(cmd, "DeleteLocation", monitor.LocationInput{Name: args[0]}, nil); err != nil {
				return err
			}
			c.say(args[0], "is no location any more")
			return nil
		},
	}
}
