package judge

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
)

func snsCalls(s *sdk) {
	c := sns.NewFromConfig(s.config)
	call(s, "list topics", c.ListTopics, &sns.ListTopicsInput{}, nil)
	topic := call(s, "a topic", c.CreateTopic, &sns.CreateTopicInput{Name: aws.String("go-orders")}, nil).TopicArn
	call(s, "publish", c.Publish, &sns.PublishInput{TopicArn: topic, Message: aws.String("m"), Subject: aws.String("s"), MessageAttributes: map[string]types.MessageAttributeValue{
		"n": {DataType: aws.String("Number"), StringValue: aws.String("1")}, "b": {DataType: aws.String("Binary"), BinaryValue: []byte{0, 1}},
	}}, func(out *sns.PublishOutput) error { return same(len(*out.MessageId), 36) })
	fails(s, "an attribute of no kind", "ParameterValueInvalid", c.Publish, &sns.PublishInput{TopicArn: topic, Message: aws.String("m"), MessageAttributes: map[string]types.MessageAttributeValue{
		"n": {DataType: aws.String("Number"), StringValue: aws.String("many")},
	}})
	fails(s, "an empty message", "InvalidParameter", c.Publish, &sns.PublishInput{TopicArn: topic, Message: aws.String("")})
	call(s, "publish several", c.PublishBatch, &sns.PublishBatchInput{TopicArn: topic, PublishBatchRequestEntries: []types.PublishBatchRequestEntry{{Id: aws.String("1"), Message: aws.String("a")}, {Id: aws.String("2"), Message: aws.String("")}}},
		func(out *sns.PublishBatchOutput) error {
			return same([]int{len(out.Successful), len(out.Failed)}, []int{1, 1})
		})
	call(s, "delete the topic", c.DeleteTopic, &sns.DeleteTopicInput{TopicArn: topic}, nil)
	fails(s, "publish to nothing", "NotFound", c.Publish, &sns.PublishInput{TopicArn: aws.String("arn:aws:sns:us-east-1:000000000000:nothing"), Message: aws.String("m")})
	fails(s, "publish to a telephone", "InvalidParameter", c.Publish, &sns.PublishInput{PhoneNumber: aws.String("+100000000000"), Message: aws.String("m")})
}
