package corpus

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/bus"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/pattern"
)

// access is what a revision says of who may call its APIs, and of what comes from
// queues and buses.
func (d deployed) access(r *deploy.Revision) {
	for _, api := range r.APIs {
		for _, a := range api.Authorizers {
			ttl := a.TTL
			d.Authorizers[fmt.Sprintf("%s %s %s %q %q %d %s %t %s %q", a.Name, a.Kind, a.Function, a.Identity, a.Pattern, ttl, a.Payload, a.Simple, a.Issuer, a.Audience)] = true
		}
		for _, route := range api.Routes {
			if api.Kind == gateway.URL {
				continue
			}
			d.Access[fmt.Sprintf("%s %s %q %t %s", key(route), route.Authorizer, route.Scopes, route.KeyRequired, route.Integration)] = true
			if v := route.Validation; v != nil {
				must := slices.Sorted(slices.Values(v.Parameters))
				for kind, schema := range v.Models {
					must = append(must, kind+" "+compact(schema))
				}
				slices.Sort(must)
				d.Validation[fmt.Sprintf("%s %q", key(route), must)] = true
			}
		}
	}
	for _, k := range r.APIKeys {
		plan := slices.IndexFunc(r.UsagePlans, func(p gateway.UsagePlan) bool { return slices.Contains(p.Keys, k.ID) })
		d.Keys[fmt.Sprintf("%s %s %t %s", k.Name, k.Value, k.Disabled, r.UsagePlans[plan].Name)] = true
	}
	for _, p := range r.UsagePlans {
		said := p.Name
		if q := p.Quota; q != nil {
			said += fmt.Sprintf(" %d %d %s", q.Limit, q.Offset, q.Period)
		}
		if t := p.Throttle; t != nil {
			said += fmt.Sprintf(" %g %d", t.Rate, t.Burst)
		}
		d.Plans[said] = true
	}
	for _, m := range r.Mappings {
		var filters []string
		for _, f := range m.Filters {
			filters = append(filters, compact(f))
		}
		d.Mappings[fmt.Sprintf("%s %s %d %d %t %t %d %q", last(m.Source), m.Function, max(m.BatchSize, 0), m.Window, !m.Disabled, m.ReportFailures, m.MaxConcurrency, filters)] = true
	}
	for _, rule := range r.Rules {
		for _, t := range rule.Targets {
			d.Rules[fmt.Sprintf("%s %s %s %t %s %s %s", rule.Name, rule.Bus, compact(rule.Pattern), !rule.Disabled, t.ID, last(t.ARN), inputOf(t.Input))+rest(t)] = true
		}
	}
	for _, b := range r.Buses {
		d.Buses[b.Name] = true
	}
}

func key(r gateway.Route) string { return r.Method + " " + r.Path }

// input is what a target gets, in words.
func input(text, path, template string, paths map[string]string) string {
	return fmt.Sprintf("%s %s %s %v", compact(text), path, template, paths)
}

func inputOf(in pattern.Input) string {
	if t := in.Transformer; t != nil {
		return input("", "", t.Template, t.Paths)
	}
	return input(in.Text, in.Path, "", nil)
}

func rest(t bus.Target) string {
	retries := -1
	if t.MaxRetries != nil {
		retries = *t.MaxRetries
	}
	return fmt.Sprintf(" %d %d %s", t.MaxAge, retries, last(t.DeadLetter))
}

// access is likewise of a resource of a template.
func (t *template) access(d deployed, typ string, p map[string]any) {
	switch typ {
	case "AWS::ApiGateway::Authorizer":
		fn := t.calls(p["AuthorizerUri"])
		if strings.HasPrefix(fn, "{") {
			fn = strings.TrimSuffix(strings.TrimPrefix(t.value(p["AuthorizerUri"]), "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:"), "/invocations")
		}
		var identity []string
		for part := range strings.SplitSeq(text(p["IdentitySource"]), ",") {
			if part = strings.TrimSpace(part); part != "" {
				identity = append(identity, part)
			}
		}
		d.Authorizers[fmt.Sprintf("%s %s %s %q %q %d %s %t %s %q", text(p["Name"]), text(p["Type"]), fn, identity, text(p["IdentityValidationExpression"]), number(p["AuthorizerResultTtlInSeconds"], 300), "", false, "", []string(nil))] = true
	case "AWS::ApiGatewayV2::Authorizer":
		fn, payload := "", text(p["AuthorizerPayloadFormatVersion"])
		if p["AuthorizerUri"] != nil {
			fn = t.calls(p["AuthorizerUri"])
		}
		jwt := at(p, "JwtConfiguration")
		d.Authorizers[fmt.Sprintf("%s %s %s %q %q %d %s %t %s %q", text(p["Name"]), text(p["AuthorizerType"]), fn, texts(p["IdentitySource"]), "", number(p["AuthorizerResultTtlInSeconds"], 0), payload, p["EnableSimpleResponses"] == true, text(at(jwt, "Issuer")), texts(at(jwt, "Audience")))] = true
	case "AWS::ApiGateway::Method":
		t.method(d, p)
	case "AWS::ApiGatewayV2::Route":
		authorizer := ""
		if kind := text(p["AuthorizationType"]); kind == "AWS_IAM" {
			authorizer = kind
		} else if kind != "" {
			authorizer = text(t.Resources[t.reference(p["AuthorizerId"], "AWS::ApiGatewayV2::Authorizer")].Properties["Name"])
		}
		route := text(p["RouteKey"])
		if route == "$default" {
			route = "ANY $default"
		}
		d.Access[fmt.Sprintf("%s %s %q %t %s", route, authorizer, texts(p["AuthorizationScopes"]), false, "")] = true
	case "AWS::ApiGateway::ApiKey":
		plan := ""
		for _, r := range t.Resources {
			if r.Type == "AWS::ApiGateway::UsagePlanKey" && t.reference(r.Properties["KeyId"], typ) != "" {
				if key := t.Resources[t.reference(r.Properties["KeyId"], typ)]; text(key.Properties["Name"]) == text(p["Name"]) {
					plan = text(t.Resources[t.reference(r.Properties["UsagePlanId"], "AWS::ApiGateway::UsagePlan")].Properties["UsagePlanName"])
				}
			}
		}
		d.Keys[fmt.Sprintf("%s %s %t %s", text(p["Name"]), text(p["Value"]), p["Enabled"] == false, plan)] = true
	case "AWS::ApiGateway::UsagePlan":
		said := text(p["UsagePlanName"])
		if q := at(p, "Quota"); q != nil {
			said += fmt.Sprintf(" %d %d %s", number(at(q, "Limit"), 0), number(at(q, "Offset"), 0), text(at(q, "Period")))
		}
		if th := at(p, "Throttle"); th != nil {
			said += fmt.Sprintf(" %v %d", at(th, "RateLimit"), number(at(th, "BurstLimit"), 0))
		}
		d.Plans[said] = true
	case "AWS::Lambda::EventSourceMapping":
		var filters []string
		for _, f := range items(at(p, "FilterCriteria", "Filters")) {
			filters = append(filters, compact(text(at(f, "Pattern"))))
		}
		batch := number(p["BatchSize"], 10)
		if batch == 10 {
			batch = 0 // which is what it is when nothing is said
		}
		d.Mappings[fmt.Sprintf("%s %s %d %d %t %t %d %q", last(t.value(p["EventSourceArn"])), t.calls(p["FunctionName"]), batch, number(p["MaximumBatchingWindowInSeconds"], 0),
			p["Enabled"] == true, len(items(p["FunctionResponseTypes"])) > 0, number(at(p, "ScalingConfig", "MaximumConcurrency"), 0), filters)] = true
	case "AWS::Events::EventBus":
		d.Buses[text(p["Name"])] = true
	case "AWS::Events::Rule":
		t.rule(d, p)
	}
}

func (t *template) method(d deployed, p map[string]any) {
	integration := map[string]string{"AWS_PROXY": "", "AWS": gateway.IntegrationEvent, "HTTP": gateway.IntegrationHTTP, "HTTP_PROXY": gateway.IntegrationHTTP, "MOCK": gateway.IntegrationMock}[text(at(p, "Integration", "Type"))]
	if at(p, "Integration", "RequestParameters", "integration.request.header.X-Amz-Invocation-Type") == "'Event'" {
		integration = gateway.IntegrationAsync
	}
	if text(p["HttpMethod"]) == "OPTIONS" && integration == gateway.IntegrationMock {
		return // of cors
	}
	authorizer := ""
	switch kind := text(p["AuthorizationType"]); kind {
	case "AWS_IAM":
		authorizer = kind
	case "CUSTOM":
		authorizer = text(t.Resources[t.reference(p["AuthorizerId"], "AWS::ApiGateway::Authorizer")].Properties["Name"])
	}
	route := text(p["HttpMethod"]) + " " + t.path(p["ResourceId"])
	d.Access[fmt.Sprintf("%s %s %q %t %s", route, authorizer, []string(nil), p["ApiKeyRequired"] == true, integration)] = true
	if p["RequestValidatorId"] == nil {
		return
	}
	var must []string
	if params, ok := p["RequestParameters"].(map[string]any); ok {
		for name, required := range params {
			if required == true {
				must = append(must, strings.TrimPrefix(name, "method.request."))
			}
		}
	}
	if models, ok := p["RequestModels"].(map[string]any); ok {
		for kind, ref := range models {
			must = append(must, kind+" "+compact(text(t.Resources[t.reference(ref, "AWS::ApiGateway::Model")].Properties["Schema"])))
		}
	}
	slices.Sort(must)
	d.Validation[fmt.Sprintf("%s %q", route, must)] = true
}

func (t *template) rule(d deployed, p map[string]any) {
	if p["EventPattern"] == nil {
		return
	}
	for _, target := range items(p["Targets"]) {
		paths := map[string]string(nil)
		if m, ok := at(target, "InputTransformer", "InputPathsMap").(map[string]any); ok {
			paths = map[string]string{}
			for name, path := range m {
				paths[name] = text(path)
			}
		}
		in := input(text(at(target, "Input")), text(at(target, "InputPath")), text(at(target, "InputTransformer", "InputTemplate")), paths)
		again := fmt.Sprintf(" %d %d %s", number(at(target, "RetryPolicy", "MaximumEventAgeInSeconds"), 0), number(at(target, "RetryPolicy", "MaximumRetryAttempts"), -1), last(t.value(at(target, "DeadLetterConfig", "Arn"))))
		d.Rules[fmt.Sprintf("%s %s %s %t %s %s %s", text(p["Name"]), text(p["EventBusName"]), compact(marshal(p["EventPattern"])), p["State"] == "ENABLED", text(at(target, "Id")), t.calls(at(target, "Arn")), in)+again] = true
	}
}

func texts(v any) (out []string) {
	for _, item := range items(v) {
		out = append(out, text(item))
	}
	return out
}

// queueARN is how a queue of a template is named.
func (t *template) queueARN(id string) string {
	return arn.Queue(arn.Region, text(t.Resources[id].Properties["QueueName"]))
}
