package lambda

import (
	"context"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/build"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/function"
)

// Settings are the parts of a configuration that can be changed; nil is not given.
type Settings struct {
	Role              *string            `json:"-"` // below: of a new function it is required
	Runtime           *string            `json:",omitempty"`
	Handler           *string            `json:",omitempty"`
	Description       *string            `json:",omitempty"`
	Timeout           *int               `json:",omitempty"`
	MemorySize        *int               `json:",omitempty"`
	Environment       *Environment       `json:",omitempty" audit:"hidden"`
	KMSKeyArn         *string            `json:",omitempty"`
	VpcConfig         *VpcConfig         `json:",omitempty"`
	Layers            *[]string          `json:",omitempty"`
	DeadLetterConfig  *DeadLetterConfig  `json:",omitempty"`
	FileSystemConfigs []FileSystemConfig `json:",omitempty"`
	TracingConfig     *TracingConfig     `json:",omitempty"`
	EphemeralStorage  *EphemeralStorage  `json:",omitempty"`
	LoggingConfig     *LoggingConfig     `json:",omitempty"`
}

// UpdateFunctionConfigurationInput changes the settings that are given.
type UpdateFunctionConfigurationInput struct {
	FunctionName string
	Role         *string `json:",omitempty"`
	RevisionId   string  `json:",omitempty"`
	Settings
	Foreign
}

// UpdateFunctionConfiguration changes a function's settings.
func (l *Functions) UpdateFunctionConfiguration(ctx context.Context, in UpdateFunctionConfigurationInput) (Configuration, error) {
	if err := in.check(); err != nil {
		return Configuration{}, err
	}
	in.Settings.Role = in.Role
	if err := l.trusted(ctx, in.Role); err != nil {
		return Configuration{}, err
	}
	fn, err := l.edit(ctx, in.FunctionName, in.RevisionId, func(_ *deploy.Revision, f *function.Function) error {
		if err := l.apply(in.Settings, f); err != nil {
			return err
		}
		return function.Check(*f)
	})
	return l.Describe(fn, false), err
}

// UpdateFunctionCodeInput is other code for a function.
type UpdateFunctionCodeInput struct {
	FunctionName  string
	Architectures []string `json:",omitempty"`
	DryRun        bool     `json:",omitempty"`
	Publish       bool     `json:",omitempty"`
	RevisionId    string   `json:",omitempty"`
	Code
}

// UpdateFunctionCode gives a function other code.
func (l *Functions) UpdateFunctionCode(ctx context.Context, in UpdateFunctionCodeInput) (Configuration, error) {
	fn, err := l.latest(in.FunctionName)
	if err != nil {
		return Configuration{}, err
	}
	if err := expect(fn, in.RevisionId); err != nil {
		return Configuration{}, err
	}
	if err := sameArchitecture(in.Architectures); err != nil {
		return Configuration{}, err
	}
	code, err := l.store(ctx, in.Code, in.DryRun)
	if err != nil {
		return Configuration{}, err
	}
	if in.DryRun {
		fn.Artifact, fn.CodeSize = code.sha, code.size
		return l.Describe(fn, false), nil
	}
	fn, err = l.edit(ctx, in.FunctionName, in.RevisionId, func(_ *deploy.Revision, f *function.Function) error {
		f.Artifact, f.CodeSize = code.sha, code.size
		return nil
	})
	if err != nil {
		return Configuration{}, err
	}
	return l.perhapsPublish(ctx, fn, in.Publish)
}

// apply changes the settings of a function that are given.
func (l *Functions) apply(s Settings, f *function.Function) error {
	give(s.Runtime, &f.Runtime)
	give(s.Handler, &f.Handler)
	give(s.Description, &f.Description)
	give(s.Timeout, &f.Timeout)
	give(s.MemorySize, &f.MemoryMB)
	give(s.KMSKeyArn, &f.KeyARN)
	if s.Environment != nil {
		if f.Environment = s.Environment.Variables; size(f.Environment) > maxEnvironment {
			return invalid("Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. Your environment variables have %d bytes", size(f.Environment))
		}
	}
	if len(f.Description) > 256 {
		return invalid("Description has %d bytes; the limit is 256", len(f.Description))
	}
	for _, change := range []func(Settings, *function.Function) error{l.role, l.network, l.layers, l.deadLetter, l.mount, l.rest} {
		if err := change(s, f); err != nil {
			return err
		}
	}
	return nil
}

func give[T any](from, to *T) {
	if from != nil {
		*to = *from
	}
}

// maxEnvironment is how many bytes the names and values of variables may have.
const maxEnvironment = 4 << 10

func size(env map[string]string) (n int) {
	for k, v := range env {
		n += len(k) + len(v)
	}
	return n
}

func (l *Functions) role(s Settings, f *function.Function) error {
	if s.Role == nil {
		return nil
	}
	if a, err := arn.Parse(*s.Role); err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "role/") {
		return invalid("Role %q is not the ARN of a role", *s.Role)
	}
	f.Role = *s.Role
	return nil
}

// trusted refuses a role that Lambda cannot assume. Its room is asked before an
// edit, which holds the deployer.
func (l *Functions) trusted(ctx context.Context, role *string) error {
	if role == nil || l.Roles == nil {
		return nil
	}
	if err := l.Roles.Trusts(ctx, *role, "lambda.amazonaws.com"); err != nil {
		return invalid("The role defined for the function cannot be assumed by Lambda: %w", err)
	}
	return nil
}

func (l *Functions) network(s Settings, f *function.Function) error {
	v := s.VpcConfig
	switch {
	case v == nil:
		return nil
	case v.Ipv6AllowedForDualStack:
		return unsupported("Ipv6AllowedForDualStack", "private networks are IPv4 only")
	case len(v.SubnetIds) == 0 && len(v.SecurityGroupIds) == 0:
		f.VPC = nil
	case len(v.SubnetIds) == 0 || len(v.SecurityGroupIds) == 0:
		return invalid("VpcConfig needs both SubnetIds and SecurityGroupIds")
	default:
		f.VPC = &function.VPC{Subnets: v.SubnetIds, Groups: v.SecurityGroupIds}
	}
	return nil
}

func (l *Functions) layers(s Settings, f *function.Function) error {
	if s.Layers == nil {
		return nil
	}
	if n := len(*s.Layers); n > build.MaxLayers {
		return invalid("%d layers; a function has at most %d", n, build.MaxLayers)
	}
	f.Layers, f.LayerARNs = nil, nil
	for i, name := range *s.Layers {
		v, ok := l.layer(name)
		if !ok {
			return invalid("Layer version %s does not exist.", name)
		}
		if slices.Contains((*s.Layers)[:i], name) {
			return invalid("Two different versions of the same layer are not allowed to be referenced in the same function. %s is there twice", name)
		}
		f.Layers, f.LayerARNs = append(f.Layers, v.Artifact), append(f.LayerARNs, name)
	}
	return nil
}

func (l *Functions) deadLetter(s Settings, f *function.Function) error {
	if s.DeadLetterConfig == nil {
		return nil
	}
	target := s.DeadLetterConfig.TargetArn
	if a, err := arn.Parse(target); target != "" && (err != nil || a.Service != "sns") {
		return invalid("DeadLetterConfig: %q is not the ARN of a topic; the dead letters of every function are kept here besides", target)
	}
	f.DeadLetter = target
	return nil
}

func (l *Functions) mount(s Settings, f *function.Function) error {
	switch {
	case s.FileSystemConfigs == nil:
		return nil
	case len(s.FileSystemConfigs) > 1:
		return invalid("FileSystemConfigs: a function has one file system at most")
	case len(s.FileSystemConfigs) == 0:
		f.Mount = nil
		return nil
	}
	m := s.FileSystemConfigs[0]
	name := m.Arn[strings.LastIndexAny(m.Arn, "/:")+1:]
	if !function.ValidName(name) || !strings.HasPrefix(m.LocalMountPath, "/mnt/") || strings.Contains(m.LocalMountPath[len("/mnt/"):], "/") || m.LocalMountPath == "/mnt/" {
		return invalid("FileSystemConfigs: Arn must end in a name, and LocalMountPath be /mnt/ and one name")
	}
	f.Mount = &function.Mount{Name: name, Path: m.LocalMountPath}
	return nil
}

// mountARN names a mount as the access points of AWS's file systems are named.
func mountARN(region, name string) string {
	return arn.ARN{Partition: "aws", Service: "elasticfilesystem", Region: region, Account: arn.Account, Resource: "access-point/" + name}.String()
}

// rest are settings with little choice.
func (l *Functions) rest(s Settings, f *function.Function) error {
	if s.TracingConfig != nil && s.TracingConfig.Mode != "" && s.TracingConfig.Mode != "PassThrough" {
		return unsupported("TracingConfig.Mode "+s.TracingConfig.Mode, "every function is traced, whatever it says; use PassThrough")
	}
	if s.EphemeralStorage != nil { // that it is in bounds the function room says
		f.StorageMB = s.EphemeralStorage.Size
	}
	c := s.LoggingConfig
	if c == nil {
		return nil
	}
	switch {
	case c.LogGroup != "" && c.LogGroup != "/aws/lambda/"+f.Name:
		return unsupported("LoggingConfig.LogGroup", "a function's group is /aws/lambda/NAME")
	case c.LogFormat != "" && c.LogFormat != "Text" && c.LogFormat != "JSON":
		return invalid("LoggingConfig.LogFormat %q is neither Text nor JSON", c.LogFormat)
	case c.LogFormat != "":
		f.LogFormat = c.LogFormat
	}
	if c.ApplicationLogLevel != "" {
		if f.LogFormat != "JSON" {
			return invalid("LoggingConfig.ApplicationLogLevel goes with the LogFormat JSON only")
		}
		if !slices.Contains([]string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}, c.ApplicationLogLevel) {
			return invalid("LoggingConfig.ApplicationLogLevel %q is no level", c.ApplicationLogLevel)
		}
		f.LogLevel = c.ApplicationLogLevel
	}
	if f.LogFormat != "JSON" {
		f.LogLevel = ""
	}
	return nil
}
