package lambda

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/edge/accesslog"
	"github.com/dropstack/dropstack/internal/wire"
)

// The one stream there is, of access records, has readers in place of mappings. They
// begin with what comes once they are there: the stream has no past to begin with.

// reader finds a mapping of the stream.
func (l *Functions) reader(id string) (r accesslog.Reader, ok bool) {
	for stack, revision := range l.Deployer.List() {
		for _, r := range revision.AccessReaders {
			if r.ID == id {
				r.Stack = stack
				return r, true
			}
		}
	}
	return r, false
}

// DescribeReader is a reader of the stream as Lambda's API has it.
func (l *Functions) DescribeReader(r accesslog.Reader, modified time.Time) MappingConfiguration {
	state := mappingEnabled
	if r.Disabled {
		state = mappingDisabled
	}
	return MappingConfiguration{
		UUID: r.ID, EventSourceMappingArn: l.mappingARN(r.ID), EventSourceArn: accesslog.StreamARN(l.Region), FunctionArn: r.Function,
		BatchSize: cmp.Or(r.Batch, accesslog.DefaultBatch), MaximumBatchingWindowInSeconds: int(r.Window / time.Second),
		State: state, StateTransitionReason: "User action", LastModified: wire.At(modified), FunctionResponseTypes: []string{}, StartingPosition: "LATEST",
	}
}

// describeReader describes it as its stack has it.
func (l *Functions) describeReader(r accesslog.Reader) MappingConfiguration {
	var modified time.Time
	if revision := l.Deployer.List()[r.Stack]; revision != nil {
		modified = revision.Created
	}
	return l.DescribeReader(r, modified)
}

// applyTo changes a reader as an input says.
func (in *MappingInput) applyTo(r *accesslog.Reader) error {
	if in.FilterCriteria != nil || in.FunctionResponseTypes != nil && len(*in.FunctionResponseTypes) > 0 || in.ScalingConfig != nil {
		return invalid("readers of the stream %s get every record, in order, and a batch that fails as a whole once more: they have no FilterCriteria, FunctionResponseTypes and ScalingConfig", accesslog.Stream)
	}
	give(in.BatchSize, &r.Batch)
	if in.BatchSize != nil && *in.BatchSize < 1 {
		return invalid("BatchSize %d must be between 1 and %d", *in.BatchSize, accesslog.MaxBatch)
	}
	if in.MaximumBatchingWindowInSeconds != nil {
		r.Window = time.Duration(*in.MaximumBatchingWindowInSeconds) * time.Second
	}
	if in.Enabled != nil {
		r.Disabled = !*in.Enabled
	}
	if err := accesslog.Check([]accesslog.Reader{*r}); err != nil {
		return invalid("%v", err)
	}
	return nil
}

// createReader has a function read the stream.
func (l *Functions) createReader(ctx context.Context, in MappingInput) (MappingConfiguration, error) {
	name, err := l.target(in.FunctionName)
	if err != nil {
		return MappingConfiguration{}, err
	}
	r := accesslog.Reader{Stack: deploy.APIStack, ID: uuid.NewString(), Function: arn.Function(l.Region, name)}
	switch in.StartingPosition {
	case "LATEST", "TRIM_HORIZON":
	case "":
		return MappingConfiguration{}, invalid("1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.")
	default:
		return MappingConfiguration{}, invalid("StartingPosition %s: the stream %s begins with what comes; LATEST says so", in.StartingPosition, accesslog.Stream)
	}
	if err := in.applyTo(&r); err != nil {
		return MappingConfiguration{}, err
	}
	for _, revision := range l.Deployer.List() {
		if i := slices.IndexFunc(revision.AccessReaders, func(o accesslog.Reader) bool { return o.Function == r.Function }); i >= 0 {
			return MappingConfiguration{}, conflict("The event source arn (%q) and function (%q) provided mapping already exists. Please update or delete the existing mapping with UUID %s",
				in.EventSourceArn, name, revision.AccessReaders[i].ID)
		}
	}
	_, err = l.Deployer.Edit(context.WithoutCancel(ctx), deploy.APIStack, func(revision *deploy.Revision) error {
		revision.AccessReaders = append(revision.AccessReaders, r)
		return nil
	})
	return l.describeReader(r), err
}

// updateReader changes a reader in the revision that it is part of.
func (l *Functions) updateReader(ctx context.Context, r accesslog.Reader, in MappingInput) (MappingConfiguration, error) {
	if in.FunctionName != "" {
		r.Function = arn.Function(l.Region, in.FunctionName)
	}
	if err := in.applyTo(&r); err != nil {
		return MappingConfiguration{}, err
	}
	err := l.editReader(ctx, r, func(revision *deploy.Revision, i int) { revision.AccessReaders[i] = r })
	return l.describeReader(r), err
}

// deleteReader ends the reading.
func (l *Functions) deleteReader(ctx context.Context, r accesslog.Reader) (MappingConfiguration, error) {
	out := l.describeReader(r)
	out.State = mappingDeleting
	err := l.editReader(ctx, r, func(revision *deploy.Revision, i int) {
		revision.AccessReaders = slices.Delete(revision.AccessReaders, i, i+1)
	})
	return out, err
}

// editReader changes a reader in the revision that it is part of.
func (l *Functions) editReader(ctx context.Context, r accesslog.Reader, change func(*deploy.Revision, int)) error {
	_, err := l.Deployer.Edit(context.WithoutCancel(ctx), r.Stack, func(revision *deploy.Revision) error {
		i := slices.IndexFunc(revision.AccessReaders, func(o accesslog.Reader) bool { return o.ID == r.ID })
		if i < 0 {
			return notFound("The resource you requested does not exist: event source mapping %s", r.ID)
		}
		change(revision, i)
		return nil
	})
	return err
}
