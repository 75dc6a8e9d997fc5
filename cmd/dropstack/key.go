package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/secret/kms"
)

func (c *cli) key() *cobra.Command {
	command := &cobra.Command{
		Use:   "key",
		Short: "Keep the keys that secrets are encrypted under",
		Long: `Keys encrypt parameters, environments and whatever else asks. They never leave the
platform. It is AWS's KMS: ` + "`aws kms`" + ` and every SDK use the same keys. All of them
are sealed under the root key, which ` + "`dropstack key rotate-root`" + ` changes.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	command.AddCommand(c.keyList(), c.keyCreate(), c.keyRotate(), c.keyRotateRoot(), c.keyDelete())
	return command
}

func keyCall(ctx context.Context, client *api.Client, operation string, in, out any) error {
	return client.AWS(ctx, "kms", "TrentService."+operation, in, out)
}

// keyID is the id of a key that is named by id, ARN or alias.
func keyID(ctx context.Context, client *api.Client, name string) (string, error) {
	var about kms.DescribeKeyOutput
	err := keyCall(ctx, client, "DescribeKey", kms.DescribeKeyInput{KeyId: name}, &about)
	return about.KeyMetadata.KeyId, err
}

func (c *cli) keyList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List keys with their aliases and states",
		Example: "  dropstack key list",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			names := map[string]string{}
			aliases := kms.ListAliasesInput{}
			for {
				var out kms.ListAliasesOutput
				if err := keyCall(cmd.Context(), client, "ListAliases", aliases, &out); err != nil {
					return err
				}
				for _, a := range out.Aliases {
					names[a.TargetKeyId] += " " + a.AliasName
				}
				if aliases.Marker = out.NextMarker; !out.Truncated {
					break
				}
			}
			table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
			keys := kms.ListKeysInput{}
			for {
				var out kms.ListKeysOutput
				if err := keyCall(cmd.Context(), client, "ListKeys", keys, &out); err != nil {
					return err
				}
				for _, k := range out.Keys {
					var about kms.DescribeKeyOutput
					if err := keyCall(cmd.Context(), client, "DescribeKey", kms.DescribeKeyInput{KeyId: k.KeyId}, &about); err != nil {
						return err
					}
					m := about.KeyMetadata
					if c.json {
						c.writeJSON(c.stdout, m)
						continue
					}
					fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", m.KeyId, m.KeyState, names[m.KeyId], m.Description)
				}
				_ = table.Flush() // a closed pipe has nobody to tell
				if keys.Marker = out.NextMarker; !out.Truncated {
					return nil
				}
			}
		},
	}
}

func (c *cli) keyCreate() *cobra.Command {
	var alias, description string
	command := &cobra.Command{
		Use:     "create",
		Short:   "Make a key",
		Example: "  dropstack key create --alias alias/payments --description 'card tokens'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			var out kms.CreateKeyOutput
			if err := keyCall(cmd.Context(), client, "CreateKey", kms.CreateKeyInput{Description: description}, &out); err != nil {
				return err
			}
			id := out.KeyMetadata.KeyId
			if alias != "" {
				if err := keyCall(cmd.Context(), client, "CreateAlias", kms.AliasInput{AliasName: alias, TargetKeyId: id}, nil); err != nil {
					return fmt.Errorf("key %s is made, but has no alias: %w", id, err)
				}
			}
			if c.json {
				c.writeJSON(c.stdout, out.KeyMetadata)
				return nil
			}
			fmt.Fprintln(c.stdout, id)
			return nil
		},
	}
	command.Flags().StringVar(&alias, "alias", "", "name that it can be used by, such as alias/payments")
	command.Flags().StringVar(&description, "description", "", "what it is for")
	return command
}

func (c *cli) keyRotate() *cobra.Command {
	return &cobra.Command{
		Use:   "rotate KEY",
		Short: "Give a key a new version, which encrypts from now on",
		Long: `Makes a new version of a key. What was encrypted under earlier versions stays as it
is and is still decrypted.`,
		Example: "  dropstack key rotate alias/payments",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			id, err := keyID(cmd.Context(), client, args[0])
			if err != nil {
				return err
			}
			return keyCall(cmd.Context(), client, "RotateKeyOnDemand", kms.KeyInput{KeyId: id}, nil)
		},
	}
}

func (c *cli) keyDelete() *cobra.Command {
	days := 30
	command := &cobra.Command{
		Use:   "delete KEY",
		Short: "Destroy a key when a waiting time is over",
		Long: `Has a key destroyed after 7 to 30 days. Until then it cannot be used, and
` + "`aws kms cancel-key-deletion`" + ` brings it back. What is encrypted under it is lost with
it.`,
		Example: "  dropstack key delete alias/payments --days 7",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			id, err := keyID(cmd.Context(), client, args[0])
			if err != nil {
				return err
			}
			var out kms.ScheduleKeyDeletionOutput
			if err := keyCall(cmd.Context(), client, "ScheduleKeyDeletion", kms.ScheduleKeyDeletionInput{KeyId: id, PendingWindowInDays: &days}, &out); err != nil {
				return err
			}
			fmt.Fprintf(c.stdout, "%s is destroyed at %s\n", args[0], out.DeletionDate)
			return nil
		},
	}
	command.Flags().IntVar(&days, "days", days, "how long to wait, 7-30")
	return command
}

func (c *cli) keyRotateRoot() *cobra.Command {
	return &cobra.Command{
		Use:   "rotate-root",
		Short: "Change the root key",
		Long: `Makes a new root key and seals everything under it that was sealed under the old
one. It can be cut short at any point: the next start goes on. Backups made before
need the old key; keep it as long as them.

A root key that comes from the environment or from systemd is changed where it is
kept: set the new one, give the old one as the previous, and start the platform.`,
		Example: "  dropstack key rotate-root",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			var out api.RootRotation
			if err := client.Call(cmd.Context(), "RotateRootKey", struct{}{}, &out); err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, out)
				return nil
			}
			fmt.Fprintf(c.stdout, "the root key is %s now; %d secrets are sealed under it anew\n", out.ID, out.Rewrapped)
			return nil
		},
	}
}
