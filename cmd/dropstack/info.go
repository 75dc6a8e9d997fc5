package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/bus"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/spec"
)

func (c *cli) info() *cobra.Command {
	return &cobra.Command{
		Use:     "info [STACK]",
		Short:   "Show a deployed stack: endpoints, functions, topics, queues, schedules, outputs",
		Long:    "Shows the stack named, or that of the service in this directory, or, where there is none, all stacks.",
		Example: "  dropstack info drops-dev\n  dropstack info --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			if len(args) == 0 && !spec.Exists(".") {
				return c.listStacks(cmd.Context(), client)
			}
			stack, err := c.stack(cmd, args)
			if err != nil {
				return err
			}
			var info api.Info
			if err := client.Call(cmd.Context(), "Info", api.StackInput{Stack: stack}, &info); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, info)
				return nil
			}
			c.printInfo(info)
			return nil
		},
	}
}

func (c *cli) listStacks(ctx context.Context, client *api.Client) error {
	var stacks []api.StackSummary
	if err := client.Call(ctx, "List", struct{}{}, &stacks); err != nil {
		return err
	}
	for _, s := range stacks {
		if c.json {
			c.writeJSON(c.stdout, s)
			continue
		}
		fmt.Fprintf(c.stdout, "%-24s %s  %s\n", s.Stack, s.Created, s.Contents)
	}
	if len(stacks) == 0 && !c.json {
		fmt.Fprintln(c.stdout, "nothing is deployed; `dropstack deploy` deploys the service in this directory")
	}
	return nil
}

func (c *cli) printInfo(info api.Info) {
	r := info.Revision
	var b strings.Builder
	line := func(k, v string) { fmt.Fprintf(&b, "%-11s %s\n", k+":", v) }
	if r.Stack == deploy.APIStack {
		line("stack", r.Stack+", made by calls of the AWS API and changed by them only")
	} else {
		line("service", r.Service)
		line("stage", r.Stage)
		line("stack", r.Stack)
	}
	line("revision", r.ID)
	c.printShift(line, info.Shift)
	printCompared(line, info.Comparison)
	main := mainAPI(r.APIs)
	for i, api := range r.APIs {
		if api.Kind == gateway.URL {
			line("url", hostURL(info.Endpoints.HTTP, gateway.URLHost(api.ID, r.Region))+"/")
			fmt.Fprintf(&b, "  %-7s %-28s %s\n", "ANY", "/", api.Name)
			continue
		}
		if i == main {
			line("endpoint", hostURL(info.Endpoints.HTTP, r.Stack+".localhost"))
		} else {
			line("endpoint", hostURL(info.Endpoints.HTTP, gateway.Host(api.ID, r.Region))+api.Base())
		}
		for _, route := range api.Routes {
			fmt.Fprintf(&b, "  %-7s %-28s %s\n", route.Method, route.Path, route.Function)
		}
	}
	if len(r.Functions) > 0 && info.Isolation != "" { // a platform of before does not tell
		line("isolation", info.Isolation)
	}
	section(&b, "functions", len(r.Functions), func(i int) string {
		f := r.Functions[i]
		return fmt.Sprintf("%-34s %s %d MB %d s", f.Name, f.Runtime, f.MemoryMB, f.Timeout)
	})
	section(&b, "API keys", len(r.APIKeys), func(i int) string { return fmt.Sprintf("%-34s %s", r.APIKeys[i].Name, r.APIKeys[i].ID) })
	section(&b, "topics", len(r.Topics), func(i int) string { return r.Topics[i].ARN })
	section(&b, "queues", len(r.Queues), func(i int) string { return r.Queues[i].ARN })
	section(&b, "event sources", len(r.Mappings), func(i int) string {
		return fmt.Sprintf("%-34s %s", r.Mappings[i].Function, r.Mappings[i].Source)
	})
	section(&b, "rules", len(r.Rules), func(i int) string {
		return fmt.Sprintf("%-34s on the bus %s", r.Rules[i].Name, cmp.Or(r.Rules[i].Bus, bus.Default))
	})
	section(&b, "schedules", len(r.Schedules), func(i int) string {
		return fmt.Sprintf("%-34s %s", r.Schedules[i].Function, r.Schedules[i].Expression)
	})
	section(&b, "buckets", len(r.Buckets), func(i int) string { return r.Buckets[i] })
	section(&b, "distributions", len(r.Distributions), func(i int) string {
		d := r.Distributions[i]
		hosts := d.Aliases
		if d.Domain != "" {
			hosts = append([]string{d.Domain}, hosts...)
		}
		urls := make([]string, len(hosts))
		for i, host := range hosts {
			urls[i] = hostURL(info.Endpoints.HTTP, host)
		}
		return fmt.Sprintf("%-34s %s", d.ID, strings.Join(urls, " "))
	})
	section(&b, "web ACLs", len(r.WebACLs), func(i int) string { return fmt.Sprintf("%-34s %s", r.WebACLs[i].Name, r.WebACLs[i].ARN) })
	section(&b, "alerts", len(r.Alerts), func(i int) string {
		rule := r.Alerts[i]
		return fmt.Sprintf("%-34s %s %s", rule.Name, rule.Labels[alert.SeverityLabel], rule.Source)
	})
	section(&b, "alarms", len(r.Alarms), func(i int) string { return r.Alarms[i].AlarmName })
	section(&b, "monitors", len(r.Monitors), func(i int) string { return fmt.Sprintf("%-34s %s", r.Monitors[i].Name, r.Monitors[i].URL) })
	section(&b, "readers", len(r.AccessReaders), func(i int) string { return r.AccessReaders[i].Function })
	section(&b, "log sources", len(r.LogSources), func(i int) string { return r.LogSources[i].Bucket + "/" + r.LogSources[i].Prefix })
	section(&b, "layers", len(r.Layers), func(i int) string { return r.Layers[i].ARN })
	section(&b, "outputs", len(r.Outputs), func(i int) string { return fmt.Sprintf("%-34s %s", r.Outputs[i].Key, r.Outputs[i].Value) })
	_, _ = fmt.Fprint(c.stdout, b.String())
}

// mainAPI is the index of the API that the stack's own host name leads to; the others
// have names of their own. -1 when there is none.
func mainAPI(apis []gateway.API) int {
	for _, kind := range []string{gateway.HTTP, gateway.REST} {
		if i := slices.IndexFunc(apis, func(a gateway.API) bool { return a.Kind == kind }); i >= 0 {
			return i
		}
	}
	return -1
}

func section(b *strings.Builder, title string, n int, item func(int) string) {
	if n == 0 {
		return
	}
	fmt.Fprintf(b, "%s:\n", title)
	for i := range n {
		fmt.Fprintf(b, "  %s\n", item(i))
	}
}

// printShift tells how far callers have been moved, or how that has ended.
func (c *cli) printShift(line func(k, v string), s *deploy.Shift) {
	switch {
	case s == nil:
	case s.Status == deploy.InProgress:
		for _, m := range s.Moves {
			line("shift", fmt.Sprintf("%s:%s has %.0f %% of its callers at version %s, the others at %s (%s, %s left)", m.Function, m.Alias, 100*m.Weight, m.To, m.From, m.Type, s.Left(time.Now())))
		}
	case s.Status == deploy.Succeeded:
		line("shift", "all callers were moved to revision "+s.Revision+" by "+s.Ended.Format("2006-01-02 15:04:05Z"))
	default:
		line("shift", "callers were not moved to revision "+s.Revision+": "+s.Reason)
	}
}
