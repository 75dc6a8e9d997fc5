package lambda

import (
	"context"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/function"
)

// ConcurrencyInput reserves concurrency for a function.
type ConcurrencyInput struct {
	FunctionName                 string
	ReservedConcurrentExecutions *int
}

// ConcurrencyOutput is what is reserved.
type ConcurrencyOutput struct{ ReservedConcurrentExecutions int }

// PutFunctionConcurrency reserves concurrency for a function: it has that much and
// never more.
func (l *Functions) PutFunctionConcurrency(ctx context.Context, in ConcurrencyInput) (out ConcurrencyOutput, err error) {
	n := in.ReservedConcurrentExecutions
	if n == nil || *n < 0 {
		return out, invalid("ReservedConcurrentExecutions must be a number, 0 or more")
	}
	_, err = l.edit(ctx, in.FunctionName, "", func(_ *deploy.Revision, f *function.Function) error {
		f.Concurrency = n
		return nil
	})
	return ConcurrencyOutput{*n}, err
}

// DeleteFunctionConcurrency takes the reservation away.
func (l *Functions) DeleteFunctionConcurrency(ctx context.Context, in FunctionInput) (struct{}, error) {
	_, err := l.edit(ctx, in.FunctionName, "", func(_ *deploy.Revision, f *function.Function) error {
		f.Concurrency = nil
		return nil
	})
	return struct{}{}, err
}

// ProvisionedInput asks for instances that are kept initialised.
type ProvisionedInput struct {
	FunctionName                    string
	Qualifier                       string
	ProvisionedConcurrentExecutions int
}

// ProvisionedOutput is how far that has come.
type ProvisionedOutput struct {
	RequestedProvisionedConcurrentExecutions int
	AvailableProvisionedConcurrentExecutions int
	AllocatedProvisionedConcurrentExecutions int
	Status                                   string
	LastModified                             string
}

// PutProvisionedConcurrencyConfig keeps instances of the version that the alias
// "provisioned" names, which is made of the function as it is now.
func (l *Functions) PutProvisionedConcurrencyConfig(ctx context.Context, in ProvisionedInput) (out ProvisionedOutput, err error) {
	if in.ProvisionedConcurrentExecutions < 1 {
		return out, invalid("ProvisionedConcurrentExecutions must be at least 1")
	}
	if err := onlyProvisioned(in.Qualifier); err != nil {
		return out, err
	}
	fn, err := l.edit(ctx, in.FunctionName, "", func(_ *deploy.Revision, f *function.Function) error {
		if f.Concurrency != nil && in.ProvisionedConcurrentExecutions > *f.Concurrency {
			return invalid("Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function")
		}
		f.Provisioned, f.Publish = in.ProvisionedConcurrentExecutions, true
		return nil
	})
	return ProvisionedOutput{
		RequestedProvisionedConcurrentExecutions: in.ProvisionedConcurrentExecutions, Status: "IN_PROGRESS",
		LastModified: fn.Modified.UTC().Format(lastModified),
	}, err
}

// DeleteProvisionedConcurrencyConfig keeps no instances any more. The alias stays.
func (l *Functions) DeleteProvisionedConcurrencyConfig(ctx context.Context, in FunctionInput) (struct{}, error) {
	if err := onlyProvisioned(in.Qualifier); err != nil {
		return struct{}{}, err
	}
	_, err := l.edit(ctx, in.FunctionName, "", func(_ *deploy.Revision, f *function.Function) error {
		f.Provisioned = 0
		return nil
	})
	return struct{}{}, err
}

func onlyProvisioned(qualifier string) error {
	if qualifier == function.ProvisionedAlias {
		return nil
	}
	return invalid("instances are kept for the alias %q only, not for %q; the platform moves the alias to what it has initialised", function.ProvisionedAlias, qualifier)
}
