package api

import (
	"context"
	"slices"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
)

// ExportInput names what a stack exports.
type ExportInput struct {
	Name string `json:"name"`
}

// Export is a value that a stack exports.
type Export struct {
	Stack string `json:"stack"`
	Value string `json:"value"`
}

// export finds what a stack exports under a name, for Fn::ImportValue.
func (c *Control) export(_ context.Context, in ExportInput) (Export, error) {
	for stack, r := range c.Deployer.List() {
		if i := slices.IndexFunc(r.Outputs, func(o deploy.Output) bool { return o.Export == in.Name && in.Name != "" }); i >= 0 {
			return Export{stack, r.Answering(c.URL)[i].Value}, nil
		}
	}
	return Export{}, fault.Errorf(fault.NotFound, "no stack exports %q", in.Name)
}
