package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/iam"
)

func (c *cli) iam() *cobra.Command {
	command := &cobra.Command{
		Use:   "iam",
		Short: "Keep users, and ask who may do what",
		Long: `Users have access keys and policies, functions have roles. It is AWS's IAM: ` + "`aws iam`" + `
and every SDK make and change the same users, groups, roles and policies. Here is
what people need every day.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	command.AddCommand(c.iamUsers(), c.iamAddUser(), c.iamRotate(), c.iamRoles(), c.iamSimulate())
	return command
}

func iamCall(ctx context.Context, client *api.Client, operation string, in, out any) error {
	return client.AWS(ctx, "iam", operation, in, out)
}

func (c *cli) iamUsers() *cobra.Command {
	return &cobra.Command{
		Use:     "users",
		Short:   "List users with their access keys and policies",
		Example: "  dropstack iam users",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
			in := iam.ListUsersInput{}
			for {
				var out iam.ListUsersOutput
				if err := iamCall(cmd.Context(), client, "ListUsers", in, &out); err != nil {
					return err
				}
				for _, u := range out.Users {
					var keys iam.ListAccessKeysOutput
					if err := iamCall(cmd.Context(), client, "ListAccessKeys", iam.ListAccessKeysInput{UserName: u.UserName}, &keys); err != nil {
						return err
					}
					var policies iam.ListAttachedUserPoliciesOutput
					if err := iamCall(cmd.Context(), client, "ListAttachedUserPolicies", iam.ListAttachedUserPoliciesInput{UserName: u.UserName}, &policies); err != nil {
						return err
					}
					var ids, names []string
					for _, k := range keys.AccessKeyMetadata {
						ids = append(ids, k.AccessKeyId+" "+strings.ToLower(k.Status))
					}
					for _, p := range policies.AttachedPolicies {
						names = append(names, p.PolicyName)
					}
					if c.json {
						c.writeJSON(c.stdout, map[string]any{"user": u.UserName, "arn": u.Arn, "accessKeys": ids, "policies": names})
						continue
					}
					fmt.Fprintf(table, "%s\t%s\t%s\n", u.UserName, strings.Join(ids, ", "), strings.Join(names, ", "))
				}
				_ = table.Flush() // a closed pipe has nobody to tell
				if in.Marker = out.Marker; !out.IsTruncated {
					return nil
				}
			}
		},
	}
}

func (c *cli) iamAddUser() *cobra.Command {
	var policies []string
	var document string
	command := &cobra.Command{
		Use:   "add-user NAME",
		Short: "Make a user with an access key",
		Long: `Makes a user, gives it policies and an access key, and prints the key as a profile of
an AWS credentials file. The secret is shown this once.`,
		Example: "  dropstack iam add-user ann --policy AdministratorAccess >> ~/.aws/credentials\n  dropstack iam add-user ci --policy-document deploy.json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, name := cmd.Context(), args[0]
			inline := ""
			if document != "" {
				doc, err := os.ReadFile(document)
				if err != nil {
					return err
				}
				inline = string(doc)
			}
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			if err := iamCall(ctx, client, "CreateUser", iam.CreateUserInput{UserName: name}, nil); err != nil {
				return err
			}
			for _, p := range policies {
				if !strings.HasPrefix(p, "arn:") {
					p = "arn:aws:iam::aws:policy/" + p
				}
				if err := iamCall(ctx, client, "AttachUserPolicy", iam.AttachUserPolicyInput{UserName: name, PolicyArn: p}, nil); err != nil {
					return fmt.Errorf("user %s is made, without policy %s and without a key: %w", name, p, err)
				}
			}
			if inline != "" {
				if err := iamCall(ctx, client, "PutUserPolicy", iam.PutUserPolicyInput{UserName: name, PolicyName: "inline", PolicyDocument: inline}, nil); err != nil {
					return fmt.Errorf("user %s is made, without its policy and without a key: %w", name, err)
				}
			}
			return c.newKey(ctx, client, name)
		},
	}
	command.Flags().StringArrayVar(&policies, "policy", nil, "policy to attach: an ARN, or the name of one of AWS's")
	command.Flags().StringVar(&document, "policy-document", "", "file with a policy of its own")
	return command
}

// newKey makes an access key and prints it.
func (c *cli) newKey(ctx context.Context, client *api.Client, user string) error {
	var out iam.CreateAccessKeyOutput
	if err := iamCall(ctx, client, "CreateAccessKey", iam.CreateAccessKeyInput{UserName: user}, &out); err != nil {
		return err
	}
	k := out.AccessKey
	if c.json {
		c.writeJSON(c.stdout, k)
		return nil
	}
	fmt.Fprintf(c.stdout, "[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n", user, k.AccessKeyId, k.SecretAccessKey)
	return nil
}

func (c *cli) iamRotate() *cobra.Command {
	return &cobra.Command{
		Use:   "rotate-key USER",
		Short: "Give a user a new access key and switch the old one off",
		Long: `Makes a second access key for a user, prints it, and switches the old one off. An old
key that was switched off before is deleted for it: a user has two at most.`,
		Example: "  dropstack iam rotate-key ci >> ~/.aws/credentials",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, user := cmd.Context(), args[0]
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			var have iam.ListAccessKeysOutput
			if err := iamCall(ctx, client, "ListAccessKeys", iam.ListAccessKeysInput{UserName: user}, &have); err != nil {
				return err
			}
			var active []string
			for _, k := range have.AccessKeyMetadata {
				if k.Status == "Active" {
					active = append(active, k.AccessKeyId)
					continue
				}
				if err := iamCall(ctx, client, "DeleteAccessKey", iam.DeleteAccessKeyInput{UserName: user, AccessKeyId: k.AccessKeyId}, nil); err != nil {
					return err
				}
			}
			if len(active) > 1 {
				return fmt.Errorf("both access keys of %s are active; switch one off or delete it first: %s", user, strings.Join(active, ", "))
			}
			if err := c.newKey(ctx, client, user); err != nil {
				return err
			}
			for _, id := range active {
				if err := iamCall(ctx, client, "UpdateAccessKey", iam.UpdateAccessKeyInput{UserName: user, AccessKeyId: id, Status: "Inactive"}, nil); err != nil {
					return fmt.Errorf("the new key is made, but %s is still active: %w", id, err)
				}
			}
			return nil
		},
	}
}

func (c *cli) iamRoles() *cobra.Command {
	return &cobra.Command{
		Use:     "roles",
		Short:   "List roles, those of functions too",
		Example: "  dropstack iam roles",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
			in := iam.ListRolesInput{}
			for {
				var out iam.ListRolesOutput
				if err := iamCall(cmd.Context(), client, "ListRoles", in, &out); err != nil {
					return err
				}
				for _, r := range out.Roles {
					if c.json {
						c.writeJSON(c.stdout, r)
						continue
					}
					fmt.Fprintf(table, "%s\t%s\t%s\n", r.RoleName, r.Arn, r.Description)
				}
				_ = table.Flush() // a closed pipe has nobody to tell
				if in.Marker = out.Marker; !out.IsTruncated {
					return nil
				}
			}
		},
	}
}

func (c *cli) iamSimulate() *cobra.Command {
	in := iam.SimulatePrincipalPolicyInput{}
	var conditions []string
	command := &cobra.Command{
		Use:   "simulate --principal ARN --action ACTION [--resource ARN]",
		Short: "Explain whether a user or a role may do something",
		Long: `Asks the policies of a user, a group or a role whether they allow actions on resources,
and says which statement decides. The exit code is 1 if something is not allowed.`,
		Example: "  dropstack iam simulate --principal arn:aws:iam::000000000000:role/drops-dev-us-east-1-lambdaRole \\\n    --action s3:GetObject --resource 'arn:aws:s3:::drops-dev/*'\n  dropstack iam simulate --principal arn:aws:iam::000000000000:user/ann --action kms:Decrypt --context aws:SourceIp=10.0.0.1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, pair := range conditions {
				name, value, ok := strings.Cut(pair, "=")
				if !ok {
					return fmt.Errorf("%w: --context %q: a key and its value, such as aws:SourceIp=10.0.0.1", errUsage, pair)
				}
				in.ContextEntries = append(in.ContextEntries, iam.ContextEntry{ContextKeyName: name, ContextKeyType: "string", ContextKeyValues: strings.Split(value, ",")})
			}
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			denied := false
			for {
				var out iam.SimulatePrincipalPolicyOutput
				if err := iamCall(cmd.Context(), client, "SimulatePrincipalPolicy", in, &out); err != nil {
					return err
				}
				for _, r := range out.EvaluationResults {
					denied = denied || r.EvalDecision != "allowed"
					c.explain(r)
				}
				if in.Marker = out.Marker; !out.IsTruncated {
					break
				}
			}
			if denied {
				return &silent{fmt.Errorf("not everything is allowed")}
			}
			return nil
		},
	}
	f := command.Flags()
	f.StringVar(&in.PolicySourceArn, "principal", "", "ARN of a user, a group or a role")
	f.StringArrayVar(&in.ActionNames, "action", nil, "action, such as s3:GetObject; may be given several times")
	f.StringArrayVar(&in.ResourceArns, "resource", nil, "ARN of what it is to be done with (default *)")
	f.StringArrayVar(&conditions, "context", nil, "condition key and its value or values: KEY=VALUE,VALUE")
	_ = command.MarkFlagRequired("principal")
	_ = command.MarkFlagRequired("action")
	return command
}

// explain prints one decision and what it hangs on.
func (c *cli) explain(r iam.EvaluationResult) {
	if c.json {
		c.writeJSON(c.stdout, r)
		return
	}
	words := map[string]string{"allowed": "allowed", "explicitDeny": "denied", "implicitDeny": "not allowed: no statement allows it"}
	fmt.Fprintf(c.stdout, "%s on %s: %s\n", r.EvalActionName, r.EvalResourceName, words[r.EvalDecision])
	for _, s := range r.MatchedStatements {
		fmt.Fprintf(c.stdout, "  by the statement at line %d of the %s policy %s\n", s.StartPosition.Line, s.SourcePolicyType, s.SourcePolicyId)
	}
	if len(r.MissingContextValues) > 0 {
		fmt.Fprintf(c.stdout, "  conditions ask for more; give them with --context: %s\n", strings.Join(r.MissingContextValues, ", "))
	}
}
