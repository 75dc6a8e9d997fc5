package main

import "github.com/spf13/cobra"

func (c *cli) waf() *cobra.Command {
	command := &cobra.Command{
		Use:   "waf",
		Short: "Show who is turned away at the edge, and why; ban, unban and allow clients; test web ACLs; keep reputation lists",
	}
	command.AddCommand(c.wafTest(), c.wafLists(), c.wafBans(), c.wafBan(), c.wafUnban(), c.wafAllow(), c.wafAllowed())
	return command
}
