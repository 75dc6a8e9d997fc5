package api_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/dropstack/dropstack/internal/arn"
)

// TestReadersOfAccessRecordsAreMappings makes, changes and removes a reader by AWS's
// client.
func TestReadersOfAccessRecordsAreMappings(t *testing.T) {
	c, _ := deployed(t)
	const stream = "arn:aws:kinesis:us-east-1:000000000000:stream/edge-access"
	create := &lambda.CreateEventSourceMappingInput{
		EventSourceArn: aws.String(stream), FunctionName: aws.String("f"), StartingPosition: types.EventSourcePositionLatest, BatchSize: aws.Int32(50),
	}
	made, err := c.CreateEventSourceMapping(t.Context(), create)
	if err != nil {
		t.Fatal(err)
	}
	if *made.FunctionArn != arn.Function(arn.Region, "f") || *made.EventSourceArn != stream || *made.BatchSize != 50 || *made.MaximumBatchingWindowInSeconds != 0 ||
		*made.State != "Enabled" || made.StartingPosition != types.EventSourcePositionLatest || made.LastModified.IsZero() {
		t.Errorf("made %+v", made)
	}
	if _, err := c.CreateEventSourceMapping(t.Context(), create); code(err) != "ResourceConflictException" {
		t.Errorf("twice: %v", err)
	}
	for name, in := range map[string]*lambda.CreateEventSourceMappingInput{
		"no position":      {EventSourceArn: aws.String(stream), FunctionName: aws.String("f:$LATEST")},
		"from a moment":    {EventSourceArn: aws.String(stream), FunctionName: aws.String("f"), StartingPosition: types.EventSourcePositionAtTimestamp},
		"another stream":   {EventSourceArn: aws.String(stream + "s"), FunctionName: aws.String("f"), StartingPosition: types.EventSourcePositionLatest},
		"a large batch":    {EventSourceArn: aws.String(stream), FunctionName: aws.String("f"), StartingPosition: types.EventSourcePositionLatest, BatchSize: aws.Int32(10001)},
		"an empty batch":   {EventSourceArn: aws.String(stream), FunctionName: aws.String("f"), StartingPosition: types.EventSourcePositionLatest, BatchSize: aws.Int32(0)},
		"failures in part": {EventSourceArn: aws.String(stream), FunctionName: aws.String("f"), StartingPosition: types.EventSourcePositionLatest, FunctionResponseTypes: []types.FunctionResponseType{types.FunctionResponseTypeReportBatchItemFailures}},
	} {
		if _, err := c.CreateEventSourceMapping(t.Context(), in); code(err) != "InvalidParameterValueException" {
			t.Errorf("%s: %v", name, err)
		}
	}
	changed, err := c.UpdateEventSourceMapping(t.Context(), &lambda.UpdateEventSourceMappingInput{
		UUID: made.UUID, Enabled: aws.Bool(false), MaximumBatchingWindowInSeconds: aws.Int32(5),
	})
	if err != nil || *changed.State != "Disabled" || *changed.BatchSize != 50 || *changed.MaximumBatchingWindowInSeconds != 5 {
		t.Errorf("changed %+v, %v", changed, err)
	}
	got, err := c.GetEventSourceMapping(t.Context(), &lambda.GetEventSourceMappingInput{UUID: made.UUID})
	if err != nil || *got.State != "Disabled" {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, in := range map[string]*lambda.ListEventSourceMappingsInput{
		"all": {}, "of the function": {FunctionName: aws.String("f")}, "of the stream": {EventSourceArn: aws.String(stream)},
	} {
		list, err := c.ListEventSourceMappings(t.Context(), in)
		if err != nil || len(list.EventSourceMappings) != 1 || *list.EventSourceMappings[0].UUID != *made.UUID {
			t.Errorf("list %s: %+v, %v", name, list, err)
		}
	}
	if list, err := c.ListEventSourceMappings(t.Context(), &lambda.ListEventSourceMappingsInput{FunctionName: aws.String("other")}); err != nil || len(list.EventSourceMappings) != 0 {
		t.Errorf("list of another function: %+v, %v", list, err)
	}
	gone, err := c.DeleteEventSourceMapping(t.Context(), &lambda.DeleteEventSourceMappingInput{UUID: made.UUID})
	if err != nil || *gone.State != "Deleting" {
		t.Errorf("deleted %+v, %v", gone, err)
	}
	if _, err := c.GetEventSourceMapping(t.Context(), &lambda.GetEventSourceMappingInput{UUID: made.UUID}); code(err) != "ResourceNotFoundException" {
		t.Errorf("once gone: %v", err)
	}
}
