package cloudformation

import (
	"archive/zip"
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/function"
)

// fn is a function of a template, with more properties.
func fn(more string) string {
	return `{"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": "f", "Runtime": "nodejs22.x", "Handler": "index.handler",
		"Role": "arn:aws:iam::000000000000:role/r", "Code": {"S3Bucket": "b", "S3Key": "1/f.zip"}` + more + `}}`
}

// f is the function of fn("") as it is deployed.
func f(change func(*function.Function)) function.Function {
	f := function.Function{
		Stack: "shop-dev", Name: "f", ARN: arn.Function(arn.Region, "f"), Version: "$LATEST", Runtime: "nodejs22.x", Handler: "index.handler",
		Role: "arn:aws:iam::000000000000:role/r", MemoryMB: 128, Timeout: 3, Artifact: sum("f.zip"), CodeSize: 5, Source: "b/1/f.zip",
	}
	if change != nil {
		change(&f)
	}
	return f
}

func TestFunctions(t *testing.T) {
	for _, c := range []struct {
		name, more string
		want       function.Function
	}{
		{"as little as can be said", "", f(nil)},
		{"numbers as strings, and the reverse", `, "MemorySize": "512", "Timeout": "30", "Environment": {"Variables": {"N": 1, "B": true, "F": 1.5}}`, f(func(f *function.Function) {
			f.MemoryMB, f.Timeout, f.Environment = 512, 30, map[string]string{"N": "1", "B": "true", "F": "1.5"}
		})},
		{"everything", `, "Description": "d", "KmsKeyArn": "k", "ReservedConcurrentExecutions": 0, "EphemeralStorage": {"Size": 1024}, "Tags": [{"Key": "a", "Value": "b"}],
			"VpcConfig": {"SubnetIds": ["s"], "SecurityGroupIds": ["g"]}, "DeadLetterConfig": {"TargetArn": "arn:aws:sns:us-east-1:000000000000:dead"},
			"FileSystemConfigs": [{"Arn": "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/data", "LocalMountPath": "/mnt/data"}],
			"LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "WARN"}, "Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:ext:1"], "PackageType": "Zip"`, f(func(f *function.Function) {
			f.Description, f.KeyARN, f.Concurrency, f.StorageMB, f.Tags = "d", "k", new(0), 1024, map[string]string{"a": "b"}
			f.VPC, f.DeadLetter = &function.VPC{Subnets: []string{"s"}, Groups: []string{"g"}}, "arn:aws:sns:us-east-1:000000000000:dead"
			f.Mount, f.LogFormat, f.LogLevel = &function.Mount{Name: "data", Path: "/mnt/data"}, "JSON", "WARN"
			f.Layers, f.LayerARNs = []string{sum("ext")}, []string{"arn:aws:lambda:us-east-1:000000000000:layer:ext:1"}
		})},
		{"an empty network is none", `, "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}`, f(nil)},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := &ground{stacks: map[string]*deploy.Revision{"other": {Layers: []deploy.Layer{{
				Name: "ext", Version: 1, ARN: "arn:aws:lambda:us-east-1:000000000000:layer:ext:1", Artifact: sum("ext"),
			}}}}}
			p := planned(t, g, `{"Resources": {"F": `+fn(c.more)+`}}`)
			if diff := cmp.Diff([]function.Function{c.want}, p.revision.Functions); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(Identity{Physical: "f", Attributes: map[string]string{"Arn": arn.Function(arn.Region, "f")}}, p.made["F"]); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestAFunctionWithoutANameKeepsTheOneItGot(t *testing.T) {
	const text = `{"Resources": {"Func": {"Type": "AWS::Lambda::Function", "Properties": {"Runtime": "nodejs22.x", "Handler": "index.handler", "Code": {"S3Bucket": "b", "S3Key": "k"}}}}}`
	g := &ground{}
	first := planned(t, g, text).made["Func"].Physical
	if !strings.HasPrefix(first, "shop-dev-Func-") || len(first) != len("shop-dev-Func-")+12 {
		t.Errorf("got %q", first)
	}
	again, err := run(t, g, parse(t, text), map[string]string{"Func": first})
	if err != nil {
		t.Fatal(err)
	}
	if got := again.made["Func"].Physical; got != first {
		t.Errorf("got %q, want %q", got, first)
	}
}

func TestSourceInATemplate(t *testing.T) {
	g := &ground{}
	const code = "exports.handler = async () => 1"
	planned(t, g, `{"Resources": {"F": {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": "f", "Runtime": "nodejs22.x", "Handler": "index.handler", "Code": {"ZipFile": "`+code+`"}}}}}`)
	doc := g.stored[0]
	z, err := zip.NewReader(bytes.NewReader(doc), int64(len(doc)))
	if err != nil {
		t.Fatal(err)
	}
	file, err := z.Open("index.js")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(file)
	if err != nil || string(got) != code {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestVersions(t *testing.T) {
	version := func(more string) string {
		return `{"Resources": {"F": ` + fn("") + `, "V": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "F"}` + more + `}}}}`
	}
	published := f(func(f *function.Function) { f.Version = "3" })
	changed := f(func(f *function.Function) { f.Version, f.Timeout = "3", 9 })
	for _, c := range []struct {
		name     string
		newest   function.Function
		next     int
		physical string
		more     string
		want     string
		publish  bool
	}{
		{"the first", function.Function{}, 1, "", "", "1", true},
		{"of a function that has changed", changed, 7, "", `, "CodeSha256": "` + base64Sum(sum("f.zip")) + `"`, "7", true},
		{"of one that is what the newest is", published, 7, "", "", "3", true},
		{"of one that differs in what all its versions share", f(func(f *function.Function) {
			f.Version, f.Concurrency, f.Provisioned, f.MaxRetries, f.OnFailure, f.Source = "3", new(5), 2, new(1), "x", "b/0/f.zip"
		}), 7, "", "", "3", true},
		{"that is in the stack, its function changed and it not", changed, 7, arn.Function(arn.Region, "f") + ":2", "", "2", false},
		{"that is in the stack with other code", changed, 7, arn.Function(arn.Region, "f") + ":2", `, "CodeSha256": "` + base64Sum(sum("f.zip")) + `"`, "7", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := &ground{newest: map[string]function.Function{"f": c.newest}, next: map[string]int{"f": c.next}}
			p, err := run(t, g, parse(t, version(c.more)), map[string]string{"V": c.physical})
			if err != nil {
				t.Fatal(err)
			}
			at := arn.Function(arn.Region, "f") + ":" + c.want
			if diff := cmp.Diff(Identity{Physical: at, Attributes: map[string]string{"Version": c.want, "FunctionArn": at}}, p.made["V"]); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got := p.revision.Functions[0].Publish; got != c.publish {
				t.Errorf("a version is published: %v, want %v", got, c.publish)
			}
		})
	}
}

func TestAliases(t *testing.T) {
	const group = `, "App": {"Type": "AWS::CodeDeploy::Application", "Properties": {"ComputePlatform": "Lambda"}},
		"Group": {"Type": "AWS::CodeDeploy::DeploymentGroup", "Properties": {"ApplicationName": {"Ref": "App"}, "DeploymentConfigName": "CodeDeployDefault.LambdaCanary10Percent5Minutes",
			"DeploymentStyle": {"DeploymentType": "BLUE_GREEN"}, "ServiceRoleArn": "arn:aws:iam::000000000000:role/cd"}}`
	for _, c := range []struct {
		name, alias string
		want        function.DeclaredAlias
		change      func(*function.Function)
	}{
		{
			"plain", `{"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "F"}, "FunctionVersion": "3", "Name": "live", "Description": "d"}}`,
			function.DeclaredAlias{Function: "f", Alias: function.Alias{Name: "live", Version: "3", Description: "d"}},
			nil,
		},
		{
			"with weights", `{"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "F"}, "FunctionVersion": "3", "Name": "live",
			"RoutingConfig": {"AdditionalVersionWeights": [{"FunctionVersion": "4", "FunctionWeight": "0.25"}]}}}`,
			function.DeclaredAlias{Function: "f", Alias: function.Alias{Name: "live", Version: "3", Additional: "4", Weight: 0.25}},
			nil,
		},
		{
			"with instances that are kept", `{"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "F"}, "FunctionVersion": "3", "Name": "provisioned",
			"ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 2}}}`,
			function.DeclaredAlias{Function: "f", Alias: function.Alias{Name: "provisioned", Version: "3"}},
			func(f *function.Function) { f.Provisioned = 2 },
		},
		{
			"that is shifted", `{"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "F"}, "FunctionVersion": "3", "Name": "live"},
			"UpdatePolicy": {"CodeDeployLambdaAliasUpdate": {"ApplicationName": {"Ref": "App"}, "DeploymentGroupName": {"Ref": "Group"}, "BeforeAllowTrafficHook": {"Ref": "F"}}}}`,
			function.DeclaredAlias{Function: "f", Alias: function.Alias{Name: "live", Version: "3"}},
			func(f *function.Function) {
				f.Shift = &function.Shift{Alias: "live", Type: "Canary10Percent5Minutes", Before: "f"}
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := planned(t, &ground{}, `{"Resources": {"F": `+fn("")+`, "A": `+c.alias+group+`}}`)
			if diff := cmp.Diff([]function.DeclaredAlias{c.want}, p.revision.Aliases); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(f(c.change), p.revision.Functions[0]); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got, want := p.made["A"].Physical, arn.Function(arn.Region, "f")+":"+c.want.Name; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestLayers(t *testing.T) {
	layer := func(key, more string) string {
		return `{"Resources": {"L": {"Type": "AWS::Lambda::LayerVersion", "Properties": {"LayerName": "shared", "Content": {"S3Bucket": "b", "S3Key": "` + key + `"}}` + more + `},
			"F": ` + fn(`, "Layers": [{"Ref": "L"}]`) + `}}`
	}
	at := func(n string) string { return "arn:aws:lambda:us-east-1:000000000000:layer:shared:" + n }
	was := &deploy.Revision{Layers: []deploy.Layer{{Name: "shared", Version: 2, ARN: at("2"), Artifact: sum("a.zip"), Size: 5}}, LastLayers: map[string]int{"shared": 4}}
	for _, c := range []struct {
		name, text string
		stacks     map[string]*deploy.Revision
		physical   string
		want       []string
		last       int
	}{
		{"the first version", layer("a.zip", ""), nil, "", []string{at("1")}, 1},
		{"after numbers that other stacks have given", layer("a.zip", ""), map[string]*deploy.Revision{"api": {LastLayers: map[string]int{"shared": 6}}}, "", []string{at("7")}, 7},
		{"one that has not changed", layer("0/a.zip", ""), map[string]*deploy.Revision{"shop-dev": was}, at("2"), []string{at("2")}, 4},
		{"one that has", layer("b.zip", ""), map[string]*deploy.Revision{"shop-dev": was}, at("2"), []string{at("5")}, 5},
		{"one that has, and is retained", layer("b.zip", `, "DeletionPolicy": "Retain"`), map[string]*deploy.Revision{"shop-dev": was}, at("2"), []string{at("2"), at("5")}, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := run(t, &ground{stacks: c.stacks}, parse(t, c.text), map[string]string{"L": c.physical})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, l := range p.revision.Layers {
				got = append(got, l.ARN)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got := p.revision.LastLayers["shared"]; got != c.last {
				t.Errorf("last is %d, want %d", got, c.last)
			}
			if got, want := p.revision.Functions[0].LayerARNs, c.want[len(c.want)-1:]; !cmp.Equal(got, want) {
				t.Errorf("the function has %v, want %v", got, want)
			}
		})
	}
}
