package main

import "github.com/spf13/cobra"

func (c *cli) waf() *cobra.Command {
	command := &cobra.Command{
		Use:   "waf",
		Short: "Show who is turned away at the edge, and why; ban, unban and allow clients",
	}
	command.AddCommand(c.wafBans(), c.wafBan(), c.wafUnban(), c.wafAllow(), c.wafAllowed())
	return command
}
