package cloudformation

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/bus"
	"github.com/dropstack/dropstack/internal/pattern"
	"github.com/dropstack/dropstack/internal/schedule"
)

func TestRules(t *testing.T) {
	p := planned(t, &ground{}, `{"Resources": {"F": `+fn("")+`, "Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q"}},
		"Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "shop"}},
		"Hourly": {"Type": "AWS::Events::Rule", "Properties": {"Name": "hourly", "ScheduleExpression": "rate(1 hour)", "State": "DISABLED", "Targets": [
			{"Id": "a", "Arn": {"Fn::GetAtt": ["F", "Arn"]}, "Input": "{\"a\":1}"},
			{"Id": "b", "Arn": {"Fn::Join": [":", [{"Fn::GetAtt": ["F", "Arn"]}, "live"]]}, "InputTransformer": {"InputTemplate": "<t>", "InputPathsMap": {"t": "$.time"}}}]}},
		"Idle": {"Type": "AWS::Events::Rule", "Properties": {"Name": "idle", "ScheduleExpression": "rate(2 hours)"}},
		"Orders": {"Type": "AWS::Events::Rule", "Properties": {"Name": "orders", "EventBusName": {"Ref": "Bus"}, "EventPattern": {"source": ["shop"], "detail": {"n": [{"numeric": [">", 1]}]}}, "Targets": [
			{"Id": "q", "Arn": {"Fn::GetAtt": ["Q", "Arn"]}, "InputPath": "$.detail", "SqsParameters": {"MessageGroupId": "g"}, "RetryPolicy": {"MaximumRetryAttempts": "2", "MaximumEventAgeInSeconds": 60},
				"DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:000000000000:dead"}}]}}
	}}`)
	own := func(name string) schedule.Schedule {
		return schedule.Schedule{Stack: "shop-dev", Name: name, ARN: arn.Rule(arn.Region, name)}
	}
	a, b, idle := own("hourly"), own("hourly"), own("idle")
	a.Expression, a.Disabled, a.Target, a.Function, a.Input = "rate(1 hour)", true, "a", "f", `{"a":1}`
	b.Expression, b.Disabled, b.Target, b.Function, b.Transformer = "rate(1 hour)", true, "b", "f:live", &pattern.Transformer{Paths: map[string]string{"t": "$.time"}, Template: "<t>"}
	idle.Expression = "rate(2 hours)"
	if diff := cmp.Diff([]schedule.Schedule{a, b, idle}, p.revision.Schedules); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	rules := []bus.Rule{{
		Stack: "shop-dev", Name: "orders", ARN: "arn:aws:events:us-east-1:000000000000:rule/shop/orders", Bus: "shop", Pattern: `{"detail":{"n":[{"numeric":[">",1]}]},"source":["shop"]}`,
		Targets: []bus.Target{{
			ID: "q", ARN: "arn:aws:sqs:us-east-1:000000000000:q", Input: pattern.Input{Path: "$.detail"}, Group: "g", MaxAge: 60, MaxRetries: new(2), DeadLetter: "arn:aws:sqs:us-east-1:000000000000:dead",
		}},
	}}
	if diff := cmp.Diff(rules, p.revision.Rules); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := p.made["Orders"].Physical; got != "shop|orders" {
		t.Errorf("got %q", got)
	}
}

func TestARuleWithoutANameKeepsTheOneItGot(t *testing.T) {
	const text = `{"Resources": {"R": {"Type": "AWS::Events::Rule", "Properties": {"EventBusName": "shop", "EventPattern": {"source": ["a"]}}}}}`
	g := &ground{}
	first := planned(t, g, text).made["R"].Physical
	if !strings.HasPrefix(first, "shop|shop-dev-R-") {
		t.Errorf("got %q", first)
	}
	again, err := run(t, g, parse(t, text), map[string]string{"R": first})
	if err != nil {
		t.Fatal(err)
	}
	if got := again.made["R"].Physical; got != first {
		t.Errorf("got %q, want %q", got, first)
	}
}

func TestSchedulesOfTheScheduler(t *testing.T) {
	p := planned(t, &ground{}, `{"Resources": {"F": `+fn("")+`, "G": {"Type": "AWS::Scheduler::ScheduleGroup", "Properties": {"Name": "g"}},
		"A": {"Type": "AWS::Scheduler::Schedule", "Properties": {"Name": "a", "GroupName": {"Ref": "G"}, "ScheduleExpression": "cron(0 5 ? * MON *)", "ScheduleExpressionTimezone": "Europe/Warsaw",
			"FlexibleTimeWindow": {"Mode": "OFF"}, "Target": {"Arn": {"Fn::GetAtt": ["F", "Arn"]}, "RoleArn": "r", "Input": "{}"}}},
		"B": {"Type": "AWS::Scheduler::Schedule", "Properties": {"Name": "b", "ScheduleExpression": "rate(1 hour)", "StartDate": "2030-01-31T09:00:00+01:00", "EndDate": "2031-01-31T08:00:00Z",
			"FlexibleTimeWindow": {"Mode": "OFF"}, "Target": {"Arn": "arn:aws:sqs:us-east-1:000000000000:jobs", "RoleArn": "r", "Input": "{}", "RetryPolicy": {"MaximumRetryAttempts": "2"}}}}}}`)
	want := []schedule.Schedule{{
		Stack: "shop-dev", Name: "a", ARN: "arn:aws:scheduler:us-east-1:000000000000:schedule/g/a", Expression: "cron(0 5 ? * MON *)", Function: "f", Input: "{}",
		Zone: "Europe/Warsaw", Scheduler: true, Group: "g", Role: "r",
	}, {
		Stack: "shop-dev", Name: "b", ARN: "arn:aws:scheduler:us-east-1:000000000000:schedule/default/b", Expression: "rate(1 hour)", Input: "{}", Scheduler: true, Role: "r",
		To: "arn:aws:sqs:us-east-1:000000000000:jobs", MaxRetries: new(2), Start: time.Date(2030, 1, 31, 8, 0, 0, 0, time.UTC), End: time.Date(2031, 1, 31, 8, 0, 0, 0, time.UTC),
	}}
	if diff := cmp.Diff(want, p.revision.Schedules); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestNetworks(t *testing.T) {
	p := planned(t, &ground{}, `{"Resources": {
		"VPC": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16", "EnableDnsSupport": true}},
		"A": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "VPC"}, "CidrBlock": "10.0.1.0/24"}},
		"NAT": {"Type": "AWS::EC2::NatGateway", "Properties": {"SubnetId": {"Ref": "A"}}},
		"Table": {"Type": "AWS::EC2::RouteTable", "Properties": {"VpcId": {"Ref": "VPC"}}},
		"Out": {"Type": "AWS::EC2::Route", "Properties": {"RouteTableId": {"Ref": "Table"}, "DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": {"Ref": "NAT"}}},
		"Z": {"Type": "AWS::EC2::SubnetRouteTableAssociation", "Properties": {"SubnetId": {"Ref": "A"}, "RouteTableId": {"Ref": "Table"}}},
		"G": {"Type": "AWS::EC2::SecurityGroup", "Properties": {"VpcId": {"Ref": "VPC"}, "GroupDescription": "g", "SecurityGroupIngress": [{"IpProtocol": 6, "FromPort": "443", "ToPort": 443, "CidrIp": {"Fn::GetAtt": ["VPC", "CidrBlock"]}}]}},
		"DB": {"Type": "AWS::EC2::NetworkInterface", "Metadata": {"dropstack:attach": "192.168.1.20"}, "Properties": {"SubnetId": {"Ref": "A"}, "PrivateIpAddress": "10.0.1.20", "GroupSet": [{"Ref": "G"}]}},
		"F": `+fn(`, "VpcConfig": {"SubnetIds": [{"Ref": "A"}], "SecurityGroupIds": [{"Fn::GetAtt": ["G", "GroupId"]}]}, "Environment": {"Variables": {"DB": {"Fn::GetAtt": ["DB", "PrimaryPrivateIpAddress"]}}}`)+`
	}}`)
	m := p.revision.Network
	if len(m.VPCs) != 1 || len(m.Subnets) != 1 || len(m.Subnets[0].Routes) != 1 || m.Subnets[0].Routes[0].Target != "nat" || len(m.Groups) != 1 || len(m.Groups[0].Ingress) != 1 || len(m.Interfaces) != 1 {
		t.Errorf("got %+v", m)
	}
	fn := p.revision.Functions[0]
	if fn.VPC.Subnets[0] != "shop-dev-A" || fn.VPC.Groups[0] != "shop-dev-G" || fn.Environment["DB"] != "10.0.1.20" {
		t.Errorf("got %+v", fn)
	}
	if problems := m.Check(); len(problems) > 0 {
		t.Error(problems)
	}
}
