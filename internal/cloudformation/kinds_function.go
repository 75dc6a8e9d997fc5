package cloudformation

import (
	"archive/zip"
	"bytes"
	"context"
	"runtime"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/build"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

// lambdaFunction is AWS::Lambda::Function.
func lambdaFunction(ctx context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	name := p.name(r, in.text("FunctionName"), 64)
	if !function.ValidName(name) || len(name) > 64 {
		in.fail("FunctionName", "%q must be 1 to 64 letters, digits, - and _", name)
	}
	f := function.Function{
		Stack: p.stack, Name: name, ARN: arn.Function(p.region, name), Version: function.Latest,
		Description: in.text("Description"), Runtime: in.text("Runtime"), Handler: in.text("Handler"), Role: in.text("Role"),
		MemoryMB: in.numberOr("MemorySize", 128, 10240, 128), Timeout: in.numberOr("Timeout", 1, 900, 3),
		KeyARN: in.text("KmsKeyArn"), Concurrency: in.number("ReservedConcurrentExecutions", 0, 1000), Tags: in.tags("Tags"),
		StorageMB: in.object("EphemeralStorage").numberOr("Size", 512, 10240, 0),
	}
	in.environment(&f)
	in.vpc(&f)
	in.deadLetter(&f)
	in.mount(&f)
	in.logging(&f)
	in.otherwise()
	p.useLayers(in, &f)
	if in.object("TracingConfig").choice("Mode", "PassThrough", "Active") == "Active" {
		in.without = append(in.without, "TracingConfig.Mode has no effect: every function is traced")
	}
	code, err := in.code(ctx, p, f.Runtime, f.Handler)
	if err != nil {
		return Identity{}, err
	}
	f.Artifact, f.CodeSize, f.Source = code.sha, code.size, code.source
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	if err := function.Check(f); err != nil {
		return Identity{}, err
	}
	p.revision.Functions = append(p.revision.Functions, f)
	return Identity{Physical: name, Attributes: map[string]string{"Arn": f.ARN}}, nil
}

// otherwise reads what functions here do not have.
func (p *properties) otherwise() {
	if p.choice("PackageType", "Zip", "Image") == "Image" {
		p.fail("PackageType", "there are no images: build a zip and name it in Code")
	}
	p.refuse("there are no images; build a zip", "ImageConfig")
	p.refuse("code would run whoever signed it", "CodeSigningConfigArn")
	p.refuse("the function would not resume", "DurableConfig")
	p.refuse("tenants would share instances", "TenancyConfig")
	p.refuse("functions run on this machine", "CapacityProviderConfig", "FunctionScalingConfig")
	if on := p.object("SnapStart").text("ApplyOn"); on != "" && on != "None" {
		p.fail("SnapStart", "instances start anew; use provisioned concurrency")
	}
	p.idle("a function runs on the runtime that is installed", "RuntimeManagementConfig")
	p.known("RecursiveLoop", "PublishToLatestPublished")
	machine := map[string]string{"amd64": "x86_64"}[runtime.GOARCH]
	if machine == "" {
		machine = runtime.GOARCH
	}
	if list := p.texts("Architectures"); len(list) > 0 && !slices.Equal(list, []string{machine}) {
		p.fail("Architectures", "%s, but this machine is %s; write %s, or remove it", strings.Join(list, ", "), machine, machine)
	}
}

// maxEnvironment is how many bytes the names and values of variables may have.
const maxEnvironment = 4 << 10

func (p *properties) environment(f *function.Function) {
	in := p.object("Environment")
	f.Environment = in.pairs("Variables")
	size := 0
	for k, v := range f.Environment {
		size += len(k) + len(v)
	}
	if size > maxEnvironment {
		in.fail("Variables", "they have %d bytes; the limit is %d", size, maxEnvironment)
	}
}

func (p *properties) vpc(f *function.Function) {
	in := p.object("VpcConfig")
	v := function.VPC{Subnets: in.texts("SubnetIds"), Groups: in.texts("SecurityGroupIds")}
	in.refuse("private networks are IPv4 only", "Ipv6AllowedForDualStack")
	switch {
	case len(v.Subnets) == 0 && len(v.Groups) == 0:
	case len(v.Subnets) == 0 || len(v.Groups) == 0:
		p.fail("VpcConfig", "it needs both SubnetIds and SecurityGroupIds")
	default:
		f.VPC = &v
	}
}

func (p *properties) deadLetter(f *function.Function) {
	in := p.object("DeadLetterConfig")
	f.DeadLetter = in.text("TargetArn")
	if a, err := arn.Parse(f.DeadLetter); f.DeadLetter != "" && (err != nil || a.Service != "sns" && a.Service != "sqs") {
		in.fail("TargetArn", "%q is not the ARN of a topic or a queue", f.DeadLetter)
	}
}

func (p *properties) mount(f *function.Function) {
	for i, in := range p.each("FileSystemConfigs") {
		if i > 0 {
			p.fail("FileSystemConfigs", "a function has one file system at most")
			return
		}
		id := in.text("Arn")
		f.Mount = &function.Mount{Name: id[strings.LastIndexAny(id, "/:")+1:], Path: in.text("LocalMountPath")}
		if base, ok := strings.CutPrefix(f.Mount.Path, "/mnt/"); !ok || base == "" || strings.Contains(base, "/") {
			in.fail("LocalMountPath", "it must be /mnt/ and one name, such as /mnt/data, not %q", f.Mount.Path)
		}
	}
}

func (p *properties) logging(f *function.Function) {
	in := p.object("LoggingConfig")
	if group := in.text("LogGroup"); group != "" && group != "/aws/lambda/"+f.Name {
		in.fail("LogGroup", "a function's log group is /aws/lambda/NAME here: remove it")
	}
	if in.has("LogFormat") {
		f.LogFormat = in.choice("LogFormat", "Text", "JSON")
	}
	levels := []string{"", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}
	if level := in.choice("ApplicationLogLevel", levels...); f.LogFormat == "JSON" {
		f.LogLevel = level
	} else if level != "" {
		in.without = append(in.without, in.path+"ApplicationLogLevel has no effect without LogFormat JSON")
	}
	in.idle("the platform's own lines are all written", "SystemLogLevel")
}

// code is the code of a function or the content of a layer, in the store of
// artifacts.
type code struct {
	sha    string
	size   int64
	source string // bucket and key
}

// code brings a function's code into the store of artifacts.
func (p *properties) code(ctx context.Context, to *plan, runtime, handler string) (code, error) {
	in := p.object("Code")
	in.refuse("there are no images: build a zip", "ImageUri")
	text := in.text("ZipFile")
	switch {
	case text != "" && (in.has("S3Bucket") || in.has("S3Key")):
		in.fail("ZipFile", "it stands beside S3Bucket and S3Key: there can be one of them")
	case text != "" && !strings.HasPrefix(runtime, "nodejs"):
		in.fail("ZipFile", "it is source text for Node; upload a zip and name it by S3Bucket and S3Key")
	case text != "":
		doc, err := inline(text, handler)
		if err != nil {
			return code{}, err
		}
		sha, size, err := to.platform.Store(ctx, doc)
		return code{sha: sha, size: size}, err
	}
	return in.stored(ctx, to)
}

// stored reads what names an object of a bucket, and fetches it.
func (p *properties) stored(ctx context.Context, to *plan) (code, error) {
	p.idle("the zip is kept as it is", "SourceKMSKeyArn")
	p.need("S3Bucket", "S3Key")
	bucket, key, version := p.text("S3Bucket"), p.text("S3Key"), p.text("S3ObjectVersion")
	if bucket == "" || key == "" {
		return code{}, nil // reported
	}
	sha, size, err := to.platform.Artifact(ctx, bucket, key, version)
	if err != nil && fault.KindOf(err) != fault.NotFound && fault.KindOf(err) != fault.Invalid {
		return code{}, err
	}
	if err != nil {
		p.fail("S3Key", "%s in bucket %s: %v", key, bucket, err)
	}
	return code{sha, size, bucket + "/" + key}, nil
}

// inline makes the zip of a function whose source is in the template, the same for
// the same text. Lambda calls the file index, whatever the handler says; a handler
// of another name would not be found.
func inline(text, handler string) ([]byte, error) {
	file, _, _ := strings.Cut(handler, ".")
	if file != "index" {
		return nil, fault.Coded(fault.Invalid, "ValidationError", "Handler: with Code.ZipFile it must be index and what is exported, such as index.handler, not %q", handler)
	}
	var doc bytes.Buffer
	z := zip.NewWriter(&doc)
	w, err := z.CreateHeader(&zip.FileHeader{Name: "index.js", Method: zip.Deflate})
	if err == nil {
		_, err = w.Write([]byte(text))
	}
	if err == nil {
		err = z.Close()
	}
	return doc.Bytes(), err
}

// useLayers reads the layers of a function: of this template, of other stacks, or
// published by a call.
func (p *plan) useLayers(in *properties, f *function.Function) {
	list := in.texts("Layers")
	if len(list) > build.MaxLayers {
		in.fail("Layers", "%d layers; a function has at most %d", len(list), build.MaxLayers)
	}
	for _, name := range list {
		l, ok := p.layer(name)
		switch {
		case !ok:
			in.fail("Layers", "there is no layer %s here; publish it, or declare an AWS::Lambda::LayerVersion", name)
		case slices.Contains(f.LayerARNs, name):
			in.fail("Layers", "%s is there twice", name)
		default:
			f.Layers, f.LayerARNs = append(f.Layers, l.Artifact), append(f.LayerARNs, name)
		}
	}
}
