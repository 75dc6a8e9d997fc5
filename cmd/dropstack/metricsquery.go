package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/metric"
)

func (c *cli) metricsQuery() *cobra.Command {
	var from, to, step string
	command := &cobra.Command{
		Use:   "query EXPRESSION",
		Short: "Ask in PromQL",
		Long: `Asks for what is measured in PromQL, Prometheus' language: about now, or with --start
about every step from then on, which is drawn as a line. docs/metrics.md has all series.`,
		Example: `  dropstack metrics query 'sum by (function) (increase(dropstack_function_errors_total[1h]))'
  dropstack metrics query 'histogram_quantile(0.95, sum by (function) (rate(dropstack_function_duration_seconds[5m])))' --start 3h
  dropstack metrics query 'sum(rate(dropstack_edge_requests_total[1m]))' --start 2026-11-26T10:00:00Z --end 2026-11-26T11:00:00Z --step 30s --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := api.QueryMetricsInput{Query: args[0]}
			if err := timed(&in, from, to, step); err != nil {
				return err
			}
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			var out api.QueryMetricsOutput
			if err := client.Call(cmd.Context(), "QueryMetrics", in, &out); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, out)
				return nil
			}
			if len(out.Series) == 0 {
				fmt.Fprintln(c.stdout, "nothing; a native histogram has no value of its own: ask for histogram_count, histogram_sum or histogram_quantile of it")
				return nil
			}
			c.printSeries(out.Series, in)
			return nil
		},
	}
	f := command.Flags()
	f.StringVar(&from, "start", "", "from when on: 30m, 5h, 1d, or a time such as 2026-11-23T10:00:00Z (default: about now only)")
	f.StringVar(&to, "end", now, "until when, or when, likewise (default: now)")
	f.StringVar(&step, "step", "", "how far apart the points are, such as 30s (default: a sixtieth of the time)")
	return command
}

// now is what --end is unless it is said: when the platform has written what it has
// counted so far.
const now = "0s"

// drawn is how many points a line has unless a step is given.
const drawn = 60

// timed fills in when a question is about.
func timed(in *api.QueryMetricsInput, from, to, step string) (err error) {
	end, err := moment("--end", to)
	if err != nil {
		return err
	}
	if from == "" {
		if step != "" {
			return fmt.Errorf("%w: --step needs --start", errUsage)
		}
		if to != now {
			in.Time = end
		}
		return nil
	}
	if in.Start, err = moment("--start", from); err != nil {
		return err
	}
	if in.End = end; !in.Start.Before(end) {
		return fmt.Errorf("%w: --start %s is not before --end %s", errUsage, from, to)
	}
	in.Step = math.Max(1, math.Ceil(end.Sub(in.Start).Seconds()/drawn))
	if step != "" {
		d, err := time.ParseDuration(step)
		if err != nil || d <= 0 {
			return fmt.Errorf("%w: --step %q is not a duration, such as 30s", errUsage, step)
		}
		in.Step = d.Seconds()
	}
	return nil
}

// printSeries prints a line a series: its value, or what became of it.
func (c *cli) printSeries(list []api.MetricSeries, in api.QueryMetricsInput) {
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	if in.Step == 0 {
		fmt.Fprintln(table, "SERIES\tVALUE")
	} else {
		fmt.Fprintf(table, "SERIES\t%s - %s\tMIN\tMAX\tLAST\n", in.Start.Local().Format("2006-01-02 15:04"), in.End.Local().Format("15:04"))
	}
	for _, s := range list {
		name := seriesName(s)
		if in.Step == 0 {
			fmt.Fprintf(table, "%s\t%s\n", name, s.Points[0].Value)
			continue
		}
		values := valuesOf(s.Points, in)
		least, most, last := math.Inf(1), math.Inf(-1), math.NaN()
		for _, v := range values {
			if !math.IsNaN(v) {
				least, most, last = min(least, v), max(most, v), v
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", name, graph(values, least, most), figure(least), figure(most), figure(last))
	}
	_ = table.Flush() // a closed pipe has nobody to tell
}

func seriesName(s api.MetricSeries) string {
	var labels []string
	for name, value := range s.Labels {
		if name != "__name__" {
			labels = append(labels, name+"="+strconv.Quote(value))
		}
	}
	slices.Sort(labels)
	return s.Labels["__name__"] + "{" + strings.Join(labels, ",") + "}"
}

// valuesOf are a series' values, one a step; NaN where there is none.
func valuesOf(points []api.MetricPoint, in api.QueryMetricsInput) []float64 {
	values := make([]float64, int(math.Round(in.End.Sub(in.Start).Seconds()/in.Step))+1)
	for i := range values {
		values[i] = math.NaN()
	}
	for _, p := range points {
		at := int(math.Round(p.Time.Sub(in.Start).Seconds() / in.Step))
		if v, err := strconv.ParseFloat(p.Value, 64); err == nil && at >= 0 && at < len(values) {
			values[at] = v
		}
	}
	return values
}

// graph draws values from the least to the most in at most 60 characters; where
// several share one it is the highest.
func graph(values []float64, least, most float64) string {
	wide := min(len(values), drawn)
	line := make([]float64, wide)
	for i := range line {
		line[i] = math.NaN()
		for _, next := range values[i*len(values)/wide : (i+1)*len(values)/wide] {
			if math.IsNaN(line[i]) || next > line[i] {
				line[i] = next
			}
		}
	}
	return metric.Bars(line, least, most)
}

func figure(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "-"
	}
	return strconv.FormatFloat(v, 'g', 5, 64)
}
