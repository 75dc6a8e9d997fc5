package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/spec"
)

// showPlan prints what deploying the service in dir, or a package, would change.
func (c *cli) showPlan(ctx context.Context, client *api.Client, dir string, o spec.Options, how deployment) error {
	out, err := os.MkdirTemp("", "dropstack-package-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(out) }()
	pkg, err := c.ready(ctx, dir, o, how, out)
	if err != nil {
		return err
	}
	var diff deploy.Diff
	if err := client.Call(ctx, "DescribeChanges", api.DeployInput{Revision: *pkg.Revision}, &diff); err != nil {
		return err
	}
	if c.json {
		c.writeJSON(c.stdout, diff)
		return nil
	}
	printDiff(c.stdout, diff)
	return nil
}

// signs stand for the actions of a plan.
var signs = map[string]string{deploy.ActionCreate: "+", deploy.ActionChange: "~", deploy.ActionRemove: "-"}

func printDiff(w io.Writer, d deploy.Diff) {
	if d.Empty() {
		fmt.Fprintf(w, "%s: nothing would change\n", d.Stack)
		return
	}
	since := "which is not deployed yet"
	if d.From != "" {
		since = "against revision " + d.From
	}
	fmt.Fprintf(w, "%s, %s:\n", d.Stack, since)
	count := map[string]int{}
	for _, c := range d.Changes {
		count[c.Action]++
		fmt.Fprintf(w, "  %s %s %s\n", signs[c.Action], c.Kind, c.Name)
		for _, f := range c.Fields {
			fmt.Fprintf(w, "      %s: %s\n", f.Name, turned(f))
		}
	}
	fmt.Fprintf(w, "%d to create, %d to change, %d to remove\n", count[deploy.ActionCreate], count[deploy.ActionChange], count[deploy.ActionRemove])
	for _, name := range d.Restarts {
		fmt.Fprintf(w, "instances of %s start anew\n", name)
	}
	for _, m := range d.Shifts {
		fmt.Fprintf(w, "callers of %s:%s are moved by %s\n", m.Function, m.Alias, m.Type)
	}
}

// turned is what becomes of a field.
func turned(f deploy.Field) string {
	switch {
	case f.From == "" && f.To == "(changed)" || f.From == f.To:
		return "changed"
	case f.From == "":
		return "set to " + f.To
	case f.To == "":
		return "no longer " + f.From
	}
	return f.From + " -> " + f.To
}
