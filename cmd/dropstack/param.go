package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/secret"
)

// parameters calls Parameter Store.
type parameters struct{ *api.Client }

func (p parameters) call(ctx context.Context, operation string, in, out any) error {
	return p.AWS(ctx, "ssm", "AmazonSSM."+operation, in, out)
}

func (c *cli) parameters(cmd *cobra.Command) (parameters, error) {
	client, err := c.client(cmd)
	return parameters{client}, err
}

func (c *cli) param() *cobra.Command {
	command := &cobra.Command{
		Use:   "param",
		Short: "Keep configuration and secrets as parameters",
		Long: `Parameters are values by name, such as /prod/db/PASSWORD, with their history. A
SecureString is encrypted under a key. It is AWS's Parameter Store: ` + "`aws ssm`" + ` and
every SDK read and write the same parameters.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	command.AddCommand(c.paramPut(), c.paramGet(), c.paramList(), c.paramHistory(), c.paramRollback(), c.paramDelete())
	return command
}

func (c *cli) paramPut() *cobra.Command {
	in := secret.PutParameterInput{}
	var file string
	command := &cobra.Command{
		Use:   "put NAME [VALUE]",
		Short: "Set a parameter",
		Long: `Sets a parameter. Without VALUE it is read from standard input, or from a file; then
it is in no history of a shell. One new line at its end is not part of it.`,
		Example: "  dropstack param put /prod/db/HOST db.internal --type String\n  pass show db | dropstack param put /prod/db/PASSWORD\n  dropstack param put /prod/tls/KEY --value-file key.pem --overwrite",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Name = args[0]
			switch {
			case len(args) == 2 && file != "":
				return fmt.Errorf("%w: a value and --value-file at once", errUsage)
			case len(args) == 2:
				in.Value = args[1]
			default:
				value, err := c.readValue(file)
				if err != nil {
					return err
				}
				in.Value = value
			}
			client, err := c.parameters(cmd)
			if err != nil {
				return err
			}
			var out secret.PutParameterOutput
			if err := client.call(cmd.Context(), "PutParameter", in, &out); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, out)
				return nil
			}
			fmt.Fprintf(c.stdout, "%s is at version %d\n", in.Name, out.Version)
			return nil
		},
	}
	f := command.Flags()
	f.StringVar(&in.Type, "type", "SecureString", "String, StringList or SecureString")
	f.StringVar(&in.KeyId, "key-id", "", "key of a SecureString (default alias/aws/ssm)")
	f.BoolVar(&in.Overwrite, "overwrite", false, "make a new version if the parameter is there")
	f.StringVar(&in.Description, "description", "", "what it is")
	f.StringVar(&in.AllowedPattern, "allowed-pattern", "", "regular expression that every value matches")
	f.StringVar(&file, "value-file", "", "file that holds the value")
	return command
}

// readValue reads a value from a file, or from standard input.
func (c *cli) readValue(file string) (string, error) {
	doc, err := []byte(nil), error(nil)
	if file == "" {
		doc, err = io.ReadAll(c.stdin)
	} else {
		doc, err = os.ReadFile(file)
	}
	if err != nil {
		return "", err
	}
	value := strings.TrimSuffix(string(doc), "\n")
	if value == "" {
		return "", errors.New("the value is empty; give one, or pipe it in")
	}
	return value, nil
}

func (c *cli) paramGet() *cobra.Command {
	return &cobra.Command{
		Use:     "get NAME[:VERSION|:LABEL]",
		Short:   "Print a parameter's value",
		Example: "  dropstack param get /prod/db/PASSWORD\n  dropstack param get /prod/db/PASSWORD:3",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.parameters(cmd)
			if err != nil {
				return err
			}
			var out secret.GetParameterOutput
			if err := client.call(cmd.Context(), "GetParameter", secret.GetParameterInput{Name: args[0], WithDecryption: true}, &out); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, out.Parameter)
				return nil
			}
			fmt.Fprintln(c.stdout, out.Parameter.Value)
			return nil
		},
	}
}

func (c *cli) paramList() *cobra.Command {
	return &cobra.Command{
		Use:     "list [PATH]",
		Short:   "List parameters, without their values",
		Example: "  dropstack param list\n  dropstack param list /prod",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.parameters(cmd)
			if err != nil {
				return err
			}
			in := secret.DescribeParametersInput{MaxResults: new(int)}
			*in.MaxResults = 50
			if len(args) > 0 {
				in.ParameterFilters = []secret.ParameterFilter{{Key: "Path", Option: "Recursive", Values: args}}
			}
			table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
			for {
				var out secret.DescribeParametersOutput
				if err := client.call(cmd.Context(), "DescribeParameters", in, &out); err != nil {
					return err
				}
				for _, p := range out.Parameters {
					if c.json {
						c.writeJSON(c.stdout, p)
						continue
					}
					fmt.Fprintf(table, "%s\t%s\tversion %d\t%s\t%s\n", p.Name, p.Type, p.Version, p.LastModifiedDate.Local().Format(time.DateTime), p.LastModifiedUser)
				}
				_ = table.Flush() // a closed pipe has nobody to tell
				if in.NextToken = out.NextToken; in.NextToken == "" {
					return nil
				}
			}
		},
	}
}

// versions returns all versions of a parameter, the newest first.
func (p parameters) versions(ctx context.Context, name string, clear bool) ([]secret.ParameterHistory, error) {
	in := secret.GetParameterHistoryInput{Name: name, WithDecryption: clear}
	var all []secret.ParameterHistory
	for {
		var out secret.GetParameterHistoryOutput
		if err := p.call(ctx, "GetParameterHistory", in, &out); err != nil {
			return nil, err
		}
		for _, v := range out.Parameters {
			all = append([]secret.ParameterHistory{v}, all...)
		}
		if in.NextToken = out.NextToken; in.NextToken == "" {
			return all, nil
		}
	}
}

func (c *cli) paramHistory() *cobra.Command {
	return &cobra.Command{
		Use:     "history NAME",
		Short:   "List a parameter's versions, without their values",
		Example: "  dropstack param history /prod/db/PASSWORD",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.parameters(cmd)
			if err != nil {
				return err
			}
			all, err := client.versions(cmd.Context(), args[0], false)
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
			for _, v := range all {
				v.Value = "" // of a SecureString its ciphertext
				if c.json {
					c.writeJSON(c.stdout, v)
					continue
				}
				fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\n", v.Version, v.Type, v.LastModifiedDate.Local().Format(time.DateTime), v.LastModifiedUser, strings.Join(v.Labels, " "))
			}
			_ = table.Flush() // a closed pipe has nobody to tell
			return nil
		},
	}
}

func (c *cli) paramRollback() *cobra.Command {
	var to int64
	command := &cobra.Command{
		Use:   "rollback NAME",
		Short: "Give a parameter the value of an earlier version",
		Long: `Makes a new version of a parameter with the value of an earlier one: the one before
the newest, or the one that --to names. The history stays whole.`,
		Example: "  dropstack param rollback /prod/db/PASSWORD\n  dropstack param rollback /prod/db/PASSWORD --to 3",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.parameters(cmd)
			if err != nil {
				return err
			}
			all, err := client.versions(cmd.Context(), args[0], true)
			if err != nil {
				return err
			}
			if to == 0 && len(all) > 1 {
				to = all[1].Version
			}
			for _, v := range all {
				if v.Version != to {
					continue
				}
				var out secret.PutParameterOutput
				in := secret.PutParameterInput{Name: args[0], Value: v.Value, Type: v.Type, KeyId: v.KeyId, Overwrite: true}
				if err := client.call(cmd.Context(), "PutParameter", in, &out); err != nil {
					return err
				}
				fmt.Fprintf(c.stdout, "%s has the value of version %d again, as version %d\n", args[0], to, out.Version)
				return nil
			}
			return fmt.Errorf("%s has no version to go back to; `dropstack param history %s` lists them", args[0], args[0])
		},
	}
	command.Flags().Int64Var(&to, "to", 0, "version (default: the one before the newest)")
	return command
}

func (c *cli) paramDelete() *cobra.Command {
	return &cobra.Command{
		Use:     "delete NAME...",
		Short:   "Remove parameters with their history",
		Example: "  dropstack param delete /prod/db/HOST /prod/db/PASSWORD",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.parameters(cmd)
			if err != nil {
				return err
			}
			for _, name := range args {
				if err := client.call(cmd.Context(), "DeleteParameter", secret.DeleteParameterInput{Name: name}, nil); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
			return nil
		},
	}
}
