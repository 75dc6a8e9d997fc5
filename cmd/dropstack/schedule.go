package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/schedule"
	"github.com/dropstack/dropstack/internal/spec"
)

func (c *cli) schedule() *cobra.Command {
	command := &cobra.Command{
		Use:   "schedule",
		Short: "Show schedules and their next ticks; turn them on and off, run one now",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	command.AddCommand(c.scheduleList(), c.scheduleSwitch("enable", false), c.scheduleSwitch("disable", true), c.scheduleRun())
	return command
}

func (c *cli) scheduleList() *cobra.Command {
	return &cobra.Command{
		Use:   "list [STACK]",
		Short: "List rules of time and schedules with their next five ticks",
		Long: `Lists the rules of EventBridge that have an expression of time, and the schedules of
EventBridge Scheduler, with the next five ticks of each: in UTC and by this machine's
clock. They are those of the stack named, or of the service in this directory, or, where
there is none, of all stacks.`,
		Example: "  dropstack schedule list drops-dev\n  dropstack schedule list --json | jq '{name, next: .next[0]}'",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			stack := ""
			if len(args) > 0 || spec.Exists(".") {
				if stack, err = c.stack(cmd, args); err != nil {
					return err
				}
			}
			list, err := schedulesOf(cmd.Context(), client, stack)
			if err != nil {
				return err
			}
			c.printSchedules(list)
			return nil
		},
	}
}

func schedulesOf(ctx context.Context, client *api.Client, stack string) (list []schedule.Status, err error) {
	err = client.Call(ctx, "ListSchedules", api.StackInput{Stack: stack}, &list)
	return list, err
}

func (c *cli) printSchedules(list []schedule.Status) {
	for _, s := range list {
		if c.json {
			c.writeJSON(c.stdout, s)
			continue
		}
		state := "enabled"
		if s.Disabled {
			state = "disabled"
		}
		fmt.Fprintf(c.stdout, "%s (%s)\n  %s, %s\n", full(s), state, s.Expression, s.Zone)
		for _, target := range s.Targets {
			fmt.Fprintf(c.stdout, "  to    %s\n", target)
		}
		for _, at := range s.Next {
			fmt.Fprintf(c.stdout, "  next  %s  %s\n", at.UTC().Format("2006-01-02 15:04:05Z"), at.Local().Format("Mon 2006-01-02 15:04:05 MST"))
		}
	}
	if len(list) == 0 && !c.json {
		fmt.Fprintln(c.stdout, "no schedules")
	}
}

// full is a schedule's name, with the group if it has one of its own.
func full(s schedule.Status) string {
	if s.Group == "" || s.Group == schedule.DefaultGroup {
		return s.Name
	}
	return s.Group + "/" + s.Name
}

// scheduleNamed finds the schedule that is meant: NAME, GROUP/NAME or an ARN.
func scheduleNamed(ctx context.Context, client *api.Client, name string) (schedule.Status, error) {
	list, err := schedulesOf(ctx, client, "")
	if err != nil {
		return schedule.Status{}, err
	}
	list = slices.DeleteFunc(list, func(s schedule.Status) bool { return name != s.ARN && name != s.Name && name != full(s) })
	switch len(list) {
	case 1:
		return list[0], nil
	case 0:
		return schedule.Status{}, fault.Errorf(fault.NotFound, "schedule %q does not exist; `dropstack schedule list` lists what does", name)
	}
	var arns []string
	for _, s := range list {
		arns = append(arns, s.ARN)
	}
	return schedule.Status{}, fault.Errorf(fault.Invalid, "%q is the name of %d schedules; say which: %s", name, len(list), strings.Join(arns, ", "))
}

func (c *cli) scheduleSwitch(verb string, disabled bool) *cobra.Command {
	long := "Has a rule or a schedule fire again; its rate counts from now."
	if disabled {
		long = "Keeps a rule or a schedule from firing."
	}
	return &cobra.Command{
		Use:     verb + " NAME",
		Short:   strings.ToUpper(verb[:1]) + verb[1:] + " a rule or a schedule",
		Long:    long + " NAME may be GROUP/NAME or an ARN. It lasts until the stack\nis deployed again, which makes it what the service says.",
		Example: "  dropstack schedule " + verb + " drops-dev-sweep",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			s, err := scheduleNamed(cmd.Context(), client, args[0])
			if err != nil {
				return err
			}
			if err := client.Call(cmd.Context(), "SwitchSchedule", api.SwitchInput{ARN: s.ARN, Disabled: disabled}, nil); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, map[string]any{"event": verb + "d", "arn": s.ARN})
				return nil
			}
			fmt.Fprintf(c.stdout, "%s is %sd until %s is deployed again\n", full(s), verb, s.Stack)
			return nil
		},
	}
}

func (c *cli) scheduleRun() *cobra.Command {
	return &cobra.Command{
		Use:   "run NAME",
		Short: "Give the targets of a schedule one tick, now",
		Long: `Gives the targets of a rule or a schedule the event of a tick whose time is now. It is
one tick more: those of the schedule come as they would have, and one that is disabled
stays so. Functions are invoked asynchronously; what a target refuses is said and not
tried again. NAME may be GROUP/NAME or an ARN.`,
		Example: "  dropstack schedule run drops-dev-sweep",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			s, err := scheduleNamed(cmd.Context(), client, args[0])
			if err != nil {
				return err
			}
			var list []schedule.Handed
			if err := client.Call(cmd.Context(), "RunSchedule", api.ScheduleInput{ARN: s.ARN}, &list); err != nil {
				return err
			}
			return c.printHanded(list)
		},
	}
}

func (c *cli) printHanded(list []schedule.Handed) error {
	var refused []string
	for _, h := range list {
		if h.Error != "" {
			refused = append(refused, h.Target)
		}
		switch {
		case c.json:
			c.writeJSON(c.stdout, h)
		case h.Error != "":
			fmt.Fprintf(c.stdout, "%s refused the tick: %s\n", h.Target, h.Error)
		default:
			fmt.Fprintf(c.stdout, "%s has a tick of now: request %s\n", h.Target, h.Request)
		}
	}
	if len(refused) > 0 {
		return &silent{fmt.Errorf("refused by %s", strings.Join(refused, ", "))}
	}
	return nil
}
