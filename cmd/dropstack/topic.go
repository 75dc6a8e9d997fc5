package main

import (
	"cmp"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/topic"
	"github.com/spf13/cobra"
)

func (c *cli) topic() *cobra.Command {
	command := &cobra.Command{
		Use:   "topic",
		Short: "Show topics and how their subscriptions do; deliver dead letters again",
	}
	command.AddCommand(c.topicList(), c.topicShow(), c.topicLetters(), c.topicRedrive())
	return command
}

func (c *cli) topicList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the topics with what their subscriptions still owe",
		Example: "  dropstack topic list",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			var out api.TopicStatus
			if err := client.Call(cmd.Context(), "TopicStatus", api.TopicStatusInput{}, &out); err != nil {
				return err
			}
			c.printTopics(out)
			return nil
		},
	}
}

// topicLine is one line of the list.
type topicLine struct {
	Topic         string        `json:"topic"`
	Subscriptions int           `json:"subscriptions"`
	Backlog       int           `json:"backlog"`
	Dead          int64         `json:"dead"`
	Oldest        time.Duration `json:"oldest"`
}

func (c *cli) printTopics(status api.TopicStatus) {
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TOPIC\tSUBSCRIPTIONS\tBACKLOG\tDEAD\tOLDEST")
	for _, at := range status.Topics {
		line := topicLine{Topic: at}
		for _, s := range status.Subscriptions {
			if s.Topic != at {
				continue
			}
			line.Subscriptions++
			line.Backlog += s.Backlog
			line.Dead += s.Dead
			line.Oldest = max(line.Oldest, s.Oldest)
		}
		if c.json {
			c.writeJSON(c.stdout, line)
			continue
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%v\n", nameOf(at), line.Subscriptions, line.Backlog, line.Dead, line.Oldest.Round(time.Second))
	}
	if !c.json {
		_ = table.Flush() // a closed pipe has nobody to tell
	}
}

// nameOf is the topic's name, for people.
func nameOf(topicARN string) string {
	if a, err := arn.Parse(topicARN); err == nil {
		return a.Resource
	}
	return topicARN
}

func (c *cli) topicShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show TOPIC",
		Short: "Show what became of a topic's messages, by subscription",
		Long: `Shows the subscriptions of a topic, by name or ARN: how many messages were
delivered, filtered out and given up, how many attempts failed and were repeated,
what is under way or waits for its retry, what is not done with, and since when.
Counts are kept over restarts; a crash forgets those of the last seconds.`,
		Example: "  dropstack topic show drop-created\n  dropstack topic show drop-created --json | jq .backlog",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			var out api.TopicStatus
			if err := client.Call(cmd.Context(), "TopicStatus", api.TopicStatusInput{}, &out); err != nil {
				return err
			}
			named := func(at string) bool { return at == args[0] || nameOf(at) == args[0] }
			if !slices.ContainsFunc(out.Topics, named) {
				return fault.Errorf(fault.NotFound, "topic %q does not exist; `dropstack topic list` lists what does", args[0])
			}
			c.printSubscriptions(slices.DeleteFunc(out.Subscriptions, func(s topic.Status) bool { return !named(s.Topic) }))
			return nil
		},
	}
}

func (c *cli) printSubscriptions(list []topic.Status) {
	slices.SortFunc(list, func(a, b topic.Status) int { return cmp.Compare(a.Endpoint, b.Endpoint) })
	if c.json {
		for _, s := range list {
			c.writeJSON(c.stdout, s)
		}
		return
	}
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ENDPOINT\tSTATE\tDELIVERED\tFAILED\tRETRIED\tDEAD\tFILTERED\tIN FLIGHT\tBACKLOG\tOLDEST")
	for _, s := range list {
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%v\n", s.Endpoint, s.State, s.Delivered, s.Failed, s.Retried, s.Dead, s.Filtered, s.InFlight, s.Backlog, s.Oldest.Round(time.Second))
	}
	_ = table.Flush()
}

func (c *cli) topicLetters() *cobra.Command {
	in := api.TopicLettersInput{}
	command := &cobra.Command{
		Use:   "dead-letters SUBSCRIPTION",
		Short: "List the messages that an endpoint did not take",
		Long: `Lists the messages that a subscription's web server or mailbox did not take, the
oldest first. They are kept for 14 days. Those of functions are with the function:
dropstack dead-letters.`,
		Example: "  dropstack topic dead-letters arn:aws:sns:us-east-1:000000000000:news:689cdded-ee2a-840a-8ba2-9cf7c6aa2021",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			in.Subscription = args[0]
			var list []topic.Letter
			if err := client.Call(cmd.Context(), "TopicLetters", in, &list); err != nil {
				return err
			}
			for _, l := range list {
				if c.json {
					c.writeJSON(c.stdout, l)
					continue
				}
				fmt.Fprintf(c.stdout, "%s  %s  %.80s\n", l.Time.Format(time.RFC3339), l.MessageID, l.Error)
			}
			return nil
		},
	}
	command.Flags().IntVar(&in.Limit, "limit", 100, "how many")
	return command
}

func (c *cli) topicRedrive() *cobra.Command {
	in := api.TopicLettersInput{}
	var all bool
	command := &cobra.Command{
		Use:   "redrive SUBSCRIPTION (--id MESSAGE | --all)",
		Short: "Deliver a subscription's dead letters again",
		Long: `Delivers messages again that the endpoint of a subscription did not take, the
oldest first; each gets all its retries again, and no other subscription gets it.
A letter leaves the list when its message is in the topic again, so that nothing
is lost if this is interrupted.`,
		Example: "  dropstack topic redrive arn:aws:sns:us-east-1:000000000000:news:689cdded-ee2a-840a-8ba2-9cf7c6aa2021 --all",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (in.Message != "") {
				return fmt.Errorf("%w: say --all, or which one with --id; `dropstack topic dead-letters` lists them", errUsage)
			}
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			in.Subscription = args[0]
			var out api.Redriven
			if err := client.Call(cmd.Context(), "TopicRedrive", in, &out); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, out)
				return nil
			}
			fmt.Fprintf(c.stdout, "%d published again\n", out.Count)
			return nil
		},
	}
	command.Flags().StringVar(&in.Message, "id", "", "message id of one dead letter")
	command.Flags().BoolVar(&all, "all", false, "all of them")
	return command
}
