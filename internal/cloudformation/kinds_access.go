package cloudformation

import (
	"context"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/gateway"
)

// restAuthorizer is AWS::ApiGateway::Authorizer.
func restAuthorizer(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("Name", "RestApiId", "Type")
	api := p.api(in, "RestApiId", gateway.REST)
	a := gateway.Authorizer{
		Name: in.text("Name"), Kind: in.text("Type"), Function: in.authorizerFunction(),
		TTL: in.numberOr("AuthorizerResultTtlInSeconds", 0, 3600, 300), Pattern: in.text("IdentityValidationExpression"),
	}
	for source := range strings.SplitSeq(in.text("IdentitySource"), ",") {
		if source = strings.TrimSpace(source); source != "" {
			a.Identity = append(a.Identity, source)
		}
	}
	if a.Kind != gateway.AuthorizerToken && a.Kind != gateway.AuthorizerRequest {
		in.fail("Type", "%q is not supported here: there are no user pools; TOKEN and REQUEST have a function decide", a.Kind)
	}
	in.refuse("there are no user pools", "ProviderARNs")
	in.known("AuthType", "AuthorizerCredentials")
	p.authorizer(in, api, a)
	id := p.fixed(r, 6)
	return Identity{Physical: id, Attributes: map[string]string{"AuthorizerId": id}}, in.done(p)
}

// authorizerFunction reads the function that decides.
func (p *properties) authorizerFunction() string {
	if !p.has("AuthorizerUri") {
		return ""
	}
	to := p.below(p.path, map[string]any{"Uri": p.text("AuthorizerUri")})
	var route gateway.Route
	to.calls(&route)
	return route.Function
}

// authorizer adds an authorizer, whose name routes call it by.
func (p *plan) authorizer(in *properties, api *gateway.API, a gateway.Authorizer) {
	if api == nil {
		return
	}
	if slices.ContainsFunc(api.Authorizers, func(other gateway.Authorizer) bool { return other.Name == a.Name }) {
		in.fail("Name", "the API has an authorizer %s already", a.Name)
	}
	api.Authorizers = append(api.Authorizers, a)
}

// restValidator is AWS::ApiGateway::RequestValidator, which methods look at.
func restValidator(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("RestApiId")
	p.api(in, "RestApiId", gateway.REST)
	in.flag("ValidateRequestBody")
	in.flag("ValidateRequestParameters")
	in.known("Name")
	id := p.fixed(r, 6)
	return Identity{Physical: id, Attributes: map[string]string{"RequestValidatorId": id}}, in.done(p)
}

// restModel is AWS::ApiGateway::Model, which methods look at. Its physical id is its
// name, as methods name it.
func restModel(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("RestApiId")
	p.api(in, "RestApiId", gateway.REST)
	in.json("Schema")
	in.known("Description", "ContentType")
	name := in.text("Name")
	if name == "" {
		name = p.fixed(r, 16)
	}
	return Identity{Physical: name}, in.done(p)
}

// restDocumentation is AWS::ApiGateway::DocumentationPart and DocumentationVersion,
// which are read by nobody here.
func restDocumentation(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.known("Location", "Properties", "RestApiId", "Description", "DocumentationVersion")
	return Identity{Physical: p.fixed(r, 6)}, in.done(p)
}

// restKey is AWS::ApiGateway::ApiKey. A value that is not given is made when the
// revision is activated, and kept as long as the key is there.
func restKey(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	k := gateway.APIKey{
		Stack: p.stack, ID: p.fixed(r, 10), Name: in.text("Name"), Value: in.text("Value"), Description: in.text("Description"),
		Customer: in.text("CustomerId"), Disabled: !in.flagOr("Enabled", false), Tags: in.tags("Tags"),
	}
	if k.Name == "" {
		k.Name = p.stack + "-" + r.ID
	}
	if n := len(k.Value); k.Value != "" && (n < 20 || n > 128) {
		in.fail("Value", "it must have 20 to 128 characters, not %d", n)
	}
	in.known("GenerateDistinctId")
	for _, s := range in.each("StageKeys") { // a usage plan says which stages a key opens
		p.api(s, "RestApiId", gateway.REST)
		s.known("StageName")
	}
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	p.revision.APIKeys = append(p.revision.APIKeys, k)
	return Identity{Physical: k.ID, Attributes: map[string]string{"APIKeyId": k.ID}}, nil
}

// restUsagePlan is AWS::ApiGateway::UsagePlan.
func restUsagePlan(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	u := gateway.UsagePlan{Stack: p.stack, ID: p.fixed(r, 6), Name: in.text("UsagePlanName"), Description: in.text("Description")}
	if u.Name == "" {
		u.Name = p.stack + "-" + r.ID
	}
	for _, s := range in.each("ApiStages") {
		s.need("ApiId", "Stage")
		s.refuse("a limit can be of a whole stage here", "Throttle")
		p.api(s, "ApiId", gateway.REST)
		u.Stages = append(u.Stages, gateway.PlanStage{API: s.text("ApiId"), Stage: s.text("Stage")})
	}
	if in.has("Quota") {
		q := in.object("Quota")
		q.need("Limit", "Period")
		u.Quota = &gateway.Quota{Limit: q.numberOr("Limit", 0, 1<<31-1, 0), Offset: q.numberOr("Offset", 0, 1<<31-1, 0), Period: q.choice("Period", "DAY", "WEEK", "MONTH")}
	}
	if in.has("Throttle") {
		t := in.object("Throttle")
		u.Throttle = &gateway.Throttle{Rate: t.decimal("RateLimit"), Burst: t.numberOr("BurstLimit", 0, 1<<31-1, 0)}
	}
	in.known("Tags")
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	p.revision.UsagePlans = append(p.revision.UsagePlans, u)
	return Identity{Physical: u.ID, Attributes: map[string]string{"Id": u.ID}}, nil
}

// restUsagePlanKey is AWS::ApiGateway::UsagePlanKey.
func restUsagePlanKey(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("KeyId", "KeyType", "UsagePlanId")
	in.choice("KeyType", "API_KEY")
	key, id := in.text("KeyId"), in.text("UsagePlanId")
	if !slices.ContainsFunc(p.revision.APIKeys, func(k gateway.APIKey) bool { return k.ID == key }) {
		in.fail("KeyId", "%q is no key of this template", key)
	}
	i := slices.IndexFunc(p.revision.UsagePlans, func(u gateway.UsagePlan) bool { return u.ID == id })
	if i < 0 {
		in.fail("UsagePlanId", "%q is no usage plan of this template", id)
	} else {
		p.revision.UsagePlans[i].Keys = append(p.revision.UsagePlans[i].Keys, key)
	}
	return Identity{Physical: key + ":" + id, Attributes: map[string]string{"Id": key + ":" + id}}, in.done(p)
}
