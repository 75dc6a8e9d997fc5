package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/query"
)

// asked is a query of the command line.
type asked struct {
	groups       []string
	function     string
	edge, all    bool
	since, until string
	limit        int
	csv          bool
}

func (c *cli) logsQuery() *cobra.Command {
	var q asked
	command := &cobra.Command{
		Use:   "query QUERY",
		Short: "Search all logs, or ask for statistics of them",
		Long: `Searches logs, all unless told which, and prints records, the newest first, or what
the query makes of them. Words are looked for in any case, "phrases" exactly;
field:value, field:>500, field:[400 TO 499], field:/regex/; AND, OR, NOT and brackets.
Commands follow after pipes: stats, top, sort, limit, fields, filter, parse, dedup.
The words of CloudWatch Logs Insights are understood. docs/logs.md has the language.`,
		Example: `  dropstack logs query 'timeout -retry'
  dropstack logs query --function pay 'level:error | top 10 msg'
  dropstack logs query --edge 'sc-status:5* | stats count(*) as n by cs-uri-stem | sort n desc | limit 20'
  dropstack logs query --since 24h 'filter @type = "REPORT" | stats pct(@duration, 95), max(@maxMemoryUsed) by bin(1h), @log'
  dropstack logs query --group /app --since 2026-11-01 --until 2026-11-08 --csv 'fields @timestamp, user, took | sort took desc'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.search(cmd, q, args[0]) },
	}
	f := command.Flags()
	f.StringArrayVarP(&q.groups, "group", "g", nil, "log group, or the beginning of names and *; may be repeated")
	f.StringVarP(&q.function, "function", "f", "", "function: its key in serverless.yml or its full name")
	f.BoolVar(&q.edge, "edge", false, "the requests to the edge")
	f.BoolVar(&q.all, "all", false, "all log groups, which is the default")
	f.StringVar(&q.since, "since", "1h", "from when on: 30s, 5m, 2h, 1d, or a time such as 2026-11-23T10:00:00Z")
	f.StringVar(&q.until, "until", "", "until when, likewise (default: now)")
	f.IntVar(&q.limit, "limit", 0, "rows at most (default: the query's own limit, else 100 records or 10,000 rows of statistics)")
	f.BoolVar(&q.csv, "csv", false, "print CSV")
	command.MarkFlagsMutuallyExclusive("group", "function", "edge", "all")
	return command
}

// input is what the platform is asked.
func (c *cli) input(cmd *cobra.Command, q asked, text string) (in query.StartQueryInput, columns []string, err error) {
	parsed, err := query.Parse(text)
	if err == nil {
		columns, err = parsed.Columns()
	}
	if at, ok := errors.AsType[*query.SyntaxError](err); ok && !c.json {
		return in, nil, fmt.Errorf("%w\n%s", err, at.Show(text))
	}
	if err != nil {
		return in, nil, err
	}
	start, err := moment("--since", q.since)
	if err != nil {
		return in, nil, err
	}
	end, err := moment("--until", cmp.Or(q.until, "0s"))
	if err != nil {
		return in, nil, err
	}
	if !start.Before(end) {
		return in, nil, fmt.Errorf("%w: --since %s is not before --until %s", errUsage, q.since, q.until)
	}
	if q.limit < 0 || q.limit > query.MaxRows {
		return in, nil, fmt.Errorf("%w: --limit %d is not between 1 and %d", errUsage, q.limit, query.MaxRows)
	}
	in = query.StartQueryInput{QueryString: text, StartTime: start.UnixMilli(), EndTime: end.UnixMilli(), Limit: q.limit, LogGroupIdentifiers: []string{"*"}}
	if q.limit == 0 && !slices.ContainsFunc(parsed.Stages, limits) {
		in.Limit = 100
	}
	switch {
	case q.function != "":
		name, err := c.functionName(cmd, q.function)
		if err != nil {
			return in, nil, err
		}
		in.LogGroupIdentifiers = []string{"/aws/lambda/" + name}
	case q.edge:
		in.LogGroupIdentifiers = []string{logs.DistributionGroup + "*", logs.EdgeGroup + "*"}
	case len(q.groups) > 0:
		in.LogGroupIdentifiers = q.groups
	}
	return in, columns, nil
}

// limits tells whether a stage decides how many rows there are.
func limits(s query.Stage) bool {
	switch s.(type) {
	case *query.Limit, *query.Top, *query.Stats:
		return true
	}
	return false
}

// search runs a query and prints what comes of it.
func (c *cli) search(cmd *cobra.Command, q asked, text string) error {
	in, columns, err := c.input(cmd, q, text)
	if err != nil {
		return err
	}
	client, err := c.client(cmd)
	if err != nil {
		return err
	}
	ctx, began := cmd.Context(), time.Now()
	var started query.StartQueryOutput
	if err := client.AWS(ctx, "logs", "Logs_20140328.StartQuery", in, &started); err != nil {
		return err
	}
	out, err := c.await(ctx, client, started.QueryID)
	if err != nil {
		return err
	}
	if err := c.printRows(out, columns, q.csv); err != nil {
		return err
	}
	s := out.Statistics
	if !c.json && !q.csv {
		fmt.Fprintf(c.stderr, "%s; %.0f records looked at, %.0f matched, %.1f MB read in %s\n", count(len(out.Results), "row"),
			s.RecordsScanned, s.RecordsMatched, s.BytesScanned/1e6, time.Since(began).Round(time.Millisecond))
	}
	if out.Status != query.Complete {
		return &silent{fmt.Errorf("the query was not finished: %s", out.Status)}
	}
	return nil
}

// await asks for results until the query has ended, and stops it when the caller is
// interrupted.
func (c *cli) await(ctx context.Context, client *api.Client, id string) (out query.GetQueryResultsOutput, err error) {
	show := !c.json && terminal(c.stderr)
	pause := 10 * time.Millisecond
	for {
		out = query.GetQueryResultsOutput{}
		if err := client.AWS(context.WithoutCancel(ctx), "logs", "Logs_20140328.GetQueryResults", query.GetQueryResultsInput{QueryID: id}, &out); err != nil {
			return out, err
		}
		switch out.Status {
		case query.Running, query.Scheduled:
		case query.Failed:
			return out, fault.Errorf(fault.Unavailable, "the query failed; the platform's log says why, under %s", id)
		default:
			if show {
				fmt.Fprint(c.stderr, "\r\x1b[K")
			}
			return out, nil
		}
		if show {
			fmt.Fprintf(c.stderr, "\r\x1b[K%.0f records looked at, %.0f matched", out.Statistics.RecordsScanned, out.Statistics.RecordsMatched)
		}
		select {
		case <-ctx.Done():
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			err := client.AWS(stop, "logs", "Logs_20140328.StopQuery", query.StopQueryInput{QueryID: id}, nil)
			if err != nil && fault.KindOf(err) != fault.Invalid { // else it has ended meanwhile
				return out, err
			}
			out.Status = query.Cancelled
			return out, nil
		case <-time.After(pause):
			pause = min(2*pause, 500*time.Millisecond)
		}
	}
}

// printRows prints rows as JSON, CSV, lines of a log or a table. The pointers of
// records are only for programs.
func (c *cli) printRows(out query.GetQueryResultsOutput, columns []string, asCSV bool) error {
	var rows [][]string
	for _, result := range out.Results {
		values := map[string]string{}
		for _, f := range result {
			values[f.Field] = f.Value
		}
		if c.json {
			c.writeJSON(c.stdout, values)
			continue
		}
		row := make([]string, len(columns))
		for i, name := range columns {
			row[i] = values[name]
		}
		rows = append(rows, row)
	}
	switch {
	case c.json:
		return nil
	case asCSV:
		w := csv.NewWriter(c.stdout)
		_ = w.Write(columns) // Error tells
		_ = w.WriteAll(rows)
		return w.Error()
	case slices.Equal(columns, []string{logs.FieldTimestamp, logs.FieldMessage}):
		for _, row := range rows {
			fmt.Fprintf(c.stdout, "%s  %s\n", row[0], c.highlight(multiline(row[1])))
		}
		return nil
	}
	if len(rows) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, strings.Join(columns, "\t"))
	for _, row := range rows {
		for i := range row {
			row[i] = printable(cmp.Or(row[i], "-"))
		}
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	return table.Flush()
}

// multiline is a message without what a terminal would obey.
func multiline(s string) string {
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(s, "\t", "  "), "\r\n"), "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\n  ")
}

var alarming = regexp.MustCompile(`(?i)\b(error|exception|panic|fatal|fail(ed|ure)?|timed out|timeout)\b`)

// highlight marks words of trouble on a terminal.
func (c *cli) highlight(s string) string {
	if !terminal(c.stdout) || os.Getenv("NO_COLOR") != "" {
		return s
	}
	return alarming.ReplaceAllString(s, "\x1b[31m$0\x1b[0m")
}

// terminal tells whether somebody looks at what is written.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
