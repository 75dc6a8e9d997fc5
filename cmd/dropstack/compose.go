package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/spec"
)

// composed is a compose file whose services are being deployed.
type composed struct {
	*cli
	*deploy.Compose
	client *api.Client
	o      spec.Options
}

// deployComposed deploys the services of a compose file, or one of them.
func (c *cli) deployComposed(ctx context.Context, client *api.Client, file, only string, plan bool, o spec.Options, how deployment) error {
	all, err := c.compose(client, file, o)
	if err != nil {
		return err
	}
	list := all.Services
	if only != "" {
		s, err := all.Find(only)
		if err != nil {
			return err
		}
		list = []deploy.Composed{s}
	}
	c.warn(all.Warnings)
	for _, s := range list {
		if !c.json {
			fmt.Fprintf(c.stderr, "%s (%s)\n", s.Name, s.Path)
		}
		o, err := all.options(ctx, s)
		if err == nil && plan {
			err = c.showPlan(ctx, client, s.Path, o, how)
		} else if err == nil {
			_, err = c.deployDirectory(ctx, client, s.Path, o, how)
		}
		if err != nil {
			return fmt.Errorf("service %s: %w", s.Name, err)
		}
	}
	return nil
}

func (c *cli) compose(client *api.Client, file string, o spec.Options) (*composed, error) {
	all, err := deploy.LoadCompose(file)
	return &composed{c, all, client, o}, err
}

// options are those that a service is read with: its parameters are made of what
// the services before it show.
func (c *composed) options(ctx context.Context, s deploy.Composed) (spec.Options, error) {
	stage := c.stage
	if stage == "" {
		stage = "dev"
	}
	o := c.o
	params, err := s.Params(stage, o.Env, func(service, key string) (string, error) { return c.output(ctx, service, key) })
	if err != nil {
		return o, err
	}
	o.Opts = maps.Clone(o.Opts)
	for name, value := range params {
		if _, given := o.Opts["param:"+name]; !given {
			o.Opts["param:"+name] = value
		}
	}
	return o, nil
}

// output is what a service of the file shows, as it is deployed.
func (c *composed) output(ctx context.Context, service, key string) (string, error) {
	s, err := c.Find(service)
	if err != nil {
		return "", err
	}
	stack, err := c.stackOf(ctx, s)
	if err != nil {
		return "", err
	}
	var info api.Info
	if err := c.client.Call(ctx, "Info", api.StackInput{Stack: stack}, &info); err != nil {
		return "", err
	}
	for _, o := range info.Revision.Outputs {
		if o.Key == key {
			return o.Value, nil
		}
	}
	return "", fault.Errorf(fault.Invalid, "service %s (stack %s) has no output %s; add it below resources.Outputs", service, stack, key)
}

// stackOf is the stack of a service.
func (c *composed) stackOf(ctx context.Context, s deploy.Composed) (string, error) {
	o, err := c.options(ctx, s)
	if err != nil {
		return "", err
	}
	svc, err := spec.Load(ctx, s.Path, o)
	if err != nil {
		return "", fmt.Errorf("service %s: %w", s.Name, err)
	}
	return svc.Stack(), nil
}

// removeComposed removes the services of a compose file. Those that are not deployed
// are passed over.
func (c *cli) removeComposed(ctx context.Context, client *api.Client, file string, o spec.Options) error {
	all, err := c.compose(client, file, o)
	if err != nil {
		return err
	}
	for _, s := range slices.Backward(all.Services) {
		stack, err := all.stackOf(ctx, s)
		if err == nil {
			err = c.removeStack(ctx, client, stack)
		}
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return fmt.Errorf("service %s: %w", s.Name, err)
		}
	}
	return nil
}
