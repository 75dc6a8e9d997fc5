package api_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/dropstack/dropstack/internal/alert/alarm"
	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/testkit"
)

// direct replaces alarms at once, as an edited revision does.
type direct struct {
	*alarm.Alarms
	list []alarm.Alarm
}

func (d *direct) EditAlarms(ctx context.Context, _ string, change func([]alarm.Alarm) ([]alarm.Alarm, error)) error {
	next, err := change(d.list)
	if err == nil {
		d.list = next
		err = d.Replace(ctx, "api", next)
	}
	return err
}

func TestTheOfficialClientMakesAlarms(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	store := &metric.Store{Dir: t.TempDir(), Log: log}
	if err := store.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	var published []string
	alarms := &alarm.Alarms{
		Metrics: store, Streams: enginetest.Streams(t), Region: "us-east-1", Log: log,
		Publish: func(_ context.Context, topic, subject, _ string) error {
			published = append(published, topic+" "+subject)
			return nil
		},
	}
	if err := alarms.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	alarms.Editor = &direct{Alarms: alarms}
	w := serve(t, &api.Server{Services: []*api.Service{(&api.CloudWatch{Store: store, Alarms: alarms, Region: "us-east-1"}).Service()}})
	c := cloudwatch.New(cloudwatch.Options{
		HTTPClient:   testkit.AWSClient(),
		BaseEndpoint: &w.url, Region: "us-east-1", Credentials: provider(w.keys.Admin()), RetryMaxAttempts: 1,
	})
	ctx := t.Context()
	put := &cloudwatch.PutMetricAlarmInput{
		AlarmName: aws.String("failing"), AlarmDescription: aws.String("f fails"), Namespace: aws.String("AWS/Lambda"), MetricName: aws.String("Errors"),
		Dimensions: []types.Dimension{{Name: aws.String("FunctionName"), Value: aws.String("f")}}, Statistic: types.StatisticSum, Period: aws.Int32(60),
		EvaluationPeriods: aws.Int32(3), DatapointsToAlarm: aws.Int32(2), Threshold: aws.Float64(0), ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold,
		AlarmActions: []string{"arn:aws:sns:us-east-1:000000000000:news"}, TreatMissingData: aws.String("notBreaching"),
	}
	if _, err := c.PutMetricAlarm(ctx, put); err != nil {
		t.Fatal(err)
	}
	describe := func() types.MetricAlarm {
		t.Helper()
		out, err := c.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNamePrefix: aws.String("fail")})
		if err != nil || len(out.MetricAlarms) != 1 {
			t.Fatalf("DescribeAlarms: got %+v, %v, want one", out, err)
		}
		return out.MetricAlarms[0]
	}
	got := describe()
	if got.StateValue != types.StateValueInsufficientData || aws.ToInt32(got.DatapointsToAlarm) != 2 || aws.ToFloat64(got.Threshold) != 0 || got.Threshold == nil ||
		!aws.ToBool(got.ActionsEnabled) || aws.ToString(got.AlarmArn) != "arn:aws:cloudwatch:us-east-1:000000000000:alarm:failing" ||
		time.Since(aws.ToTime(got.StateUpdatedTimestamp)) > time.Minute || aws.ToString(got.Dimensions[0].Value) != "f" {
		t.Errorf("after it was made: %+v", got)
	}
	if _, err := c.SetAlarmState(ctx, &cloudwatch.SetAlarmStateInput{AlarmName: aws.String("failing"), StateValue: types.StateValueAlarm, StateReason: aws.String("a drill")}); err != nil {
		t.Fatal(err)
	}
	if got := describe(); got.StateValue != types.StateValueAlarm || aws.ToString(got.StateReason) != "a drill" {
		t.Errorf("after it was set: %+v", got)
	}
	if len(published) != 1 || published[0] != `arn:aws:sns:us-east-1:000000000000:news ALARM: "failing" in us-east-1` {
		t.Errorf("published %q", published)
	}
	if _, err := c.DisableAlarmActions(ctx, &cloudwatch.DisableAlarmActionsInput{AlarmNames: []string{"failing"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.SetAlarmState(ctx, &cloudwatch.SetAlarmStateInput{AlarmName: aws.String("failing"), StateValue: types.StateValueOk, StateReason: aws.String("over")}); err != nil {
		t.Fatal(err)
	}
	if got := describe(); got.StateValue != types.StateValueOk || aws.ToBool(got.ActionsEnabled) || len(published) != 1 {
		t.Errorf("without actions: %+v, published %q", got, published)
	}
	if _, err := c.EnableAlarmActions(ctx, &cloudwatch.EnableAlarmActionsInput{AlarmNames: []string{"failing"}}); err != nil || !aws.ToBool(describe().ActionsEnabled) {
		t.Errorf("EnableAlarmActions: %v", err)
	}
	of, err := c.DescribeAlarmsForMetric(ctx, &cloudwatch.DescribeAlarmsForMetricInput{Namespace: put.Namespace, MetricName: put.MetricName, Dimensions: put.Dimensions})
	if err != nil || len(of.MetricAlarms) != 1 {
		t.Errorf("DescribeAlarmsForMetric: got %+v, %v", of, err)
	}
	history, err := c.DescribeAlarmHistory(ctx, &cloudwatch.DescribeAlarmHistoryInput{AlarmName: aws.String("failing"), ScanBy: types.ScanByTimestampAscending})
	if err != nil || len(history.AlarmHistoryItems) != 6 || history.AlarmHistoryItems[0].HistoryItemType != types.HistoryItemTypeConfigurationUpdate {
		t.Errorf("DescribeAlarmHistory: got %d items, %v, want 6: %+v", len(history.AlarmHistoryItems), err, history.AlarmHistoryItems)
	}
	if _, err := c.DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"failing"}}); err != nil {
		t.Fatal(err)
	}
	_, err = c.DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"failing"}})
	if gone, ok := errors.AsType[*types.ResourceNotFound](err); !ok || !strings.Contains(gone.ErrorMessage(), "failing") {
		t.Errorf("DeleteAlarms of one that has gone: got %v, want ResourceNotFound", err)
	}
	put.Period = aws.Int32(7)
	if _, err := c.PutMetricAlarm(ctx, put); err == nil || !strings.Contains(err.Error(), "eriod") {
		t.Errorf("a period of 7 seconds: got %v", err)
	}
}
