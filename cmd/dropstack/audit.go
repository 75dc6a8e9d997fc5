package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/audit"
	"github.com/spf13/cobra"
)

func (c *cli) audit() *cobra.Command {
	command := &cobra.Command{
		Use:   "audit",
		Short: "Read and check the record of every call",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	command.AddCommand(c.auditList(), c.auditVerify())
	return command
}

func (c *cli) auditList() *cobra.Command {
	var in audit.ListInput
	var since, until string
	command := &cobra.Command{
		Use:   "list",
		Short: "List who called what, the newest first",
		Long: `Lists the calls of the AWS endpoint and of the control plane, with who made them
and what came of them: every change, every read of a secret and every denial.

A time is one such as 2006-01-02T15:04:05Z or 2006-01-02, or how long ago: 90m.`,
		Example: "  dropstack audit list --parameter /prod/db/password\n  dropstack audit list --principal alice --since 24h\n  dropstack audit list --action ssm:GetParameter --errors\n  dropstack audit list --json | jq .sourceIPAddress",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if in.Since, err = moment("--since", since); err != nil {
				return err
			}
			if in.Until, err = moment("--until", until); err != nil {
				return err
			}
			if in.Limit < 1 {
				return fmt.Errorf("%w: --limit %d: at least 1", errUsage, in.Limit)
			}
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			return c.printRecords(cmd, client, in)
		},
	}
	f := command.Flags()
	f.StringVar(&in.Parameter, "parameter", "", "only about this parameter")
	f.StringVar(&in.Resource, "resource", "", "only about this resource: an ARN, or the name that a call gave")
	f.StringVar(&in.Principal, "principal", "", "only of this user, role or access key: name, ARN or id")
	f.StringVar(&in.Action, "action", "", "only of this action, such as GetParameter or ssm:GetParameter")
	f.BoolVar(&in.Errors, "errors", false, "only calls that failed or were denied")
	f.StringVar(&since, "since", "", "only from this time on")
	f.StringVar(&until, "until", "", "only up to this time")
	f.IntVar(&in.Limit, "limit", 100, "the newest so many")
	return command
}

// moment reads a point in time, "" for none.
func moment(flag, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	text, unit := s, time.Duration(1)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		text, unit = days+"h", 24
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return time.Now().Add(-ago * unit), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%w: %s %q: a time such as 2006-01-02T15:04:05Z or 2006-01-02, or how long ago, such as 90m or 2d", errUsage, flag, s)
}

// printRecords prints pages as they come, up to the limit.
func (c *cli) printRecords(cmd *cobra.Command, client *api.Client, in audit.ListInput) error {
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	for left := in.Limit; left > 0; {
		in.Limit = min(left, 1000)
		var out audit.ListOutput
		if err := client.Call(cmd.Context(), "ListAuditRecords", in, &out); err != nil {
			return err
		}
		for _, doc := range out.Events {
			if c.json {
				fmt.Fprintf(c.stdout, "%s\n", doc)
				continue
			}
			var e audit.Event
			if err := json.Unmarshal(doc, &e); err != nil {
				return fmt.Errorf("a record that this version does not understand: %w", err)
			}
			service, _, _ := strings.Cut(e.EventSource, ".")
			result := "done"
			if e.ErrorCode != "" {
				result = e.ErrorCode
			}
			fmt.Fprintf(table, "%s\t%s\t%s:%s\t%s\t%.60s\t%s\n",
				e.EventTime.Local().Format(time.DateTime), who(e.UserIdentity), service, e.EventName, result, about(e), e.SourceIPAddress)
		}
		_ = table.Flush() // a closed pipe has nobody to tell
		left -= len(out.Events)
		if in.Token = out.Token; in.Token == "" {
			return nil
		}
	}
	return nil
}

// who is a caller in few letters.
func who(u audit.UserIdentity) string {
	return cmp.Or(u.Name(), u.InvokedBy, strings.ToLower(u.Type), "unknown")
}

// about is what a call was about: the name it gave, else its first resource.
func about(e audit.Event) string {
	for _, member := range []string{"name", "names", "path", "keyId", "topicArn", "functionName", "function", "stack", "bucketName"} {
		if v, ok := e.RequestParameters[member]; ok {
			return fmt.Sprint(v)
		}
	}
	if len(e.Resources) > 0 {
		return e.Resources[0].ARN
	}
	return "-"
}

func (c *cli) auditVerify() *cobra.Command {
	var keys []string
	var heads string
	command := &cobra.Command{
		Use:   "verify",
		Short: "Check that no audit record was changed",
		Long: `Reads the audit log of the data directory and reports every byte, line and file
that is not as it was written, with its place. A platform may be running on it.

By itself a log proves little against somebody who has this machine and its root
key. Give it what was kept elsewhere: the public key (DIR/audit/keys/*.pem) with
--key, and published heads (dropstack up --audit-heads) with --heads.`,
		Example: "  dropstack audit verify\n  dropstack audit verify --data /srv/dropstack --key kept/key.pem --heads kept/heads",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			var e audit.Evidence
			for _, path := range keys {
				key, err := audit.ReadPublicKey(path)
				if err != nil {
					return fmt.Errorf("--key: %w", err)
				}
				e.Keys = append(e.Keys, key)
			}
			if heads != "" {
				var err error
				if e.Heads, err = audit.ReadHeads(heads); err != nil {
					return fmt.Errorf("--heads: %w", err)
				}
				if len(e.Heads) == 0 {
					return fmt.Errorf("%w: --heads %s: there are no published heads (*.json) in it", errUsage, heads)
				}
			}
			report, err := audit.Verify(audit.Path(c.data), e)
			if err != nil {
				return err
			}
			return c.printReport(report, len(keys) > 0)
		},
	}
	command.Flags().StringArrayVar(&keys, "key", nil, "public key to believe, a PEM file; repeat it for several (default: those beside the log)")
	command.Flags().StringVar(&heads, "heads", "", "directory of published heads to hold against the log")
	return command
}

func (c *cli) printReport(r audit.Report, kept bool) error {
	if c.json {
		c.writeJSON(c.stdout, r)
	} else {
		for _, f := range r.Faults {
			fmt.Fprintln(c.stdout, f)
		}
		for _, note := range r.Notes {
			fmt.Fprintf(c.stdout, "note: %s\n", note)
		}
		fmt.Fprintf(c.stdout, "%d records (%d to %d) in %d files, %d digests, %d published heads\n", r.Records, r.First, r.Last, r.Files, r.Digests, r.Heads)
		if r.OK() {
			fmt.Fprintf(c.stdout, "nothing was changed; signed with %s%s\n", strings.Join(r.Keys, ", "), map[bool]string{false: ", the key that lies beside the log"}[kept])
		}
	}
	if r.OK() {
		return nil
	}
	err := fmt.Errorf("the audit log was changed: %d faults", len(r.Faults))
	if c.json {
		return &silent{err}
	}
	return err
}
