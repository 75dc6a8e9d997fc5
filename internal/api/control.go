package api

import (
	"context"
	"encoding/base64"
	"sort"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
)

func decodeBase64(s string) ([]byte, error) { return base64.StdEncoding.DecodeString(s) }

// Control is the control plane's rooms.
type Control struct {
	Deployer  *deploy.Deployer
	Endpoints Endpoints
}

// Endpoints are the platform's own URLs.
type Endpoints struct {
	HTTP    string `json:"http"`
	AWS     string `json:"aws"`
	Console string `json:"console"`
}

// StackInput names a stack.
type StackInput struct {
	Stack string `json:"stack"`
}

// Info is a deployed stack and where it answers.
type Info struct {
	Revision  *deploy.Revision `json:"revision"`
	Endpoints Endpoints        `json:"endpoints"`
}

// StackSummary is one line of a list of stacks.
type StackSummary struct {
	Stack    string `json:"stack"`
	Revision string `json:"revision"`
	Created  string `json:"created"`
	Contents string `json:"contents"`
}

// Actions is the table of the service "dropstack".
func (c *Control) Actions() Actions {
	return Actions{
		"Deploy": Action(c.deploy),
		"Info":   Action(c.info),
		"List":   Action(c.list),
		"Remove": Action(c.remove),
	}
}

func (c *Control) deploy(ctx context.Context, r deploy.Revision) (Info, error) {
	// a client that leaves must not cut a deployment in two
	rev, err := c.Deployer.Deploy(context.WithoutCancel(ctx), &r)
	return Info{rev, c.Endpoints}, err
}

func (c *Control) info(_ context.Context, in StackInput) (Info, error) {
	rev, ok := c.Deployer.Active(in.Stack)
	if !ok {
		return Info{}, fault.Errorf(fault.NotFound, "stack %q is not deployed; `dropstack info` lists what is", in.Stack)
	}
	return Info{rev, c.Endpoints}, nil
}

func (c *Control) list(context.Context, struct{}) ([]StackSummary, error) {
	list := []StackSummary{}
	for stack, r := range c.Deployer.List() {
		list = append(list, StackSummary{stack, r.ID, r.Created.Format("2006-01-02 15:04:05Z"), r.Describe()})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Stack < list[j].Stack })
	return list, nil
}

func (c *Control) remove(ctx context.Context, in StackInput) (struct{}, error) {
	return struct{}{}, c.Deployer.Remove(context.WithoutCancel(ctx), in.Stack)
}
