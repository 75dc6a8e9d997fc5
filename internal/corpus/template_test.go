package corpus

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// template is a CloudFormation template as osls package writes it.
type template struct {
	Resources map[string]struct {
		Type       string
		Properties map[string]any
	}
	Outputs map[string]struct {
		Export map[string]any
	}
}

// template is what the framework would deploy.
func (s *sample) template(t *testing.T, f *framework) []byte {
	t.Helper()
	out := f.run(command{s.dir, append([]string{"package"}, s.args...), s.env})
	doc, err := os.ReadFile(filepath.Join(s.dir, ".serverless/cloudformation-template-update-stack.json"))
	if err != nil || out.Code != 0 {
		t.Fatalf("osls package: %v\n%s%s", err, out.Stdout, out.Stderr)
	}
	var tmpl template
	if err := json.Unmarshal(doc, &tmpl); err != nil {
		t.Fatal(err)
	}
	d := nothing()
	for id, r := range tmpl.Resources {
		p := r.Properties
		tmpl.access(d, r.Type, p)
		switch r.Type {
		case "AWS::Lambda::Function":
			d.Functions[text(p["FunctionName"])] = tmpl.function(p)
			for _, tag := range items(p["Tags"]) {
				d.Tags[text(p["FunctionName"])+" "+text(at(tag, "Key"))+" "+text(at(tag, "Value"))] = true
			}
		case "AWS::ApiGateway::Method":
			if at(p, "Integration", "Type") != "MOCK" {
				d.Routes[text(p["HttpMethod"])+" "+tmpl.path(p["ResourceId"])+" "+tmpl.calls(p["Integration"])] = true
			}
		case "AWS::ApiGatewayV2::Route":
			integration := tmpl.Resources[tmpl.reference(p["Target"], "AWS::ApiGatewayV2::Integration")]
			key := text(p["RouteKey"])
			d.HTTPRoutes[key+" "+tmpl.calls(integration.Properties["IntegrationUri"])] = true
		case "AWS::SNS::Topic":
			d.Topics[text(p["TopicName"])] = true
			for _, sub := range items(p["Subscription"]) {
				d.Subscriptions[text(p["TopicName"])+" "+tmpl.calls(at(sub, "Endpoint"))+" "] = true
			}
		case "AWS::SNS::Subscription":
			topic := tmpl.topic(p["TopicArn"])
			d.Subscriptions[topic+" "+tmpl.calls(p["Endpoint"])+" "+marshal(p["FilterPolicy"])] = true
		case "AWS::Events::Rule":
			for _, target := range items(p["Targets"]) {
				if p["ScheduleExpression"] == nil {
					continue
				}
				d.Schedules[fmt.Sprintf("%s %s %t %s", text(p["ScheduleExpression"]), tmpl.calls(at(target, "Arn")), p["State"] == "ENABLED", compact(text(at(target, "Input"))))] = true
			}
		case "AWS::Scheduler::Schedule":
			d.Schedules[fmt.Sprintf("%s %s %t %s", text(p["ScheduleExpression"]), tmpl.calls(at(p, "Target", "Arn")), p["State"] == "ENABLED", compact(text(at(p, "Target", "Input"))))] = true
		case "AWS::S3::Bucket":
			if id != "ServerlessDeploymentBucket" {
				d.Buckets[text(p["BucketName"])] = true
				tmpl.notifications(d, p)
			}
		case "AWS::Lambda::Url":
			d.URLs[tmpl.calls(p["TargetFunctionArn"])+" "+text(p["AuthType"])] = true
		}
	}
	for key, o := range tmpl.Outputs {
		if key == "ServerlessDeploymentBucketName" { // artifacts are not in a bucket of the stack's here
			continue
		}
		d.Outputs[key+" "+tmpl.value(o.Export["Name"])] = true
	}
	return d.json(t)
}

func (t *template) function(p map[string]any) deployedFunction {
	out := deployedFunction{
		Handler: text(p["Handler"]), Runtime: text(p["Runtime"]), Description: text(p["Description"]),
		Memory: number(p["MemorySize"], 1024), Timeout: number(p["Timeout"], 6), Reserved: number(p["ReservedConcurrentExecutions"], -1),
		Storage: number(at(p, "EphemeralStorage", "Size"), 512),
	}
	vars, ok := at(p, "Environment", "Variables").(map[string]any)
	if ok {
		out.Environment = map[string]string{}
	}
	for name, value := range vars {
		out.Environment[name] = t.value(value)
	}
	return out
}

func (t *template) notifications(d deployed, p map[string]any) {
	for _, n := range items(at(p, "NotificationConfiguration", "LambdaConfigurations")) {
		affix := map[string]string{}
		for _, rule := range items(at(n, "Filter", "S3Key", "Rules")) {
			affix[text(at(rule, "Name"))] = text(at(rule, "Value"))
		}
		d.Notifications[fmt.Sprintf("%s %s %s* *%s %s", text(p["BucketName"]), text(at(n, "Event")), affix["prefix"], affix["suffix"], t.calls(at(n, "Function")))] = true
	}
}

// value is a value with references resolved as they are here.
func (t *template) value(v any) string {
	m, ok := v.(map[string]any)
	if !ok {
		return text(v)
	}
	for key, arg := range m {
		switch key {
		case "Ref":
			pseudo := map[any]string{"AWS::Region": "us-east-1", "AWS::AccountId": "000000000000", "AWS::Partition": "aws"}
			if value, ok := pseudo[arg]; ok {
				return value
			}
			if r := t.Resources[text(arg)]; r.Type == "AWS::SNS::Topic" {
				return "arn:aws:sns:us-east-1:000000000000:" + text(r.Properties["TopicName"])
			} else if r.Type == "AWS::S3::Bucket" {
				return text(r.Properties["BucketName"])
			}
		case "Fn::GetAtt":
			if path := texts(arg); len(path) == 2 && t.Resources[path[0]].Type == "AWS::SQS::Queue" && path[1] == "Arn" {
				return t.queueARN(path[0])
			}
		case "Fn::Join":
			list := items(arg)
			if len(list) != 2 {
				break
			}
			var parts []string
			for _, part := range items(list[1]) {
				parts = append(parts, t.value(part))
			}
			return strings.Join(parts, text(list[0]))
		case "Fn::Sub":
			return strings.NewReplacer("${AWS::Region}", "us-east-1", "${AWS::AccountId}", "000000000000").Replace(text(arg))
		}
	}
	return marshal(v)
}

// path is the path of a resource of API Gateway.
func (t *template) path(ref any) string {
	id := t.reference(ref, "AWS::ApiGateway::Resource")
	if id == "" {
		return "/"
	}
	p := t.Resources[id].Properties
	return strings.TrimSuffix(t.path(p["ParentId"]), "/") + "/" + text(p["PathPart"])
}

// topic is the name of a topic that is referred to or named by its ARN.
func (t *template) topic(ref any) string {
	if id := t.reference(ref, "AWS::SNS::Topic"); id != "" {
		return text(t.Resources[id].Properties["TopicName"])
	}
	return last(t.value(ref))
}

// calls is the name of the function that a value refers to.
func (t *template) calls(v any) string {
	if id := t.reference(v, "AWS::Lambda::Function"); id != "" {
		return text(t.Resources[id].Properties["FunctionName"])
	}
	return marshal(v)
}

// reference finds the first Ref or Fn::GetAtt to a resource of a type.
func (t *template) reference(v any, kind string) string {
	switch v := v.(type) {
	case string:
		if t.Resources[v].Type == kind {
			return v
		}
	case []any:
		for _, item := range v {
			if id := t.reference(item, kind); id != "" {
				return id
			}
		}
	case map[string]any:
		for _, key := range sorted(v) {
			if id := t.reference(v[key], kind); id != "" {
				return id
			}
		}
	}
	return ""
}

func at(v any, path ...string) any {
	for _, key := range path {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

func items(v any) []any {
	list, _ := v.([]any)
	return list
}

func text(v any) string {
	if v == nil {
		return ""
	}
	if s, ok := v.(string); ok {
		return s
	}
	return marshal(v)
}

func marshal(v any) string {
	if v == nil {
		return ""
	}
	doc, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(doc)
}

func number(v any, otherwise int) int {
	if n, ok := v.(float64); ok {
		return int(n)
	}
	return otherwise
}
