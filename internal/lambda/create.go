package lambda

import (
	"context"
	"maps"
	"slices"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/function"
)

// CreateFunctionInput is a new function.
type CreateFunctionInput struct {
	FunctionName string
	Role         string
	Code         Code
	PackageType  string            `json:",omitempty"`
	Publish      bool              `json:",omitempty"`
	Tags         map[string]string `json:",omitempty"`
	// Architectures are those that the code is made for.
	Architectures []string `json:",omitempty"`
	Settings
	Foreign
}

// Foreign is what there is not here. Each would change what a function does.
type Foreign struct {
	ImageConfig            map[string]any `json:",omitempty"`
	CodeSigningConfigArn   string         `json:",omitempty"`
	SnapStart              map[string]any `json:",omitempty"`
	DurableConfig          map[string]any `json:",omitempty"`
	CapacityProviderConfig map[string]any `json:",omitempty"`
	TenancyConfig          map[string]any `json:",omitempty"`
}

func (f *Foreign) check() error {
	switch {
	case len(f.ImageConfig) > 0:
		return unsupported("ImageConfig", "there are no images; upload a zip")
	case f.CodeSigningConfigArn != "":
		return unsupported("CodeSigningConfigArn", "code would run whoever signed it")
	case f.SnapStart["ApplyOn"] != nil && f.SnapStart["ApplyOn"] != "None":
		return unsupported("SnapStart", "instances start anew; use provisioned concurrency")
	case len(f.DurableConfig) > 0:
		return unsupported("DurableConfig", "the function would not resume")
	case len(f.CapacityProviderConfig) > 0:
		return unsupported("CapacityProviderConfig", "functions run on this machine")
	case len(f.TenancyConfig) > 0:
		return unsupported("TenancyConfig", "tenants would share instances")
	}
	return nil
}

// CreateFunction makes a function.
func (l *Functions) CreateFunction(ctx context.Context, in CreateFunctionInput) (Configuration, error) {
	fn, err := l.newFunction(in)
	if err != nil {
		return Configuration{}, err
	}
	if err := l.trusted(ctx, &in.Role); err != nil {
		return Configuration{}, err
	}
	if _, err := l.Invoker.Get(fn.Name); err == nil {
		return Configuration{}, exists(fn.Name)
	}
	code, err := l.store(ctx, in.Code, false)
	if err != nil {
		return Configuration{}, err
	}
	fn.Artifact, fn.CodeSize = code.sha, code.size
	if err := function.Check(fn); err != nil {
		return Configuration{}, err
	}
	rev, err := l.Deployer.Edit(context.WithoutCancel(ctx), deploy.APIStack, func(r *deploy.Revision) error {
		if find(r, fn.Name) != nil {
			return exists(fn.Name)
		}
		r.Functions = append(r.Functions, fn)
		return nil
	})
	if err != nil {
		return Configuration{}, err
	}
	return l.perhapsPublish(ctx, *find(rev, fn.Name), in.Publish)
}

func exists(name string) error { return conflict("Function already exist: %s", name) }

// newFunction is a function as it is asked for, but for its code.
func (l *Functions) newFunction(in CreateFunctionInput) (fn function.Function, err error) {
	name, ok := bareName(in.FunctionName)
	switch {
	case !ok || len(name) > 64:
		return fn, invalid("FunctionName %q must be 1 to 64 letters, digits, - and _", in.FunctionName)
	case in.PackageType != "" && in.PackageType != "Zip":
		return fn, unsupported("PackageType "+in.PackageType, "there would be no code to run; upload a zip")
	case in.Runtime == nil || in.Handler == nil:
		return fn, invalid("Runtime and Handler are mandatory parameters for functions created with deployment packages.")
	}
	if err := sameArchitecture(in.Architectures); err != nil {
		return fn, err
	}
	if err := in.check(); err != nil {
		return fn, err
	}
	if in.Settings.Role = &in.Role; in.Role == "" {
		return fn, invalid("Role is missing: the ARN of what the function may do")
	}
	fn = function.Function{
		Stack: deploy.APIStack, Name: name, ARN: arn.Function(l.Region, name), Version: function.Latest,
		MemoryMB: 128, Timeout: 3, Tags: in.Tags,
	}
	if err := checkTags(in.Tags); err != nil {
		return fn, err
	}
	return fn, l.apply(in.Settings, &fn)
}

func sameArchitecture(list []string) error {
	if len(list) > 0 && !slices.Equal(list, []string{architecture()}) {
		return invalid("Architectures %v: functions run on this machine, which is %s", list, architecture())
	}
	return nil
}

// perhapsPublish describes a function, or the version that is published of it.
func (l *Functions) perhapsPublish(ctx context.Context, fn function.Function, publish bool) (Configuration, error) {
	if !publish {
		return l.Describe(fn, false), nil
	}
	version, err := l.Invoker.PublishVersion(context.WithoutCancel(ctx), fn.Name, "")
	return l.Describe(version, true), err
}

// DeleteFunction removes a function with its versions, aliases and URLs, or one
// version. What calls it keeps its name and finds nobody.
func (l *Functions) DeleteFunction(ctx context.Context, in FunctionInput) (struct{}, error) {
	if in.Qualifier != "" {
		if in.Qualifier == function.Latest {
			return struct{}{}, invalid("$LATEST version cannot be deleted without deleting the function.")
		}
		return struct{}{}, l.Invoker.DeleteVersion(context.WithoutCancel(ctx), in.FunctionName, in.Qualifier)
	}
	_, err := l.edit(ctx, in.FunctionName, "", func(r *deploy.Revision, f *function.Function) error {
		name := f.Name
		r.Functions = slices.DeleteFunc(r.Functions, func(f function.Function) bool { return f.Name == name })
		r.APIs = slices.DeleteFunc(r.APIs, urlOf(name))
		return nil
	})
	return struct{}{}, err
}

// checkTags keeps Lambda's limits.
func checkTags(tags map[string]string) error {
	if len(tags) > 50 {
		return invalid("%d tags; a function has at most 50", len(tags))
	}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if n := len([]rune(key)); n < 1 || n > 128 || len([]rune(tags[key])) > 256 {
			return invalid("tag %q: keys have 1 to 128 characters, values at most 256", key)
		}
	}
	return nil
}
