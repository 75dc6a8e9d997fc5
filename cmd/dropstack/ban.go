package main

import (
	"fmt"
	"net/netip"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/edge/ban"
)

func (c *cli) wafBans() *cobra.Command {
	in := ban.ListInput{}
	command := &cobra.Command{
		Use:   "bans [CLIENT]",
		Short: "List who is turned away, why and until when",
		Long: `Lists the bans that hold: all of them, or those of an address or prefix. A ban in the
shadow is written down only. TIMES says how often the client has been banned within
a day of the ban before; --over lists bans that are over and still count for that.`,
		Example: "  dropstack waf bans\n  dropstack waf bans 203.0.113.7 --over\n  dropstack waf bans --json | jq -r 'select(.times > 2).client'",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				in.Client = args[0]
			}
			var out ban.ListOutput
			if err := c.ask(cmd, "ListBans", in, &out); err != nil {
				return err
			}
			c.printBans(out.Bans, time.Now())
			return nil
		},
	}
	command.Flags().BoolVar(&in.Over, "over", false, "those too that are over and remembered")
	return command
}

// ask calls an action of the control plane.
func (c *cli) ask(cmd *cobra.Command, action string, in, out any) error {
	client, err := c.client(cmd)
	if err != nil {
		return err
	}
	return client.Call(cmd.Context(), action, in, out)
}

// say tells what became of a client; nothing as JSON, like an action without an answer.
func (c *cli) say(client, what string) {
	if !c.json {
		fmt.Fprintf(c.stdout, "%s %s\n", client, what)
	}
}

// plain is a single IPv4 address without its length.
func plain(client netip.Prefix) string {
	if client.IsSingleIP() {
		return client.Addr().String()
	}
	return client.String()
}

func (c *cli) printBans(list []ban.Ban, now time.Time) {
	if c.json {
		for _, b := range list {
			c.writeJSON(c.stdout, b)
		}
		return
	}
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CLIENT\tSTATE\tUNTIL\tTIMES\tBY\tREASON")
	for _, b := range list {
		state := "banned"
		switch {
		case !b.Until.After(now):
			state = "over"
		case b.Shadow:
			state = "shadow"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\n", plain(b.Client), state, b.Until.Local().Format(time.DateTime), b.Times, nameOf(b.By), b.Reason)
	}
	_ = table.Flush() // a closed pipe has nobody to tell
}

func (c *cli) wafBan() *cobra.Command {
	var in ban.PutInput
	var length time.Duration
	command := &cobra.Command{
		Use:   "ban CLIENT --for DURATION",
		Short: "Turn a client away for a while",
		Long: `Turns an address or a prefix away: its requests get 403, at every edge, until the ban
is over. Of IPv6 the address's /64 is banned. A client that is banned already stays
so for the longer of the two times. Loopback, trusted proxies and clients that are
allowed cannot be banned.`,
		Example: "  dropstack waf ban 203.0.113.7 --for 4h --reason 'guesses passwords'\n  dropstack waf ban 198.51.100.0/24 --for 24h --shadow",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if length < ban.Shortest || length > ban.Longest {
				return fmt.Errorf("%w: --for %v: from %v to %v (a year)", errUsage, length, ban.Shortest, ban.Longest)
			}
			in.Client, in.Seconds = args[0], int64((length+time.Second-1)/time.Second)
			var out ban.Ban
			if err := c.ask(cmd, "PutBan", in, &out); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, out)
				return nil
			}
			fmt.Fprintf(c.stdout, "%s is banned until %s\n", plain(out.Client), out.Until.Local().Format(time.DateTime))
			return nil
		},
	}
	f := command.Flags()
	f.DurationVar(&length, "for", 4*time.Hour, "how long, such as 30m or 4h")
	f.StringVar(&in.Reason, "reason", "", "why, for whoever reads the list")
	f.BoolVar(&in.Shadow, "shadow", false, "write it down and turn nobody away")
	f.BoolVar(&in.Escalate, "escalate", false, "longer than that if the client has been banned lately")
	return command
}

func (c *cli) wafUnban() *cobra.Command {
	return &cobra.Command{
		Use:     "unban CLIENT",
		Short:   "Let a banned client in again, and forget that it was banned",
		Example: "  dropstack waf unban 203.0.113.7",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.ask(cmd, "DeleteBan", ban.RemoveInput{Client: args[0]}, nil); err != nil {
				return err
			}
			c.say(args[0], "is no longer banned")
			return nil
		},
	}
}

func (c *cli) wafAllow() *cobra.Command {
	var in ban.AllowInput
	var remove bool
	command := &cobra.Command{
		Use:   "allow CLIENT",
		Short: "Never turn a client away, whatever it does",
		Long: `Puts an address or a prefix on the list of those that no ban turns away, neither one
that holds nor one to come; --remove takes it from there. dropstack waf allowed
shows the list.`,
		Example: "  dropstack waf allow 198.51.100.0/24 --reason 'our office'\n  dropstack waf allow --remove 198.51.100.0/24",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Client = args[0]
			if remove {
				if err := c.ask(cmd, "DeleteAllowed", ban.RemoveInput{Client: in.Client}, nil); err != nil {
					return err
				}
				c.say(in.Client, "is no longer on the list of those who are allowed")
				return nil
			}
			var out ban.Allowed
			if err := c.ask(cmd, "PutAllowed", in, &out); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, out)
				return nil
			}
			fmt.Fprintf(c.stdout, "%s is never turned away by a ban\n", plain(out.Client))
			return nil
		},
	}
	command.Flags().StringVar(&in.Reason, "reason", "", "why, for whoever reads the list")
	command.Flags().BoolVar(&remove, "remove", false, "take it from the list")
	return command
}

func (c *cli) wafAllowed() *cobra.Command {
	return &cobra.Command{
		Use:     "allowed",
		Short:   "List whom no ban turns away",
		Example: "  dropstack waf allowed",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var out ban.AllowedOutput
			if err := c.ask(cmd, "ListAllowed", struct{}{}, &out); err != nil {
				return err
			}
			if c.json {
				for _, a := range out.Allowed {
					c.writeJSON(c.stdout, a)
				}
				return nil
			}
			table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "CLIENT\tSINCE\tBY\tREASON")
			for _, a := range out.Allowed {
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", plain(a.Client), a.Since.Local().Format(time.DateTime), nameOf(a.By), a.Reason)
			}
			_ = table.Flush()
			return nil
		},
	}
}
