package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/spec"
)

func (c *cli) print() *cobra.Command {
	var p spec.Printing
	command := &cobra.Command{
		Use:   "print [DIRECTORY]",
		Short: "Show a service with its variables resolved",
		Long: `Shows the service description as it is once every variable has its value: with what
the command line, the environment, files, parameters, objects and stacks give.

Values of secrets are shown too.`,
		Example: "  dropstack print --stage prod\n  dropstack print --path provider.environment --format json\n  dropstack print --path functions --transform keys --format text",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			if c.json && p.Format == "" {
				p.Format = "json"
			}
			out, warnings, err := spec.Print(cmd.Context(), dir, c.specOptions(cmd), p)
			if err != nil {
				return err
			}
			c.warn(warnings)
			_, err = fmt.Fprintf(c.stdout, "%s", out)
			return err
		},
	}
	f := command.Flags()
	f.StringVar(&p.Path, "path", "", "what to show, such as provider.stage")
	f.StringVar(&p.Format, "format", "", "yaml, json or text (default yaml)")
	f.StringVar(&p.Transform, "transform", "", "keys: only the keys")
	return command
}

func (c *cli) warn(warnings []spec.Problem) {
	for _, w := range warnings {
		if c.json {
			c.writeJSON(c.stderr, map[string]any{"event": "warning", "pos": w.Pos, "message": w.Message})
			continue
		}
		fmt.Fprintf(c.stderr, "warning: %s\n", w)
	}
}
