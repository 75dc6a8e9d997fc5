package cloudformation

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/wire"
)

// lambdaVersion is AWS::Lambda::Version. The version is published when the revision
// is activated; its number is foretold, for what refers to it. A function that is
// what its newest version is gets no other.
func lambdaVersion(ctx context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("FunctionName")
	f, _ := in.ownFunction(p, "FunctionName", "")
	want := in.text("CodeSha256")
	if d := in.text("Description"); d != "" && f != nil && d != f.Description {
		in.without = append(in.without, "Description has no effect: a version has that of its function")
	}
	in.provisioned(f, "ProvisionedConcurrencyConfig", "")
	in.idle("a function runs on the runtime that is installed", "RuntimePolicy")
	in.refuse("functions run on this machine", "FunctionScalingConfig")
	if f != nil && want != "" && want != base64Sum(f.Artifact) {
		in.fail("CodeSha256", "%s, but the code of %s is %s: the zip was uploaded anew after the template was made; deploy again", want, f.Name, base64Sum(f.Artifact))
	}
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	next, newest, err := p.platform.NextVersion(ctx, f.Name)
	if err != nil {
		return Identity{}, err
	}
	number := strconv.Itoa(next)
	_, present, _ := strings.Cut(r.Physical, ":function:"+f.Name+":")
	switch {
	case newest.Version != "" && function.Same(newest, *f):
		number = newest.Version
	case present != "" && want == "":
		// Nothing that the template says of it has changed, so it stays as it is.
		return versionIdentity(f, present), nil
	}
	f.Publish = true
	return versionIdentity(f, number), nil
}

func versionIdentity(f *function.Function, number string) Identity {
	return Identity{
		Physical:   f.ARN + ":" + number,
		Attributes: map[string]string{"Version": number, "FunctionArn": f.ARN + ":" + number},
	}
}

// base64Sum spells a hash in hex as Lambda does.
func base64Sum(sum string) string {
	b, err := hex.DecodeString(sum)
	if err != nil {
		return sum
	}
	return base64.StdEncoding.EncodeToString(b)
}

// provisioned reads how many instances are kept for an alias.
func (p *properties) provisioned(f *function.Function, name, alias string) {
	if !p.has(name) {
		return
	}
	in := p.object(name)
	in.need("ProvisionedConcurrentExecutions")
	n := in.numberOr("ProvisionedConcurrentExecutions", 1, 1000, 0)
	if alias != function.ProvisionedAlias {
		p.fail(name, "instances are kept for the alias %q alone: name the alias so", function.ProvisionedAlias)
	} else if f != nil {
		f.Provisioned = n
	}
}

// lambdaAlias is AWS::Lambda::Alias. One that CodeDeploy updates is shifted to its
// new version bit by bit.
func lambdaAlias(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("FunctionName", "FunctionVersion", "Name")
	f, _ := in.ownFunction(p, "FunctionName", "")
	a := function.Alias{Name: in.text("Name"), Version: in.text("FunctionVersion"), Description: in.text("Description")}
	in.provisioned(f, "ProvisionedConcurrencyConfig", a.Name)
	weights := in.object("RoutingConfig").each("AdditionalVersionWeights")
	if len(weights) > 1 {
		in.fail("RoutingConfig.AdditionalVersionWeights", "an alias has one additional version at most")
	}
	for _, w := range weights {
		w.need("FunctionVersion", "FunctionWeight")
		if a.Additional, a.Weight = w.text("FunctionVersion"), w.decimal("FunctionWeight"); a.Weight > 1 {
			w.fail("FunctionWeight", "it must be from 0 to 1")
		}
	}
	shift := in.shift(p, r, a.Name)
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	if shift != nil {
		f.Shift = shift
	}
	p.revision.Aliases = append(p.revision.Aliases, function.DeclaredAlias{Function: f.Name, Alias: a})
	return Identity{Physical: f.ARN + ":" + a.Name, Attributes: map[string]string{"AliasArn": f.ARN + ":" + a.Name}}, nil
}

// shift reads the UpdatePolicy of an alias; nil without one.
func (p *properties) shift(of *plan, r Resource, alias string) *function.Shift {
	policy := p.below("UpdatePolicy.", r.Policy)
	if !policy.has("CodeDeployLambdaAliasUpdate") {
		return nil
	}
	in := policy.object("CodeDeployLambdaAliasUpdate")
	in.need("DeploymentGroupName")
	in.known("ApplicationName")
	group, ok := of.physical("AWS::CodeDeploy::DeploymentGroup", in.text("DeploymentGroupName"))
	if !ok {
		in.fail("DeploymentGroupName", "it must be an AWS::CodeDeploy::DeploymentGroup of this template, which says how callers are moved")
	}
	how, _ := wire.Plain(group.Properties["DeploymentConfigName"])
	s := &function.Shift{Alias: alias, Type: strings.TrimPrefix(how, "CodeDeployDefault.Lambda")}
	s.Before, s.After = in.function("BeforeAllowTrafficHook"), in.function("AfterAllowTrafficHook")
	s.Alarms = propertiesOf(group).alarms()
	return s
}

// codeDeployGroup is AWS::CodeDeploy::DeploymentGroup, which the alias that names it
// takes its way of shifting from.
func codeDeployGroup(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("ApplicationName")
	how := in.text("DeploymentConfigName")
	if !strings.HasPrefix(how, "CodeDeployDefault.Lambda") {
		in.fail("DeploymentConfigName", "%q is none of CodeDeploy's for functions, such as CodeDeployDefault.LambdaCanary10Percent5Minutes", how)
	}
	in.known("ServiceRoleArn", "DeploymentStyle", "DeploymentGroupName", "Tags")
	in.idle("a shift is taken back when the new version fails more than the old one", "AutoRollbackConfiguration")
	in.alarms()
	in.idle("nobody is told; read the events of the stack", "TriggerConfigurations")
	return Identity{Physical: p.name(r, in.text("DeploymentGroupName"), 100)}, in.done(p)
}

// codeDeployApplication is AWS::CodeDeploy::Application, which only holds groups.
func codeDeployApplication(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	if in.choice("ComputePlatform", "Server", "Lambda", "ECS") != "Lambda" {
		in.fail("ComputePlatform", "it must be Lambda: there are no servers to deploy to")
	}
	in.known("Tags")
	return Identity{Physical: p.name(r, in.text("ApplicationName"), 100)}, in.done(p)
}

// alarms reads an AlarmConfiguration: names of alarms that send callers back.
func (p *properties) alarms() (names []string) {
	in := p.object("AlarmConfiguration")
	on := in.flagOr("Enabled", true)
	in.known("IgnorePollAlarmFailure")
	for _, a := range in.each("Alarms") {
		a.need("Name")
		names = append(names, a.text("Name"))
	}
	if !on {
		return nil
	}
	return names
}
