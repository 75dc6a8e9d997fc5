package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/alert/notify"
)

func (c *cli) receivers() *cobra.Command {
	command := &cobra.Command{
		Use:   "receivers",
		Short: "Say who is told of alerts, and try it out",
	}
	command.AddCommand(c.receiversPut(), c.receiversShow(), c.receiversTest())
	return command
}

func (c *cli) receiversPut() *cobra.Command {
	return &cobra.Command{
		Use:   "put FILE",
		Short: "Say who is told of alerts, in Alertmanager's format",
		Long: `Stores a configuration in Alertmanager's format: routes, receivers, inhibitions, hours.
It is checked whole and counts at once. Messages go to slack_configs, email_configs,
webhook_configs and pagerduty_configs. Secrets do not stand in it: keep them as
parameters, dropstack param put, and write ${ssm:/NAME}.`,
		Example: "  dropstack param put /alerts/slack --type SecureString\n  dropstack alert receivers put receivers.yml\n  dropstack alert receivers test team",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := os.ReadFile(args[0])
			if err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			var out notify.Receivers
			if err := c.ask(cmd, "PutReceivers", notify.PutInput{Name: filepath.Base(args[0]), Configuration: string(text)}, &out); err != nil {
				return err
			}
			c.printReceivers(out)
			return nil
		},
	}
}

func (c *cli) receiversShow() *cobra.Command {
	var configuration bool
	command := &cobra.Command{
		Use:     "show",
		Short:   "Show who is told of alerts, and who could not be reached",
		Example: "  dropstack alert receivers show\n  dropstack alert receivers show --configuration",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var out notify.Receivers
			if err := c.ask(cmd, "GetReceivers", struct{}{}, &out); err != nil {
				return err
			}
			if configuration && !c.json {
				fmt.Fprint(c.stdout, out.Configuration)
				return nil
			}
			c.printReceivers(out)
			return nil
		},
	}
	command.Flags().BoolVar(&configuration, "configuration", false, "the whole of it, as the platform understands it; secrets are not shown")
	return command
}

func (c *cli) printReceivers(r notify.Receivers) {
	if c.json {
		c.writeJSON(c.stdout, r)
		return
	}
	failed := map[[2]string]notify.Failure{}
	for _, f := range r.Failures {
		failed[[2]string{f.Receiver, f.Integration}] = f
	}
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "RECEIVER\tBY\tFAILED")
	for _, one := range r.Receivers {
		var reasons []string
		for _, by := range one.Integrations {
			if f, ok := failed[[2]string{one.Name, by}]; ok {
				reasons = append(reasons, fmt.Sprintf("%s at %s: %s", by, f.Time.Local().Format(time.DateTime), f.Reason))
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", one.Name, cmp.Or(strings.Join(one.Integrations, ", "), "nobody: shown in the console alone"), strings.Join(reasons, "; "))
	}
	_ = table.Flush() // a closed pipe has nobody to tell
	fmt.Fprintf(c.stdout, "said by %s\n", r.Source)
}

func (c *cli) receiversTest() *cobra.Command {
	return &cobra.Command{
		Use:     "test RECEIVER",
		Short:   "Send a receiver a message that says it is a test",
		Example: "  dropstack alert receivers test team",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var out notify.Tested
			if err := c.ask(cmd, "TestReceiver", notify.TestInput{Receiver: args[0]}, &out); err != nil {
				return err
			}
			if len(out.Results) == 0 {
				return fmt.Errorf("receiver %s tells nobody: it has no configuration", args[0])
			}
			failed := 0
			for _, r := range out.Results {
				if !r.Delivered {
					failed++
				}
				switch {
				case c.json:
					c.writeJSON(c.stdout, r)
				case r.Delivered:
					fmt.Fprintf(c.stdout, "%s: delivered\n", r.Integration)
				default:
					fmt.Fprintf(c.stdout, "%s: %s\n", r.Integration, r.Reason)
				}
			}
			if failed > 0 {
				return fmt.Errorf("%d of %d messages were not delivered", failed, len(out.Results))
			}
			return nil
		},
	}
}
