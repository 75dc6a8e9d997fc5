package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/spec"
)

func (c *cli) alertTest() *cobra.Command {
	var since string
	command := &cobra.Command{
		Use:   "test [FILE | RULE]...",
		Short: "Show when rules would have fired",
		Long: `Tries rules out on what was measured: when would they have fired, for what, and for
how long? Rules are those of files, in Prometheus' format, and running ones by their
names; without either, those of the service in this directory
(custom.dropstack.alerts). Wrong rules are told with file and line, and exit 2.`,
		Example: "  dropstack alert test\n  dropstack alert test rules.yml --since 7d\n  dropstack alert test FunctionErrors --since 30d --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := model.ParseDuration(since)
			if err != nil {
				return fmt.Errorf("%w: --since %s: a time such as 30m, 12h or 7d", errUsage, since)
			}
			in := alert.ReplayInput{Since: time.Duration(d)}
			if in.Rules, err = c.rulesOf(cmd, args); err != nil {
				return err
			}
			var out alert.Replayed
			if err := c.ask(cmd, "TestRule", in, &out); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, out)
				return nil
			}
			c.printReplay(out, len(in.Rules))
			return nil
		},
	}
	command.Flags().StringVar(&since, "since", "24h", "how far back, up to 30d")
	return command
}

// rulesOf are the rules that somebody names, or those of the service here.
func (c *cli) rulesOf(cmd *cobra.Command, args []string) (list []alert.Rule, err error) {
	if len(args) == 0 {
		svc, err := spec.Load(cmd.Context(), ".", c.specOptions(cmd))
		if err != nil {
			return nil, err
		}
		if err := deploy.Problems(deploy.Check(svc)); err != nil {
			return nil, err
		}
		if list = deploy.AlertRules(svc); len(list) == 0 {
			return nil, fault.Errorf(fault.Invalid, "%s has no rules under custom.dropstack.alerts; name a file or a rule", filepath.Base(svc.File))
		}
		return list, nil
	}
	var known api.RulesOutput
	for _, arg := range args {
		doc, err := os.ReadFile(arg)
		if err == nil {
			rules, err := alert.Parse(arg, doc)
			if err != nil {
				return nil, err
			}
			list = append(list, rules...)
			continue
		}
		if known.Rules == nil {
			if err := c.ask(cmd, "ListRules", struct{}{}, &known); err != nil {
				return nil, err
			}
		}
		i := slices.IndexFunc(known.Rules, func(r alert.RuleStatus) bool { return r.Name == arg })
		if i < 0 {
			return nil, fault.Errorf(fault.Invalid, "%s is no file and no rule; `dropstack alert rules` lists them", arg)
		}
		list = append(list, known.Rules[i].Rule)
	}
	return list, nil
}

func (c *cli) printReplay(out alert.Replayed, rules int) {
	for _, why := range out.Without {
		fmt.Fprintf(c.stderr, "not tried out: %s\n", why)
	}
	fmt.Fprintf(c.stdout, "%d rules from %s to %s: they would have fired %d times\n", rules-len(out.Without),
		out.From.Local().Format("2006-01-02 15:04"), out.To.Local().Format("2006-01-02 15:04"), len(out.Fires))
	if len(out.Fires) == 0 {
		return
	}
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "RULE\tOF\tFROM\tFOR\tVALUES")
	for _, f := range out.Fires {
		long := "still"
		if !f.Ends.IsZero() {
			long = f.Ends.Sub(f.Starts).Round(time.Second).String()
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%.4g to %.4g\n", f.Rule, alert.Text(f.Labels), f.Starts.Local().Format("2006-01-02 15:04:05"), long, f.Least, f.Most)
	}
	_ = table.Flush()
}
