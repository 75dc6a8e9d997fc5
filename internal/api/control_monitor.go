package api

import (
	"context"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/monitor"
	"github.com/dropstack/dropstack/internal/monitor/comparison"
)

// Monitors is what the control plane needs of monitors.
type Monitors interface {
	List(ctx context.Context, in monitor.ListInput) (monitor.ListOutput, error)
	Describe(ctx context.Context, in monitor.NameInput) (monitor.Status, error)
	Put(ctx context.Context, in monitor.Monitor) (monitor.Status, error)
	Delete(ctx context.Context, in monitor.NameInput) (struct{}, error)
	Pause(ctx context.Context, in monitor.PauseInput) (monitor.Status, error)
	Test(ctx context.Context, in monitor.TestInput) (monitor.TestOutput, error)
	Incidents(ctx context.Context, in monitor.IncidentsInput) (monitor.IncidentsOutput, error)
	Acknowledge(ctx context.Context, in monitor.AcknowledgeInput) (monitor.Incident, error)
	PutWindow(ctx context.Context, in monitor.Window) (monitor.Window, error)
	DeleteWindow(ctx context.Context, in monitor.WindowInput) (struct{}, error)
	Windows(ctx context.Context, in struct{}) (monitor.WindowsOutput, error)
	PutLocation(ctx context.Context, in monitor.LocationInput) (monitor.LocationKey, error)
	DeleteLocation(ctx context.Context, in monitor.LocationInput) (struct{}, error)
	Locations(ctx context.Context, in struct{}) (monitor.LocationsOutput, error)
}

// Comparisons is what the control plane needs of what became of deployments.
type Comparisons interface {
	List(ctx context.Context, in comparison.ListInput) (comparison.ListOutput, error)
}

// monitorNeed names a monitor in policies.
func monitorNeed(name string) []Need {
	return on(arn.ARN{Partition: "aws", Service: "dropstack", Region: arn.Region, Account: arn.Account, Resource: "monitor/" + name}.String())
}

func (c *Control) monitors(ctx context.Context, in monitor.ListInput) (monitor.ListOutput, error) {
	return c.Monitors.List(ctx, in)
}

func (c *Control) monitor(ctx context.Context, in monitor.NameInput) (monitor.Status, error) {
	return c.Monitors.Describe(ctx, in)
}

func (c *Control) testMonitor(ctx context.Context, in monitor.TestInput) (monitor.TestOutput, error) {
	return c.Monitors.Test(ctx, in)
}

func (c *Control) incidents(ctx context.Context, in monitor.IncidentsInput) (monitor.IncidentsOutput, error) {
	return c.Monitors.Incidents(ctx, in)
}

func (c *Control) windows(ctx context.Context, in struct{}) (monitor.WindowsOutput, error) {
	return c.Monitors.Windows(ctx, in)
}

func (c *Control) locations(ctx context.Context, in struct{}) (monitor.LocationsOutput, error) {
	return c.Monitors.Locations(ctx, in)
}

func (c *Control) comparisons(ctx context.Context, in comparison.ListInput) (comparison.ListOutput, error) {
	return c.Comparisons.List(ctx, in)
}

// A client that leaves does not cut a change short.

func (c *Control) putMonitor(ctx context.Context, in monitor.Monitor) (monitor.Status, error) {
	return c.Monitors.Put(context.WithoutCancel(ctx), in)
}

func (c *Control) deleteMonitor(ctx context.Context, in monitor.NameInput) (struct{}, error) {
	return c.Monitors.Delete(context.WithoutCancel(ctx), in)
}

func (c *Control) pauseMonitor(ctx context.Context, in monitor.PauseInput) (monitor.Status, error) {
	return c.Monitors.Pause(context.WithoutCancel(ctx), in)
}

func (c *Control) acknowledge(ctx context.Context, in monitor.AcknowledgeInput) (monitor.Incident, error) {
	return c.Monitors.Acknowledge(context.WithoutCancel(ctx), in)
}

func (c *Control) putWindow(ctx context.Context, in monitor.Window) (monitor.Window, error) {
	return c.Monitors.PutWindow(context.WithoutCancel(ctx), in)
}

func (c *Control) deleteWindow(ctx context.Context, in monitor.WindowInput) (struct{}, error) {
	return c.Monitors.DeleteWindow(context.WithoutCancel(ctx), in)
}

func (c *Control) putLocation(ctx context.Context, in monitor.LocationInput) (monitor.LocationKey, error) {
	return c.Monitors.PutLocation(context.WithoutCancel(ctx), in)
}

func (c *Control) deleteLocation(ctx context.Context, in monitor.LocationInput) (struct{}, error) {
	return c.Monitors.DeleteLocation(context.WithoutCancel(ctx), in)
}
