package main

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/cloudfront"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/spf13/cobra"
)

func (c *cli) edge() *cobra.Command {
	command := &cobra.Command{
		Use:   "edge",
		Short: "Show and make distributions; have what they store asked for again",
	}
	command.AddCommand(c.edgeList(), c.edgeShow(), c.edgePut(), c.edgeRemove(), c.edgeInvalidate(), c.edgeLogs(), c.edgeCertificate())
	return command
}

func (c *cli) edgeList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the distributions and where they answer",
		Example: "  dropstack edge list\n  dropstack edge list --json | jq -r .urls[]",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := c.allDistributions(cmd)
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "DISTRIBUTION\tSTACK\tBEHAVIOURS\tWEB ACL\tURLS")
			for _, d := range list {
				if c.json {
					c.writeJSON(c.stdout, d)
					continue
				}
				state := strings.Join(d.URLs, " ")
				if d.Disabled {
					state = "(disabled) " + state
				}
				fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\n", d.ID, d.Stack, len(d.Behaviours), cmp.Or(d.WebACL, "none"), state)
			}
			if !c.json {
				_ = table.Flush() // a closed pipe has nobody to tell
			}
			return nil
		},
	}
}

func (c *cli) allDistributions(cmd *cobra.Command) ([]api.ListedDistribution, error) {
	client, err := c.client(cmd)
	if err != nil {
		return nil, err
	}
	var list []api.ListedDistribution
	return list, client.Call(cmd.Context(), "ListDistributions", struct{}{}, &list)
}

func (c *cli) edgeShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show DISTRIBUTION",
		Short:   "Show the behaviours of a distribution, in the order in which they are tried",
		Example: "  dropstack edge show web-dev-drops",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := c.allDistributions(cmd)
			if err != nil {
				return err
			}
			for _, d := range list {
				if d.ID == args[0] {
					c.printDistribution(d)
					return nil
				}
			}
			return fault.Errorf(fault.NotFound, "distribution %q does not exist; `dropstack edge list` lists what does", args[0])
		},
	}
}

func (c *cli) printDistribution(d api.ListedDistribution) {
	if c.json {
		c.writeJSON(c.stdout, d)
		return
	}
	fmt.Fprintf(c.stdout, "%s of stack %s\n%s\n\n", d.ID, d.Stack, strings.Join(d.URLs, "\n"))
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PATH\tMETHODS\tORIGIN\tCACHE\tVIEWER")
	for _, b := range d.Behaviours {
		stored := "off"
		if p := b.Cache; p != nil {
			stored = fmt.Sprintf("%v to %v, %v without headers", p.MinTTL, p.MaxTTL, p.DefaultTTL)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", b.Path, cmp.Or(strings.Join(b.Methods, " "), "all"), b.Origin, stored, cmp.Or(b.Viewer, edge.AllowAll))
	}
	_ = table.Flush() // a closed pipe has nobody to tell
}

func (c *cli) edgeRemove() *cobra.Command {
	return &cobra.Command{
		Use:     "remove DISTRIBUTION",
		Short:   "Remove a distribution that a command or a call has made",
		Example: "  dropstack edge remove blog",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			return client.Call(cmd.Context(), "RemoveDistribution", api.DistributionID{ID: args[0]}, nil)
		},
	}
}

func (c *cli) edgeInvalidate() *cobra.Command {
	return &cobra.Command{
		Use:   "invalidate DISTRIBUTION PATH...",
		Short: "Have what is stored under paths asked of the origin again",
		Long: `Makes what the edge has stored under the paths count as gone, in all its variants,
at once and for good. A path that ends with * stands for all that begin with it; it
includes the query where the cache tells responses apart by that.`,
		Example: "  dropstack edge invalidate web-dev-drops '/images/*' /index.html",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			var out cloudfront.Invalidation
			if err := client.Call(cmd.Context(), "Invalidate", api.InvalidateInput{ID: args[0], Paths: args[1:]}, &out); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, out)
				return nil
			}
			fmt.Fprintf(c.stdout, "invalidated %s of %s (%s)\n", strings.Join(args[1:], ", "), args[0], out.ID)
			return nil
		},
	}
}
