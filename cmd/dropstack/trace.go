package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/trace"
	"github.com/dropstack/dropstack/internal/wire"
)

func (c *cli) trace() *cobra.Command {
	var most int
	command := &cobra.Command{
		Use:   "trace ID",
		Short: "Show the path of one request as a waterfall",
		Long: `Shows what one request has passed, when and for how long: the edge, an API, functions,
their calls, and the functions that got the messages of these; and what the functions
have logged meanwhile.

The ID is that of the header X-Amzn-Trace-Id, which REST APIs answer with, of a REPORT
line's @xrayTraceId, or of a W3C traceparent. One request of each second and 5 % of the
others are kept, those whose client asks for it with Sampled=1, and of all others what
failed or took a second.`,
		Example: "  dropstack trace 1-5759e988-bd862e3fe1be46a994272793\n  dropstack trace $(dropstack trace list --errors --json | jq -r .id | head -1)",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			var out trace.Trace
			if err := c.ask(cmd, "GetTrace", trace.GetInput{Trace: args[0]}, &out); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, out)
				return nil
			}
			waterfall(c.stdout, out, most)
			return nil
		},
	}
	command.Flags().IntVar(&most, "lines", 40, "so many log lines at most")
	command.AddCommand(c.traceList())
	return command
}

func (c *cli) traceList() *cobra.Command {
	var in trace.ListInput
	var since, until string
	var least time.Duration
	command := &cobra.Command{
		Use:     "list",
		Short:   "List the requests that were traced, the newest first",
		Example: "  dropstack trace list --slow\n  dropstack trace list --errors --since 24h\n  dropstack trace list --function notes-dev-save --least 500ms --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, at := range []struct {
				flag, text string
				to         *wire.Time
			}{{"--since", since, &in.Start}, {"--until", until, &in.End}} {
				t, err := moment(at.flag, at.text)
				if err != nil {
					return err
				}
				if !t.IsZero() {
					*at.to = wire.At(t)
				}
			}
			in.Least = float64(least) / float64(time.Millisecond)
			var out trace.ListOutput
			if err := c.ask(cmd, "ListTraces", in, &out); err != nil {
				return err
			}
			c.printTraces(out.Traces)
			return nil
		},
	}
	f := command.Flags()
	f.BoolVar(&in.Slowest, "slow", false, "the slowest first")
	f.BoolVar(&in.Errors, "errors", false, "only those in which something failed")
	f.StringVar(&in.Function, "function", "", "only those that have passed this function")
	f.DurationVar(&least, "least", 0, "only those that took at least so long, such as 500ms")
	f.StringVar(&since, "since", "1h", "from when on: 30m, 24h, 2d, or a time such as 2026-11-23T10:00:00Z")
	f.StringVar(&until, "until", "", "up to when")
	f.IntVar(&in.Limit, "limit", 50, "so many at most")
	return command
}

func (c *cli) printTraces(list []trace.Summary) {
	if c.json {
		for _, s := range list {
			c.writeJSON(c.stdout, s)
		}
		return
	}
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TRACE\tBEGAN\tTOOK\tSPANS\tERRORS\tWHAT\tFUNCTIONS")
	for _, s := range list {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%s\t%s\n",
			s.ID, s.Start.Local().Format(time.DateTime), millis(s.Duration), s.Spans, s.Errors, printable(s.Name), strings.Join(s.Functions, ", "))
	}
	_ = table.Flush() // a closed pipe has nobody to tell
}

// millis is a number of milliseconds as people write it.
func millis(ms float64) string {
	switch {
	case ms >= 60_000:
		return fmt.Sprintf("%.1f min", ms/60_000)
	case ms >= 1000:
		return fmt.Sprintf("%.2f s", ms/1000)
	case ms >= 10:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.2f ms", ms)
}

// printable is text from a request with nothing that a terminal would obey.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
}

const barWidth = 40

// waterfall prints a trace: a line for each span with its bar, then the log.
func waterfall(w io.Writer, tr trace.Trace, most int) {
	failed, wide := 0, 0
	for _, s := range tr.Spans {
		wide = max(wide, utf8.RuneCountInString(label(s)))
		if s.Status == trace.Error {
			failed++
		}
	}
	wide = min(wide, 60)
	fmt.Fprintf(w, "%s  %s  %s  %s, %s\n", tr.ID, tr.Start.Local().Format("2006-01-02 15:04:05.000"), millis(tr.Duration), count(len(tr.Spans), "span"), count(failed, "error"))
	for _, s := range tr.Spans {
		text := []rune(label(s))
		if len(text) > wide {
			text = append(text[:wide-1], '…')
		}
		fmt.Fprintf(w, "%-*s %9s  │%s│%s\n", wide, string(text), millis(s.Duration), bar(tr, s), remarks(s))
	}
	if len(tr.Withheld) > 0 {
		fmt.Fprintf(w, "not shown, because you may not read them (logs:FilterLogEvents): %s\n", strings.Join(tr.Withheld, ", "))
	}
	if len(tr.Lines) == 0 || most <= 0 {
		return
	}
	fmt.Fprintln(w)
	for i, l := range tr.Lines {
		if i == most {
			fmt.Fprintf(w, "… %d more lines; --lines %d shows them\n", len(tr.Lines)-most, len(tr.Lines))
			return
		}
		at := float64(l.Time.Sub(tr.Start.Time)) / float64(time.Millisecond)
		fmt.Fprintf(w, "%+9.0f ms  %s  %s\n", at, strings.TrimPrefix(l.Group, "/aws/lambda/"), printable(strings.TrimRight(l.Message, "\t\n")))
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func label(s trace.Step) string {
	return strings.Repeat("  ", s.Depth) + s.Kind + " " + printable(s.Name)
}

// bar shows when a span was, in the time of its trace.
func bar(tr trace.Trace, s trace.Step) string {
	if tr.Duration <= 0 {
		return strings.Repeat("█", barWidth)
	}
	from := min(barWidth-1, max(0, int(s.Offset/tr.Duration*barWidth)))
	length := min(barWidth-from, max(1, int(math.Round(s.Duration/tr.Duration*barWidth))))
	fill := "█"
	if s.Status == trace.Error {
		fill = "▓"
	}
	return strings.Repeat(" ", from) + strings.Repeat(fill, length) + strings.Repeat(" ", barWidth-from-length)
}

// remarks are what a span says besides, the error first.
func remarks(s trace.Step) string {
	var list []string
	if s.Status == trace.Error {
		list = append(list, "ERROR "+cmp.Or(s.Attributes[trace.FieldError], "unknown"))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Attributes)) {
		switch name {
		case "http.status", "edge.result", "resource", "@initDuration":
			list = append(list, strings.TrimPrefix(name, "@")+"="+s.Attributes[name])
		}
	}
	if len(list) == 0 {
		return ""
	}
	return " " + printable(strings.Join(list, " "))
}
