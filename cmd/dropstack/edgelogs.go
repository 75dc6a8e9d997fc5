package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/dropstack/dropstack/internal/logs"
	"github.com/spf13/cobra"
)

func (c *cli) edgeLogs() *cobra.Command {
	var since, filter string
	var tail bool
	command := &cobra.Command{
		Use:     "logs [DISTRIBUTION]",
		Short:   "Print the requests to a distribution, or those that none has answered",
		Example: "  dropstack edge logs web-dev-drops --tail\n  dropstack edge logs web-dev-drops --startTime 1h --filter '{ $.sc-status >= 500 }' --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			start, err := moment("--startTime", since)
			if err != nil {
				return err
			}
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			in := logs.FilterLogEventsInput{LogGroupName: logs.EdgeGroup, StartTime: start.UnixMilli(), FilterPattern: filter}
			if len(args) == 1 {
				in.LogGroupName = logs.DistributionGroup + args[0]
			}
			return c.follow(cmd.Context(), client, in, tail, c.printRequest)
		},
	}
	f := command.Flags()
	f.BoolVarP(&tail, "tail", "t", false, "go on printing what comes")
	f.StringVar(&since, "startTime", "10m", "from when on: 30s, 5m, 2h, 1d, or a time such as 2026-11-23T10:00:00Z")
	f.StringVar(&filter, "filter", "", "only requests that match this filter pattern of CloudWatch Logs")
	return command
}

// printRequest prints a record of the access log as a line. What clients have sent is
// quoted where it is no plain text.
func (c *cli) printRequest(e logs.FilteredLogEvent) {
	var r struct {
		Status   int     `json:"sc-status"`
		Result   string  `json:"x-edge-result-type"`
		Method   string  `json:"cs-method"`
		Protocol string  `json:"cs-protocol"`
		Host     string  `json:"x-host-header"`
		Path     string  `json:"cs-uri-stem"`
		Query    string  `json:"cs-uri-query"`
		Client   string  `json:"c-ip"`
		Bytes    int64   `json:"sc-bytes"`
		Took     float64 `json:"time-taken"`
		Rule     string  `json:"x-dropstack-rule"`
	}
	if c.json || json.Unmarshal([]byte(e.Message), &r) != nil {
		c.printEvent(e)
		return
	}
	url := r.Protocol + "://" + r.Host + r.Path
	if r.Query != "" {
		url += "?" + r.Query
	}
	if quoted := strconv.QuoteToASCII(url); quoted != `"`+url+`"` {
		url = quoted
	}
	rule := ""
	if r.Rule != "" {
		rule = ", rule " + r.Rule
	}
	at := time.UnixMilli(e.Timestamp).UTC().Format("2006-01-02 15:04:05.000")
	fmt.Fprintf(c.stdout, "%s  %03d %s %s %s (%s, %d bytes, %.3f s%s)\n", at, r.Status, r.Result, r.Method, url, r.Client, r.Bytes, r.Took, rule)
}
