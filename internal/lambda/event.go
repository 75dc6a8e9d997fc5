package lambda

import (
	"context"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/wire"
)

// EventInvokeInput says how events of a function are handled; nil is not given.
type EventInvokeInput struct {
	FunctionName             string
	Qualifier                string             `json:",omitempty"`
	MaximumRetryAttempts     *int               `json:",omitempty"`
	MaximumEventAgeInSeconds *int               `json:",omitempty"`
	DestinationConfig        *DestinationConfig `json:",omitempty"`
}

// DestinationConfig is who is told of handled events.
type DestinationConfig struct {
	OnSuccess *Destination `json:",omitempty"`
	OnFailure *Destination `json:",omitempty"`
}

// Destination is a function, a topic or a queue.
type Destination struct {
	Destination string `json:",omitempty"`
}

// EventInvokeConfig is Lambda's FunctionEventInvokeConfig.
type EventInvokeConfig struct {
	FunctionArn              string
	LastModified             wire.Time
	MaximumRetryAttempts     *int `json:",omitempty"`
	MaximumEventAgeInSeconds *int `json:",omitempty"`
	DestinationConfig        DestinationConfig
}

// DescribeEvents is how a function's events are handled; ok is false when nothing
// is said of it.
func DescribeEvents(f function.Function) (out EventInvokeConfig, ok bool) {
	out = EventInvokeConfig{
		FunctionArn: f.ARN + ":" + f.Version, LastModified: wire.At(f.Modified), MaximumRetryAttempts: f.MaxRetries,
		DestinationConfig: DestinationConfig{&Destination{f.OnSuccess}, &Destination{f.OnFailure}},
	}
	if f.MaxEventAge > 0 {
		out.MaximumEventAgeInSeconds = &f.MaxEventAge
	}
	return out, f.MaxRetries != nil || f.MaxEventAge > 0 || f.OnSuccess != "" || f.OnFailure != ""
}

// PutFunctionEventInvokeConfig says anew how events are handled.
func (l *Functions) PutFunctionEventInvokeConfig(ctx context.Context, in EventInvokeInput) (EventInvokeConfig, error) {
	return l.handle(ctx, in, true)
}

// UpdateFunctionEventInvokeConfig changes what is given.
func (l *Functions) UpdateFunctionEventInvokeConfig(ctx context.Context, in EventInvokeInput) (EventInvokeConfig, error) {
	return l.handle(ctx, in, false)
}

func (l *Functions) handle(ctx context.Context, in EventInvokeInput, anew bool) (EventInvokeConfig, error) {
	if err := onlyLatest(in.Qualifier, "an event invoke config"); err != nil {
		return EventInvokeConfig{}, err
	}
	fn, err := l.edit(ctx, in.FunctionName, "", func(_ *deploy.Revision, f *function.Function) error {
		if _, there := DescribeEvents(*f); !anew && !there {
			return noEvents(*f)
		}
		if anew {
			f.MaxRetries, f.MaxEventAge, f.OnSuccess, f.OnFailure = nil, 0, "", ""
		}
		if in.MaximumRetryAttempts != nil {
			f.MaxRetries = in.MaximumRetryAttempts
		}
		give(in.MaximumEventAgeInSeconds, &f.MaxEventAge)
		if d := in.DestinationConfig; d != nil {
			to(d.OnSuccess, &f.OnSuccess)
			to(d.OnFailure, &f.OnFailure)
		}
		return function.Check(*f)
	})
	out, _ := DescribeEvents(fn)
	return out, err
}

func to(d *Destination, target *string) {
	if d != nil {
		*target = d.Destination
	}
}

func noEvents(f function.Function) error {
	return notFound("The function %s doesn't have an EventInvokeConfig", f.ARN)
}

// DeleteFunctionEventInvokeConfig has events handled as they are unless somebody
// says otherwise.
func (l *Functions) DeleteFunctionEventInvokeConfig(ctx context.Context, in FunctionInput) (struct{}, error) {
	if err := onlyLatest(in.Qualifier, "an event invoke config"); err != nil {
		return struct{}{}, err
	}
	_, err := l.edit(ctx, in.FunctionName, "", func(_ *deploy.Revision, f *function.Function) error {
		if _, there := DescribeEvents(*f); !there {
			return noEvents(*f)
		}
		f.MaxRetries, f.MaxEventAge, f.OnSuccess, f.OnFailure = nil, 0, "", ""
		return nil
	})
	return struct{}{}, err
}
