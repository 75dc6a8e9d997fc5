package main

import "github.com/spf13/cobra"

func (c *cli) alert() *cobra.Command {
	command := &cobra.Command{
		Use:   "alert",
		Short: "Silence alerts; say who is told of them",
	}
	command.AddCommand(c.silence(), c.receivers())
	return command
}
