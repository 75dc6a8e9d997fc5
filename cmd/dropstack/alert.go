package main

import (
	"fmt"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/metric"
)

func (c *cli) alert() *cobra.Command {
	command := &cobra.Command{
		Use:   "alert",
		Short: "Show what is alarming and why; try rules out; silence alerts; say who is told",
	}
	command.AddCommand(c.alertList(), c.alertRules(), c.alertTest(), c.alertWhy(), c.silence(), c.receivers())
	return command
}

func (c *cli) alertList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the alerts that fire or are about to",
		Long: `Lists the alerts that fire, and those whose condition holds and not for long enough
yet: of rules, and of CloudWatch alarms that are in ALARM.`,
		Example: "  dropstack alert list\n  dropstack alert list --json | jq -r 'select(.state == \"firing\").rule'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var out api.AlertsOutput
			if err := c.ask(cmd, "ListAlerts", struct{}{}, &out); err != nil {
				return err
			}
			c.printAlerts(out.Alerts)
			return nil
		},
	}
}

func (c *cli) printAlerts(list []alert.Active) {
	if c.json {
		for _, a := range list {
			c.writeJSON(c.stdout, a)
		}
		return
	}
	if len(list) == 0 {
		fmt.Fprintln(c.stdout, "nothing fires")
		return
	}
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "STATE\tSEVERITY\tALERT\tOF\tSINCE\tWHAT")
	for _, a := range list {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", a.State, a.Labels[alert.SeverityLabel], a.Rule, alert.Text(a.Labels),
			a.Since.Local().Format("15:04:05"), a.Annotations[alert.SummaryAnnotation])
	}
	_ = table.Flush() // a closed pipe has nobody to tell
}

func (c *cli) alertRules() *cobra.Command {
	var long bool
	command := &cobra.Command{
		Use:   "rules",
		Short: "List the rules, where they stand and how they do",
		Long: `Lists every rule that is asked: those that are built in, those of files (up --rules)
and those of stacks (custom.dropstack.alerts), with their state, and why one cannot be
evaluated. A rule in a file takes the place of a built-in one of the same name.`,
		Example: "  dropstack alert rules\n  dropstack alert rules --expr\n  dropstack alert rules --json | jq -r 'select(.error).name'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var out api.RulesOutput
			if err := c.ask(cmd, "ListRules", struct{}{}, &out); err != nil {
				return err
			}
			c.printRules(out, long)
			return nil
		},
	}
	command.Flags().BoolVar(&long, "expr", false, "with their expressions")
	return command
}

func (c *cli) printRules(out api.RulesOutput, long bool) {
	if out.Refused != "" {
		fmt.Fprintf(c.stderr, "the files of rules have changed and are wrong; these are the rules of before:\n%s\n", out.Refused)
	}
	if c.json {
		for _, r := range out.Rules {
			c.writeJSON(c.stdout, r)
		}
		return
	}
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "RULE\tSTATE\tALERTS\tFOR\tSEVERITY\tWHERE\tTOOK")
	for _, r := range out.Rules {
		state := r.State
		switch {
		case r.Error != "":
			state = "fails"
		case r.Record:
			state = "records"
		case r.Evaluated.IsZero():
			state = "new"
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%v\t%s\t%s\t%.1f ms\n", r.Name, state, r.Alerts, r.For, r.Labels[alert.SeverityLabel], r.Source, r.TookMS)
		if r.Error != "" {
			fmt.Fprintf(table, "  %s\n", r.Error)
		}
		if long {
			for line := range strings.Lines(strings.TrimSpace(r.Expr + r.Query)) {
				fmt.Fprintf(table, "  %s\n", strings.TrimRight(line, "\n"))
			}
		}
	}
	_ = table.Flush()
}

func (c *cli) alertWhy() *cobra.Command {
	in := alert.ExplainInput{}
	var labels []string
	command := &cobra.Command{
		Use:   "why RULE",
		Short: "Show why a rule fires, or what is missing until it does",
		Long: `Takes the expression of a rule apart and shows what each part is now and was in the
last hour, for the series that are nearest to firing; and what is missing.`,
		Example: "  dropstack alert why FunctionErrors\n  dropstack alert why FunctionErrors --label function=shop-prod-pay",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Name = args[0]
			for _, l := range labels {
				name, value, ok := strings.Cut(l, "=")
				if !ok {
					return fmt.Errorf("%w: --label %s is not NAME=VALUE", errUsage, l)
				}
				if in.Labels == nil {
					in.Labels = map[string]string{}
				}
				in.Labels[name] = value
			}
			var out alert.Explanation
			if err := c.ask(cmd, "ExplainAlert", in, &out); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, out)
				return nil
			}
			c.printWhy(out, time.Now())
			return nil
		},
	}
	command.Flags().StringArrayVar(&labels, "label", nil, "NAME=VALUE that the series have; may be repeated")
	return command
}

func (c *cli) printWhy(e alert.Explanation, now time.Time) {
	fmt.Fprintf(c.stdout, "%s is %s", e.Name, e.State)
	if e.For > 0 {
		fmt.Fprintf(c.stdout, "; its condition has to hold for %v", e.For)
	}
	fmt.Fprintf(c.stdout, " (%s)\n", e.Source)
	if e.Error != "" {
		fmt.Fprintf(c.stdout, "it cannot be evaluated: %s\n", e.Error)
	}
	if !e.Changed.IsZero() {
		fmt.Fprintf(c.stdout, "last change: %s, %v ago\n", e.Changed.Local().Format("2006-01-02 15:04"), now.Sub(e.Changed).Round(time.Minute))
	}
	for _, a := range e.Active {
		fmt.Fprintf(c.stdout, "%s since %s: %s  %s\n", a.State, a.Since.Local().Format("15:04:05"), alert.Text(a.Labels), a.Annotations[alert.SummaryAnnotation])
		if left := a.Since.Add(e.For).Sub(now); a.State == alert.Pending && left > 0 {
			fmt.Fprintf(c.stdout, "  it fires in %v, if that goes on\n", left.Round(time.Second))
		}
	}
	if e.Query != "" {
		fmt.Fprintf(c.stdout, "\nit asks the logs of the last %v:\n  %s\n", e.Within, e.Query)
	}
	for _, p := range e.Parts {
		fmt.Fprintf(c.stdout, "\n%s %s\n", p.Expr, p.Condition)
		if p.Condition != "" {
			fmt.Fprintf(c.stdout, "  holds for %d of %d series\n", p.Holding, p.Series)
		}
		table := tabwriter.NewWriter(c.stdout, 2, 0, 2, ' ', 0)
		for _, v := range p.Values {
			is, note := "none", ""
			if v.Now != nil {
				is = fmt.Sprintf("%.4g", *v.Now)
			}
			switch {
			case v.Holds:
				note = "holds"
			case v.Short != nil:
				note = fmt.Sprintf("%.4g is missing", *v.Short)
			}
			fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", alert.Text(v.Labels), is, sparkline(v.Last), note)
		}
		_ = table.Flush()
		if len(p.Values) < p.Series {
			fmt.Fprintf(c.stdout, "  and %d more\n", p.Series-len(p.Values))
		}
	}
}

// sparkline draws values from the least to the most.
func sparkline(values []*float64) string {
	line := make([]float64, len(values))
	least, most := math.Inf(1), math.Inf(-1)
	for i, v := range values {
		if line[i] = math.NaN(); v != nil {
			line[i] = *v
			least, most = min(least, *v), max(most, *v)
		}
	}
	if least > most {
		return ""
	}
	return metric.Bars(line, least, most)
}
