package cloudformation

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/alert/alarm"
	"github.com/dropstack/dropstack/internal/metric"
)

func TestAlarmsAndWhatTheyCount(t *testing.T) {
	p := planned(t, &ground{}, `{"Resources": {"F": `+fn("")+`,
		"News": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "news"}},
		"Fails": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"AlarmName": "fails", "Namespace": "AWS/Lambda", "MetricName": "Errors", "Statistic": "Sum", "ActionsEnabled": "true",
			"Dimensions": [{"Name": "FunctionName", "Value": {"Ref": "F"}}], "Period": "60", "EvaluationPeriods": "3", "DatapointsToAlarm": 2, "Threshold": "0.5",
			"ComparisonOperator": "GreaterThanThreshold", "AlarmActions": [{"Ref": "News"}]}},
		"Unnamed": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "LessThanThreshold", "Metrics": [
			{"Id": "all", "Expression": "a + b"},
			{"Id": "a", "ReturnData": false, "MetricStat": {"Metric": {"Namespace": "shop", "MetricName": "A"}, "Period": 60, "Stat": "Sum"}},
			{"Id": "b", "ReturnData": "false", "MetricStat": {"Metric": {"Namespace": "shop", "MetricName": "B"}, "Period": 60, "Stat": "Sum"}}]}},
		"Refused": {"Type": "AWS::Logs::MetricFilter", "Properties": {"FilterName": "refused", "LogGroupName": {"Fn::Sub": "/aws/lambda/${F}"}, "FilterPattern": "refused",
			"MetricTransformations": [{"MetricName": "Refused", "MetricNamespace": "shop", "MetricValue": "1", "DefaultValue": 0}]}},
		"App": {"Type": "AWS::CodeDeploy::Application", "Properties": {"ComputePlatform": "Lambda"}},
		"Group": {"Type": "AWS::CodeDeploy::DeploymentGroup", "Properties": {"ApplicationName": {"Ref": "App"}, "DeploymentConfigName": "CodeDeployDefault.LambdaCanary10Percent5Minutes", "ServiceRoleArn": "r",
			"AlarmConfiguration": {"Enabled": true, "Alarms": [{"Name": {"Ref": "Fails"}}, {"Name": "another"}]}}},
		"V": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "F"}}},
		"Live": {"Type": "AWS::Lambda::Alias", "UpdatePolicy": {"CodeDeployLambdaAliasUpdate": {"ApplicationName": {"Ref": "App"}, "DeploymentGroupName": {"Ref": "Group"}}},
			"Properties": {"FunctionName": {"Ref": "F"}, "FunctionVersion": {"Fn::GetAtt": ["V", "Version"]}, "Name": "live"}}
	}}`)
	half, one, zero := 0.5, 1.0, 0.0
	unnamed := p.made["Unnamed"].Physical
	if !strings.HasPrefix(unnamed, "shop-dev-Unnamed-") {
		t.Errorf("the alarm without a name is called %q", unnamed)
	}
	stat := func(name string) *metric.MetricStat {
		return &metric.MetricStat{Metric: &metric.Metric{Namespace: "shop", MetricName: name}, Period: 60, Stat: "Sum"}
	}
	if diff := cmp.Diff([]alarm.Alarm{
		{
			AlarmName: "fails", Namespace: "AWS/Lambda", MetricName: "Errors", Statistic: "Sum", Dimensions: []metric.Dimension{{Name: "FunctionName", Value: "f"}},
			Period: 60, EvaluationPeriods: 3, DatapointsToAlarm: 2, Threshold: &half, ComparisonOperator: "GreaterThanThreshold",
			AlarmActions: []string{"arn:aws:sns:us-east-1:000000000000:news"},
		},
		{
			AlarmName: unnamed, EvaluationPeriods: 1, Threshold: &one, ComparisonOperator: "LessThanThreshold", Metrics: []metric.MetricDataQuery{
				{ID: "all", Expression: "a + b"}, {ID: "a", ReturnData: new(bool), MetricStat: stat("A")}, {ID: "b", ReturnData: new(bool), MetricStat: stat("B")},
			},
		},
	}, p.revision.Alarms); diff != "" {
		t.Errorf("alarms (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]alarm.Filter{
		{Name: "refused", Group: "/aws/lambda/f", Pattern: "refused", Namespace: "shop", Metric: "Refused", Value: "1", Default: &zero},
	}, p.revision.MetricFilters); diff != "" {
		t.Errorf("metric filters (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"fails", "another"}, p.revision.Functions[0].Shift.Alarms); diff != "" {
		t.Errorf("alarms of the shift (-want +got):\n%s", diff)
	}
	if got := p.made["Fails"].Attributes["Arn"]; got != "arn:aws:cloudwatch:us-east-1:000000000000:alarm:fails" {
		t.Errorf("Arn: %s", got)
	}
}
