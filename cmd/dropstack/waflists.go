package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/edge/waf/reputation"
	"github.com/dropstack/dropstack/internal/fault"
)

func (c *cli) wafLists() *cobra.Command {
	command := &cobra.Command{
		Use:   "lists",
		Short: "Show the reputation lists; add and remove some",
		Long: `Shows the lists of addresses that the default web ACL blocks, and what their sources last
said. There are none until some are added: Spamhaus DROP, exits of Tor, the block list
of Emerging Threats, or any file with an address or CIDR a line. They are named in the
file reputation.yml of the data directory, which the platform looks at every minute.`,
		Example: `  dropstack waf lists add drop https://www.spamhaus.org/drop/drop_v4.json
  dropstack waf lists add tor https://check.torproject.org/exit-addresses --every 6h
  dropstack waf lists add mine /etc/bad-neighbours.txt
  dropstack waf lists`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			states, err := (&reputation.Lists{Dir: c.data}).States()
			if err != nil {
				return err
			}
			c.printLists(states)
			return nil
		},
	}
	command.AddCommand(c.wafListsAdd(), c.wafListsRemove())
	return command
}

func (c *cli) printLists(states []reputation.State) {
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "LIST\tADDRESSES\tOF\tASKED\tFROM\tPROBLEM")
	for _, s := range states {
		if c.json {
			c.writeJSON(c.stdout, s)
			continue
		}
		at := func(t time.Time) string {
			if t.IsZero() {
				return "-"
			}
			return t.Local().Format(time.DateTime)
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\n", s.Name, s.Addresses, at(s.Good), at(s.Asked), s.From, s.Err)
	}
	if !c.json {
		_ = table.Flush() // a closed pipe has nobody to tell
	}
}

func (c *cli) wafListsAdd() *cobra.Command {
	var every string
	command := &cobra.Command{
		Use:     "add NAME URL|FILE",
		Short:   "Have the addresses of a list blocked",
		Example: "  dropstack waf lists add drop https://www.spamhaus.org/drop/drop_v4.json",
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			s := reputation.Source{Name: args[0], Every: every}
			if strings.Contains(args[1], "://") {
				s.URL = args[1]
			} else {
				file, err := filepath.Abs(args[1])
				if err != nil {
					return err
				}
				s.File = file
			}
			return reputation.Change(c.data, func(of *reputation.Config) error {
				of.Lists = append(slices.DeleteFunc(of.Lists, func(known reputation.Source) bool { return known.Name == s.Name }), s)
				return nil
			})
		},
	}
	command.Flags().StringVar(&every, "every", "", "how often a URL is asked, at most hourly (default: 12h)")
	return command
}

func (c *cli) wafListsRemove() *cobra.Command {
	return &cobra.Command{
		Use:     "remove NAME",
		Short:   "Have the addresses of a list blocked no longer",
		Example: "  dropstack waf lists remove tor",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			err := reputation.Change(c.data, func(of *reputation.Config) error {
				n := len(of.Lists)
				of.Lists = slices.DeleteFunc(of.Lists, func(s reputation.Source) bool { return s.Name == args[0] })
				if len(of.Lists) == n {
					return fault.Errorf(fault.NotFound, "there is no list %q", args[0])
				}
				return nil
			})
			if err != nil {
				return err
			}
			return reputation.Forget(c.data, args[0])
		},
	}
}
