package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/wire"
)

func (c *cli) metrics() *cobra.Command {
	var name, from, to string
	command := &cobra.Command{
		Use:   "metrics [-f FUNCTION] [STACK]",
		Short: "Show invocations, throttles, errors and durations",
		Long: `Shows what the functions of a stack did in a time, or one function with -f: the stack
named, or that of the service in this directory. The counts of a service are the sums
of its functions', its average is over all invocations, and its 95th percentile is not
above that of its slowest function, which is what is shown. Times are rounded to whole
minutes, and to whole hours if they begin two weeks ago or earlier.`,
		Example: "  dropstack metrics\n  dropstack metrics -f hello --startTime 2h\n  dropstack metrics drops-dev --startTime 2026-11-01 --endTime 2026-11-08 --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			of, err := span(from, to)
			if err != nil {
				return err
			}
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			if of.Function, of.Stack, err = c.measured(cmd, client, name, args); err != nil {
				return err
			}
			if err := of.measure(cmd.Context(), client); err != nil {
				return err
			}
			c.printMeasures(of)
			return nil
		},
	}
	command.AddCommand(c.metricsQuery())
	f := command.Flags()
	f.StringVarP(&name, "function", "f", "", "only this function: its key in serverless.yml or its full name")
	f.StringVar(&from, "startTime", "24h", "from when on: 30m, 5h, 1d, or a time such as 2026-11-23 or 2026-11-23T10:00:00Z")
	f.StringVar(&to, "endTime", "0s", "until when, likewise (default: now)")
	return command
}

// measured is the function that is meant, by its full name, or the stack.
func (c *cli) measured(cmd *cobra.Command, client *api.Client, name string, args []string) (fn, stack string, err error) {
	if name != "" && len(args) == 0 {
		fn, err = c.functionName(cmd, name)
		return fn, "", err
	}
	if stack, err = c.stack(cmd, args); err != nil || name == "" {
		return "", stack, err
	}
	list, err := functionsOf(cmd.Context(), client, stack)
	if err != nil {
		return "", "", err
	}
	for _, full := range []string{name, stack + "-" + name} {
		if slices.Contains(list, full) {
			return full, "", nil
		}
	}
	return "", "", fault.Errorf(fault.NotFound, "stack %s has no function %q; it has %s", stack, name, strings.Join(list, ", "))
}

func functionsOf(ctx context.Context, client *api.Client, stack string) (names []string, err error) {
	var info api.Info
	if err := client.Call(ctx, "Info", api.StackInput{Stack: stack}, &info); err != nil {
		return nil, err
	}
	return namesOf(info.Revision.Functions), nil
}

func namesOf(list []function.Function) []string {
	names := make([]string, len(list))
	for i, f := range list {
		names[i] = f.Name
	}
	return names
}

// measures is what a function did, or the functions of a stack together. Durations are
// in milliseconds.
type measures struct {
	Stack       string     `json:"stack,omitempty"`
	Function    string     `json:"function,omitempty"`
	Start       time.Time  `json:"start"`
	End         time.Time  `json:"end"`
	Invocations float64    `json:"invocations"`
	Throttles   float64    `json:"throttles"`
	Errors      float64    `json:"errors"`
	Average     float64    `json:"averageDuration"`
	P95         float64    `json:"p95Duration"` // of a stack: its slowest function's
	Functions   []measures `json:"functions,omitempty"`
}

// fine is for how long CloudWatch tells minutes apart, less an hour of doubt.
const fine = 15*24*time.Hour - time.Hour

// span is the time that two flags mean, in whole minutes, or hours if it is long ago.
func span(from, to string) (of measures, err error) {
	if of.Start, err = moment("--startTime", from); err != nil {
		return of, err
	}
	if of.End, err = moment("--endTime", to); err != nil {
		return of, err
	}
	if !of.Start.Before(of.End) {
		return of, fmt.Errorf("%w: --startTime %s is not before --endTime %s", errUsage, from, to)
	}
	grain := time.Minute
	if time.Since(of.Start) > fine {
		grain = time.Hour
	}
	of.Start, of.End = of.Start.Truncate(grain).UTC(), of.End.Add(grain-1).Truncate(grain).UTC()
	return of, nil
}

// measure asks for what a function did, or each function of a stack.
func (m *measures) measure(ctx context.Context, client *api.Client) error {
	if m.Stack == "" {
		return m.ask(ctx, client)
	}
	list, err := functionsOf(ctx, client, m.Stack)
	if err != nil {
		return err
	}
	for _, name := range list {
		of := measures{Function: name, Start: m.Start, End: m.End}
		if err := of.ask(ctx, client); err != nil {
			return err
		}
		m.add(of)
	}
	return nil
}

// add adds a function to a stack.
func (m *measures) add(f measures) {
	m.Functions = append(m.Functions, f)
	if all := m.Invocations + f.Invocations; all > 0 {
		m.Average = (m.Average*m.Invocations + f.Average*f.Invocations) / all
	}
	m.Invocations += f.Invocations
	m.Throttles += f.Throttles
	m.Errors += f.Errors
	m.P95 = max(m.P95, f.P95)
}

// ask asks for one datapoint of each metric, so that averages and percentiles are of
// the whole time.
func (m *measures) ask(ctx context.Context, client *api.Client) error {
	in := metric.GetMetricStatisticsInput{
		Namespace: "AWS/Lambda", Dimensions: []metric.Dimension{{Name: "FunctionName", Value: m.Function}},
		StartTime: wire.At(m.Start), EndTime: wire.At(m.End), Period: int(m.End.Sub(m.Start).Seconds()),
	}
	for name, into := range map[string]*float64{"Invocations": &m.Invocations, "Throttles": &m.Throttles, "Errors": &m.Errors} {
		in.MetricName, in.Statistics = name, []string{"Sum"}
		p, err := datapoint(ctx, client, in)
		if err != nil {
			return err
		}
		if p.Sum != nil {
			*into = math.Round(*p.Sum)
		}
	}
	in.MetricName, in.Statistics, in.ExtendedStatistics = "Duration", []string{"Average"}, []string{"p95"}
	p, err := datapoint(ctx, client, in)
	if err != nil {
		return err
	}
	if p.Average != nil {
		m.Average, m.P95 = *p.Average, p.ExtendedStatistics["p95"]
	}
	return nil
}

// datapoint is the only one there is, empty if nothing was measured.
func datapoint(ctx context.Context, client *api.Client, in metric.GetMetricStatisticsInput) (metric.Datapoint, error) {
	var out metric.GetMetricStatisticsOutput
	err := client.AWS(ctx, "monitoring", "GraniteServiceVersion20100801.GetMetricStatistics", in, &out)
	if err != nil || len(out.Datapoints) == 0 {
		return metric.Datapoint{}, err
	}
	return out.Datapoints[0], nil
}

func (c *cli) printMeasures(m measures) {
	if c.json {
		c.writeJSON(c.stdout, m)
		return
	}
	title, slowest := m.Function, ""
	if m.Stack != "" {
		title = "Service wide metrics: " + m.Stack
		if len(m.Functions) > 1 {
			slowest = ", of the slowest function"
		}
	}
	const layout = "January 2, 2006 3:04 PM"
	fmt.Fprintf(c.stdout, "%s\n%s - %s\n\n", title, m.Start.Local().Format(layout), m.End.Local().Format(layout))
	fmt.Fprintf(c.stdout, "invocations: %.0f\nthrottles: %.0f\nerrors: %.0f\nduration (avg.): %s\nduration (p95): %s%s\n",
		m.Invocations, m.Throttles, m.Errors, milliseconds(m.Average), milliseconds(m.P95), slowest)
	if len(m.Functions) < 2 {
		return
	}
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nFUNCTION\tINVOCATIONS\tTHROTTLES\tERRORS\tAVG.\tP95")
	for _, f := range m.Functions {
		fmt.Fprintf(table, "%s\t%.0f\t%.0f\t%.0f\t%s\t%s\n", f.Function, f.Invocations, f.Throttles, f.Errors, milliseconds(f.Average), milliseconds(f.P95))
	}
	_ = table.Flush() // a closed pipe has nobody to tell
}

func milliseconds(ms float64) string { return fmt.Sprintf("%gms", math.Round(ms*100)/100) }
