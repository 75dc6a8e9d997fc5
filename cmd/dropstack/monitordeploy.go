package main

import (
	"cmp"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/monitor/comparison"
)

func (c *cli) monitorDeployments() *cobra.Command {
	var in comparison.ListInput
	return &cobra.Command{
		Use:   "deployments [STACK]",
		Short: "Show whether deployments made functions slower, or fail more",
		Long: `Lists deployments, the newest first, with the functions whose code or configuration they
changed: how often the version before and the new one failed, and how long half and
ninety-five of a hundred invocations took at most. A function is judged once callers have
moved to its new version and have invoked it 200 times, or after 15 minutes.`,
		Example: "  dropstack monitor deployments drops-dev\n  dropstack monitor deployments --json | jq 'select(.verdict == \"worse\")'",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				in.Stack = args[0]
			}
			var out comparison.ListOutput
			if err := c.ask(cmd, "ListComparisons", in, &out); err != nil {
				return err
			}
			c.printComparisons(out.Comparisons)
			return nil
		},
	}
}

func (c *cli) printComparisons(list []comparison.Comparison) {
	if c.json {
		for _, one := range list {
			c.writeJSON(c.stdout, one)
		}
		return
	}
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "DEPLOYED\tSTACK\tFUNCTION\tVERDICT\tINVOCATIONS\tERRORS\tP50\tP95")
	for _, one := range list {
		for _, f := range one.Functions {
			verdict := cmp.Or(f.Verdict, one.Verdict)
			fmt.Fprintf(table, "%s\t%s\t%s\t%s", clock(one.Deployed), one.Stack, f.Name, verdict)
			if f.Verdict != "" {
				fmt.Fprintf(table, "\t%.0f → %.0f\t%.0f → %.0f\t%s → %s\t%s → %s", f.Old.Invocations, f.New.Invocations, f.Old.Errors, f.New.Errors,
					milliseconds(1000*f.Old.P50), milliseconds(1000*f.New.P50), milliseconds(1000*f.Old.P95), milliseconds(1000*f.New.P95))
			}
			fmt.Fprintln(table)
		}
	}
	_ = table.Flush() // a closed pipe has nobody to tell
}

// printCompared tells how a revision does, compared with the one before.
func printCompared(line func(k, v string), one *comparison.Comparison) {
	if one == nil || one.Compared.IsZero() {
		return
	}
	words := map[string]string{
		comparison.TooFew: "too few invocations to tell", comparison.Same: "as good as the revision before",
		comparison.Better: "better than the revision before", comparison.Worse: "worse than the revision before",
	}[one.Verdict]
	for _, f := range one.Functions {
		if f.Words != "" {
			words += "; " + f.Name + ": " + f.Words
		}
	}
	line("compared", words)
}
