package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/monitor"
)

func (c *cli) monitorAdd() *cobra.Command {
	in := monitor.Monitor{}
	var every, timeout, slow, certificate, within time.Duration
	var headers, jsons, answers []string
	command := &cobra.Command{
		Use:   "add NAME URL",
		Short: "Add a monitor, or change one that was added",
		Long: `Has a URL checked from now on. Without --status any 2xx or 3xx will do. Monitors of
services are better declared in their serverless.yml, below custom.dropstack.monitors.

A condition on JSON is PATH=VALUE, PATH>NUMBER, PATH<NUMBER, or PATH alone.`,
		Example: "  dropstack monitor add shop https://example.com/healthz --every 30s --contains ok\n" +
			"  dropstack monitor add api https://example.com/status --json-path 'queue.length<100' --certificate 336h --public --title 'Our API'",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Name, in.URL = args[0], args[1]
			in.Interval, in.Timeout, in.Slow = monitor.Duration(every), monitor.Duration(timeout), monitor.Duration(slow)
			in.Expect.Certificate, in.Expect.Within = monitor.Duration(certificate), monitor.Duration(within)
			in.Headers = map[string]string{}
			for _, h := range headers {
				name, value, ok := strings.Cut(h, ":")
				if !ok {
					return fmt.Errorf("%w: --header %q is not NAME: VALUE", errUsage, h)
				}
				in.Headers[strings.TrimSpace(name)] = strings.TrimSpace(value)
			}
			if len(answers) > 0 {
				in.Expect.Headers = map[string]string{}
			}
			for _, h := range answers {
				name, value, _ := strings.Cut(h, ":")
				in.Expect.Headers[strings.TrimSpace(name)] = strings.TrimSpace(value)
			}
			for _, text := range jsons {
				j, err := jsonCondition(text)
				if err != nil {
					return err
				}
				in.Expect.JSON = append(in.Expect.JSON, j)
			}
			var s monitor.Status
			if err := c.ask(cmd, "PutMonitor", in, &s); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, s)
				return nil
			}
			fmt.Fprintf(c.stdout, "%s is checked every %v; `dropstack monitor show %s` tells how it stands\n", s.Name, every, s.Name)
			return nil
		},
	}
	f := command.Flags()
	f.DurationVar(&every, "every", monitor.DefaultInterval, "how often it is checked at each location")
	f.DurationVar(&timeout, "timeout", monitor.DefaultTimeout, "how long an answer may take")
	f.DurationVar(&slow, "slow", 0, "from when on an answer is slow (default: compared with what is usual at the location)")
	f.StringVar(&in.Method, "method", "", "method of the request (default GET)")
	f.StringArrayVar(&headers, "header", nil, "NAME: VALUE of the request; may be repeated")
	f.StringVar(&in.Body, "body", "", "body of the request")
	f.BoolVar(&in.NoRedirects, "no-redirects", false, "the answer that redirects is the one that counts")
	f.StringSliceVar(&in.Expect.Status, "status", nil, "status that is fine, such as 200 or 2xx; may be repeated")
	f.StringArrayVar(&in.Expect.Contains, "contains", nil, "text that the body must have; may be repeated")
	f.StringArrayVar(&in.Expect.Lacks, "lacks", nil, "text that the body must not have; may be repeated")
	f.StringArrayVar(&in.Expect.Matches, "matches", nil, "expression (RE2) that the body must match; may be repeated")
	f.StringArrayVar(&answers, "expect-header", nil, "NAME: TEXT that the answer must have; may be repeated")
	f.StringArrayVar(&jsons, "json-path", nil, "condition on JSON in the body; may be repeated")
	f.DurationVar(&certificate, "certificate", 0, "for how long the certificate must be valid yet")
	f.DurationVar(&within, "within", 0, "what the whole check may take; over it is down")
	f.StringSliceVar(&in.Locations, "location", nil, "check from this location only; may be repeated")
	f.IntVar(&in.Quorum, "quorum", 0, "how many locations must find it down (default: more than half, and two if there are two)")
	f.StringVar(&in.Title, "title", "", "what people call it")
	f.StringVar(&in.Group, "group", "", "heading that it stands below on the status page")
	f.BoolVar(&in.Public, "public", false, "show it on the status page")
	f.StringVar(&in.Owner, "owner", "", "who looks after it")
	f.StringVar(&in.Runbook, "runbook", "", "URL of what to do when it is down")
	return command
}

// jsonCondition reads PATH=VALUE, PATH>NUMBER, PATH<NUMBER or PATH.
func jsonCondition(text string) (monitor.JSONCondition, error) {
	at := strings.IndexAny(text, "=<>")
	if at < 0 {
		return monitor.JSONCondition{Path: text}, nil
	}
	j, value := monitor.JSONCondition{Path: strings.TrimSpace(text[:at])}, strings.TrimSpace(text[at+1:])
	if text[at] == '=' {
		j.Equals = &value
		return j, nil
	}
	number, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return j, fmt.Errorf("%w: --json-path %q: %q is no number", errUsage, text, value)
	}
	if j.Above = &number; text[at] == '<' {
		j.Above, j.Below = nil, &number
	}
	return j, nil
}

func (c *cli) monitorRemove() *cobra.Command {
	return &cobra.Command{
		Use:     "remove NAME",
		Short:   "Remove a monitor that was added, with its incidents",
		Example: "  dropstack monitor remove shop",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.ask(cmd, "DeleteMonitor", monitor.NameInput{Name: args[0]}, nil); err != nil {
				return err
			}
			c.say(args[0], "is no longer watched")
			return nil
		},
	}
}
