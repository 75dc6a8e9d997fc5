package accesslog

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/function"
)

// event is what a reader gets: Lambda's event of a Kinesis stream.
type event struct {
	Records []eventRecord `json:"Records"`
}

type eventRecord struct {
	Kinesis        kinesis `json:"kinesis"`
	EventSource    string  `json:"eventSource"`
	EventVersion   string  `json:"eventVersion"`
	EventID        string  `json:"eventID"`
	EventName      string  `json:"eventName"`
	InvokeIdentity string  `json:"invokeIdentityArn"`
	Region         string  `json:"awsRegion"`
	Source         string  `json:"eventSourceARN"`
}

type kinesis struct {
	SchemaVersion  string      `json:"kinesisSchemaVersion"`
	PartitionKey   string      `json:"partitionKey"`
	SequenceNumber string      `json:"sequenceNumber"`
	Data           []byte      `json:"data"`
	Arrival        json.Number `json:"approximateArrivalTimestamp"`
}

// shard is the one that the stream has.
const shard = "shardId-000000000000"

// StreamARN is the ARN of the stream.
func StreamARN(region string) string {
	return arn.ARN{Partition: "aws", Service: "kinesis", Region: region, Account: arn.Account, Resource: "stream/" + Stream}.String()
}

func (l *Log) event(reader Reader, batch []entry) ([]byte, error) {
	role := ""
	if l.Role != nil {
		role = l.Role(reader.Function)
	}
	e := event{Records: make([]eventRecord, len(batch))}
	source := StreamARN(l.Region)
	for i, entry := range batch {
		number := fmt.Sprintf("49%054d", entry.sequence) // of 56 digits, as Kinesis's
		e.Records[i] = eventRecord{
			EventSource: "aws:kinesis", EventVersion: "1.0", EventID: shard + ":" + number, EventName: "aws:kinesis:record",
			InvokeIdentity: role, Region: l.Region, Source: source,
			Kinesis: kinesis{
				SchemaVersion: "1.0", PartitionKey: entry.key, SequenceNumber: number, Data: entry.data, Arrival: epochSeconds(entry.at),
			},
		}
	}
	return json.Marshal(e)
}

func epochSeconds(t time.Time) json.Number {
	return json.Number(strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64))
}

// invoke has the function handle a batch.
func (l *Log) invoke(ctx context.Context, reader Reader, batch []entry) error {
	payload, err := l.event(reader, batch)
	if err != nil {
		return err
	}
	result, err := l.Invoker.Invoke(ctx, function.Invocation{Function: reader.Function, Payload: payload, Marshalled: true, Trigger: function.TriggerEdge})
	if err == nil && result.FunctionError != "" {
		err = fmt.Errorf("the function failed (%s): %.300s", result.ErrorType, result.Payload)
	}
	return err
}
