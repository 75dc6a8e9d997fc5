package main

import (
	"fmt"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/secret"
)

func (c *cli) env() *cobra.Command {
	in := secret.GetParametersByPathInput{WithDecryption: true}
	var format string
	command := &cobra.Command{
		Use:   "env PATH [--recursive] [--format exports|dotenv|json] [-- COMMAND...]",
		Short: "Make an environment of the parameters below a path",
		Long: `Prints the parameters below a path as variables, as aws-env does; or, with a command
after --, runs it with them in its environment. /prod/db/PASSWORD below /prod is
db_PASSWORD. Values are quoted so that they arrive unchanged, whatever they hold.`,
		Example: "  eval $(dropstack env /prod/app)\n  dropstack env /prod/app --recursive --format dotenv > .env\n  dropstack env /prod/app -- node server.js",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch at := cmd.ArgsLenAtDash(); {
			case at == 0:
				return fmt.Errorf("%w: a path comes before --, such as /prod/app", errUsage)
			case len(args) > 1 && at != 1:
				return fmt.Errorf("%w: a command comes after --", errUsage)
			}
			in.Path = args[0]
			client, err := c.parameters(cmd)
			if err != nil {
				return err
			}
			var vars []secret.Var
			for {
				var out secret.GetParametersByPathOutput
				if err := client.call(cmd.Context(), "GetParametersByPath", in, &out); err != nil {
					return err
				}
				for _, p := range out.Parameters {
					vars = append(vars, secret.Var{Name: secret.Variable(in.Path, p.Name), Value: p.Value})
				}
				if in.NextToken = out.NextToken; in.NextToken == "" {
					break
				}
			}
			if len(args) == 1 {
				return secret.Render(c.stdout, format, vars)
			}
			return c.runWith(cmd, vars, args[1:])
		},
	}
	command.Flags().BoolVar(&in.Recursive, "recursive", false, "all levels below the path, not only the first")
	command.Flags().StringVar(&format, "format", "exports", "exports, dotenv or json")
	return command
}

// runWith runs a command in our environment and the variables.
func (c *cli) runWith(cmd *cobra.Command, vars []secret.Var, command []string) error {
	run := exec.CommandContext(cmd.Context(), command[0], command[1:]...)
	run.Stdin, run.Stdout, run.Stderr = c.stdin, c.stdout, c.stderr
	run.Env = os.Environ()
	for _, v := range vars {
		run.Env = append(run.Env, v.Name+"="+v.Value)
	}
	if err := run.Run(); err != nil {
		return fmt.Errorf("%s: %w", command[0], err)
	}
	return nil
}
