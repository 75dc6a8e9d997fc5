package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/spec"
	"github.com/spf13/cobra"
)

// hostURL is base with another host name and base's port.
func hostURL(base, host string) string {
	u, err := url.Parse(base)
	if err != nil {
		return base
	}
	if port := u.Port(); port != "" {
		host += ":" + port
	}
	u.Host = host
	return u.String()
}

// functionName accepts a function's full name or, inside a service's directory,
// its key in serverless.yml.
func (c *cli) functionName(cmd *cobra.Command, given string) (string, error) {
	if !spec.Exists(".") {
		return given, nil
	}
	svc, err := spec.Load(cmd.Context(), ".", c.specOptions(cmd))
	if err != nil {
		return "", err
	}
	for _, f := range svc.Functions {
		if f.Key == given {
			return f.Name, nil
		}
	}
	return given, nil
}

// target is the platform and the full name of the function that is meant.
func (c *cli) target(cmd *cobra.Command, function string) (*api.Client, string, error) {
	client, err := c.client(cmd)
	if err != nil {
		return nil, "", err
	}
	full, err := c.functionName(cmd, function)
	return client, full, err
}

func (c *cli) invoke() *cobra.Command {
	var name, data, path, kind string
	var log bool
	command := &cobra.Command{
		Use:     "invoke -f FUNCTION",
		Short:   "Run a function and print what it returns",
		Long:    "Runs a function with the event of --data, --path or standard input and prints its result. Exits with 1 when the function fails.",
		Example: "  dropstack invoke -f hello --data '{\"name\":\"you\"}' --log\n  dropstack invoke -f drops-dev-listDrops < event.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			payload, err := c.payload(data, path)
			if err != nil {
				return err
			}
			client, full, err := c.target(cmd, name)
			if err != nil {
				return err
			}
			out, err := client.Invoke(cmd.Context(), full, payload, kind == "Event")
			if err != nil {
				return err
			}
			return c.printInvocation(out, log)
		},
	}
	f := command.Flags()
	f.StringVarP(&name, "function", "f", "", "function: its key in serverless.yml or its full name")
	f.StringVarP(&data, "data", "d", "", "the event, as JSON (here the data directory is named by $DROPSTACK_DATA)")
	f.StringVarP(&path, "path", "p", "", "file that holds the event")
	f.StringVarP(&kind, "type", "t", "RequestResponse", "RequestResponse or Event")
	f.BoolVarP(&log, "log", "l", false, "print the end of the function's log too")
	_ = command.MarkFlagRequired("function")
	return command
}

func (c *cli) payload(data, path string) ([]byte, error) {
	switch {
	case data != "" && path != "":
		return nil, fmt.Errorf("%w: give --data or --path, not both", errUsage)
	case data != "":
		return []byte(data), nil
	case path != "":
		return os.ReadFile(path)
	}
	if f, ok := c.stdin.(*os.File); ok {
		if st, err := f.Stat(); err != nil || st.Mode()&os.ModeCharDevice != 0 {
			return []byte("{}"), nil
		}
	}
	return io.ReadAll(c.stdin)
}

func (c *cli) printInvocation(out api.Invocation, log bool) error {
	if c.json {
		c.writeJSON(c.stdout, map[string]any{
			"payload": string(out.Payload), "functionError": out.FunctionError, "requestId": out.RequestID, "log": string(out.LogTail),
		})
	} else {
		if len(out.Payload) > 0 {
			fmt.Fprintln(c.stdout, string(out.Payload))
		}
		if log {
			fmt.Fprintf(c.stderr, "%s\n", strings.TrimRight(string(out.LogTail), "\n"))
		}
	}
	if out.FunctionError != "" {
		return &silent{fmt.Errorf("the function failed: %s", out.FunctionError)}
	}
	return nil
}

func (c *cli) logs() *cobra.Command {
	var name, since, filter string
	var tail bool
	command := &cobra.Command{
		Use:     "logs -f FUNCTION",
		Short:   "Print a function's log",
		Example: "  dropstack logs -f hello\n  dropstack logs -f hello --tail\n  dropstack logs -f hello --startTime 5m --filter error --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			start, err := moment("--startTime", since)
			if err != nil {
				return err
			}
			client, full, err := c.target(cmd, name)
			if err != nil {
				return err
			}
			in := logs.FilterLogEventsInput{LogGroupName: "/aws/lambda/" + full, StartTime: start.UnixMilli(), FilterPattern: filter}
			return c.follow(cmd.Context(), client, in, tail, c.printEvent)
		},
	}
	f := command.Flags()
	f.StringVarP(&name, "function", "f", "", "function: its key in serverless.yml or its full name")
	f.BoolVarP(&tail, "tail", "t", false, "go on printing what comes")
	f.StringVar(&since, "startTime", "10m", "from when on: 30s, 5m, 2h, 1d, or a time such as 2026-11-23T10:00:00Z")
	f.StringVar(&filter, "filter", "", "only lines that match this filter pattern of CloudWatch Logs")
	_ = command.MarkFlagRequired("function")
	command.AddCommand(c.logsQuery(), c.logErrors(), c.logImport(), c.logExport(), c.logTail())
	return command
}

// follow prints pages until the last, then asks again every second when tailing,
// from the last minute on: a line may arrive after a younger one.
func (c *cli) follow(ctx context.Context, client *api.Client, in logs.FilterLogEventsInput, tail bool, print func(logs.FilteredLogEvent)) error {
	seen := map[string]int64{}
	for {
		page, err := client.FilterLogs(ctx, in)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && fault.KindOf(err) != fault.NotFound { // else nothing has been logged yet
			return err
		}
		for _, e := range page.Events {
			if _, again := seen[e.EventID]; !again {
				seen[e.EventID] = e.Timestamp
				print(e)
			}
		}
		if in.NextToken = page.NextToken; in.NextToken != "" {
			continue
		}
		in.StartTime = max(in.StartTime, time.Now().Add(-time.Minute).UnixMilli())
		maps.DeleteFunc(seen, func(_ string, at int64) bool { return at < in.StartTime })
		if !tail {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

func (c *cli) printEvent(e logs.FilteredLogEvent) {
	if c.json {
		c.writeJSON(c.stdout, e)
		return
	}
	at := time.UnixMilli(e.Timestamp).UTC().Format("2006-01-02 15:04:05.000")
	fmt.Fprintf(c.stdout, "%s  %s\n", at, strings.TrimRight(e.Message, "\n"))
}
