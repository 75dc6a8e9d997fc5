package lambda

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"runtime"
	"strconv"

	"github.com/google/uuid"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/function"
)

// Configuration is Lambda's FunctionConfiguration.
type Configuration struct {
	FunctionName      string
	FunctionArn       string
	Role              string `json:",omitempty"`
	Runtime           string
	Handler           string
	Description       string
	Timeout           int
	MemorySize        int
	LastModified      string
	Version           string
	CodeSha256        string
	CodeSize          int64
	RevisionId        string
	State             string
	LastUpdateStatus  string
	PackageType       string
	Architectures     []string
	Environment       *Environment       `json:",omitempty" audit:"hidden"`
	KMSKeyArn         string             `json:",omitempty"`
	VpcConfig         *VpcConfig         `json:",omitempty"`
	Layers            []Layer            `json:",omitempty"`
	DeadLetterConfig  *DeadLetterConfig  `json:",omitempty"`
	FileSystemConfigs []FileSystemConfig `json:",omitempty"`
	TracingConfig     TracingConfig
	EphemeralStorage  EphemeralStorage
	LoggingConfig     LoggingConfig
}

// The parts of a configuration, which are a caller's too.
type (
	// Environment is the variables of a function.
	Environment struct {
		Variables map[string]string `json:",omitempty" audit:"hidden"`
	}
	// VpcConfig is the private network of a function.
	VpcConfig struct {
		SubnetIds, SecurityGroupIds []string
		VpcId                       string `json:",omitempty"`
		Ipv6AllowedForDualStack     bool   `json:",omitempty"`
	}
	// Layer is a layer of a function.
	Layer struct{ Arn string }
	// DeadLetterConfig is where events go that could not be handled.
	DeadLetterConfig struct{ TargetArn string }
	// FileSystemConfig is a directory that outlives instances.
	FileSystemConfig struct{ Arn, LocalMountPath string }
	// TracingConfig is PassThrough, whatever is traced.
	TracingConfig struct{ Mode string }
	// EphemeralStorage is the size of /tmp in MB.
	EphemeralStorage struct{ Size int }
	// LoggingConfig is how a function logs.
	LoggingConfig struct {
		LogFormat           string `json:",omitempty"`
		ApplicationLogLevel string `json:",omitempty"`
		SystemLogLevel      string `json:",omitempty"`
		LogGroup            string `json:",omitempty"`
	}
)

// storageMB is the size of /tmp of functions that say none.
const storageMB = 512

// lastModified is how Lambda writes times.
const lastModified = "2006-01-02T15:04:05.000-0700"

// Describe is a function's configuration; qualified says that its ARN names the
// version.
func (l *Functions) Describe(f function.Function, qualified bool) Configuration {
	c := Configuration{
		FunctionName: f.Name, FunctionArn: f.ARN, Role: f.Role, Runtime: f.Runtime, Handler: f.Handler, Description: f.Description,
		Timeout: f.Timeout, MemorySize: f.MemoryMB, Version: f.Version, LastModified: f.Modified.UTC().Format(lastModified),
		CodeSha256: base64Sum(f.Artifact), CodeSize: f.CodeSize, RevisionId: RevisionID(f), KMSKeyArn: f.KeyARN,
		State: "Active", LastUpdateStatus: "Successful", PackageType: "Zip", Architectures: []string{architecture()},
		TracingConfig: TracingConfig{"PassThrough"}, EphemeralStorage: EphemeralStorage{cmp.Or(f.StorageMB, storageMB)},
		LoggingConfig: LoggingConfig{LogFormat: "Text", LogGroup: "/aws/lambda/" + f.Name},
	}
	if f.LogFormat == "JSON" {
		c.LoggingConfig.LogFormat = f.LogFormat
		c.LoggingConfig.ApplicationLogLevel, c.LoggingConfig.SystemLogLevel = f.LogLevel, "INFO"
		if f.LogLevel == "" {
			c.LoggingConfig.ApplicationLogLevel = "INFO"
		}
	}
	if qualified {
		c.FunctionArn += ":" + f.Version
	}
	if len(f.Environment) > 0 {
		c.Environment = &Environment{f.Environment}
	}
	if f.VPC != nil {
		c.VpcConfig = &VpcConfig{SubnetIds: f.VPC.Subnets, SecurityGroupIds: f.VPC.Groups, VpcId: l.vpc(f.VPC)}
	}
	for _, arn := range f.LayerARNs {
		c.Layers = append(c.Layers, Layer{arn})
	}
	if f.DeadLetter != "" {
		c.DeadLetterConfig = &DeadLetterConfig{f.DeadLetter}
	}
	if f.Mount != nil {
		c.FileSystemConfigs = []FileSystemConfig{{mountARN(l.Region, f.Mount.Name), f.Mount.Path}}
	}
	return c
}

// vpc finds the network of a function's subnets.
func (l *Functions) vpc(v *function.VPC) string {
	for _, r := range l.Deployer.List() {
		for _, s := range r.Network.Subnets {
			if len(v.Subnets) > 0 && s.ID == v.Subnets[0] {
				return s.VPC
			}
		}
	}
	return ""
}

// RevisionID changes whenever a function does.
func RevisionID(f function.Function) string {
	sum := sha256.Sum256([]byte(f.ARN + " " + f.Version + " " + strconv.FormatInt(f.Modified.UnixNano(), 10)))
	id := uuid.UUID(sum[:16])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // version 8: its own kind
	return id.String()
}

// architecture is what functions run on, as Lambda calls it.
func architecture() string {
	if runtime.GOARCH == "arm64" {
		return "arm64"
	}
	return "x86_64"
}

// base64Sum spells a hash in hex as Lambda does.
func base64Sum(sum string) string {
	b, err := hex.DecodeString(sum)
	if err != nil {
		return sum
	}
	return base64.StdEncoding.EncodeToString(b)
}

// FunctionInput names a function and a version or alias of it.
type FunctionInput struct{ FunctionName, Qualifier string }

// GetFunctionOutput is a function with where its code is.
type GetFunctionOutput struct {
	Configuration Configuration
	Code          CodeLocation
	Concurrency   *ConcurrencyOutput `json:",omitempty"`
	Tags          map[string]string  `json:",omitempty"`
}

// CodeLocation is where code can be fetched from for some minutes.
type CodeLocation struct {
	RepositoryType string
	Location       string `json:",omitempty"`
}

// GetFunction describes a function, its code, its tags and its concurrency.
func (l *Functions) GetFunction(ctx context.Context, in FunctionInput) (out GetFunctionOutput, err error) {
	f, err := l.Invoker.Get(qualified(in.FunctionName, in.Qualifier))
	if err != nil {
		return out, err
	}
	out.Configuration, out.Code.RepositoryType = l.Describe(f, in.Qualifier != ""), "S3"
	if out.Code.Location, err = l.location(ctx, f.Artifact); err != nil {
		return out, err
	}
	now, err := l.Invoker.Get(f.Name) // which has what holds for all its versions
	if err != nil {
		return out, err
	}
	if out.Tags = now.Tags; now.Concurrency != nil {
		out.Concurrency = &ConcurrencyOutput{*now.Concurrency}
	}
	return out, nil
}

func (l *Functions) location(ctx context.Context, sha string) (string, error) {
	if l.Presign == nil {
		return "", nil
	}
	return l.Presign(ctx, deploy.ArtifactBucket, deploy.ArtifactKey(sha))
}

// GetFunctionConfiguration describes a function.
func (l *Functions) GetFunctionConfiguration(_ context.Context, in FunctionInput) (Configuration, error) {
	f, err := l.Invoker.Get(qualified(in.FunctionName, in.Qualifier))
	return l.Describe(f, in.Qualifier != ""), err
}
