package cloudformation

import (
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/edge/accesslog"
)

// isAccessStream tells whether an ARN is that of the one stream there is: of what the
// edge has answered.
func isAccessStream(source string) bool {
	a, err := arn.Parse(source)
	return err == nil && a.Service == "kinesis" && a.Account == arn.Account && a.Resource == "stream/"+accesslog.Stream
}

// accessReader is an AWS::Lambda::EventSourceMapping of the access records.
func accessReader(p *plan, r Resource, in *properties) (Identity, error) {
	reader := accesslog.Reader{
		Stack: p.stack, ID: p.uuid(r), Batch: in.numberOr("BatchSize", 1, 10000, 0), Disabled: !in.flagOr("Enabled", true),
		Window: time.Duration(in.numberOr("MaximumBatchingWindowInSeconds", 0, 300, 0)) * time.Second,
	}
	if f := in.function("FunctionName"); f != "" {
		reader.Function = arn.Function(p.region, f)
	}
	in.refuse("records are given to functions as they come, all of them", "FilterCriteria", "TumblingWindowInSeconds", "DestinationConfig")
	in.refuse("it is of queues and brokers", "SelfManagedEventSource", "ScalingConfig", "SourceAccessConfigurations", "Topics", "Queues")
	in.idle("a batch that fails is given again, whole", "BisectBatchOnFunctionError", "FunctionResponseTypes", "MaximumRecordAgeInSeconds", "MaximumRetryAttempts")
	in.idle("one batch is given after the other", "ParallelizationFactor", "ProvisionedPollerConfig", "MetricsConfig")
	in.known("StartingPosition", "StartingPositionTimestamp", "KmsKeyArn", "Tags", "LoggingConfig") // what has come before is in the access log
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	p.revision.AccessReaders = append(p.revision.AccessReaders, reader)
	return Identity{Physical: reader.ID, Attributes: map[string]string{"Id": reader.ID, "EventSourceMappingArn": p.arn("lambda", "event-source-mapping:"+reader.ID)}}, nil
}
