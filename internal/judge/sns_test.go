package judge

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
)

func snsCalls(s *sdk) {
	c := sns.NewFromConfig(s.config)
	call(s, "list topics", c.ListTopics, &sns.ListTopicsInput{}, nil)
	fails(s, "publish to nothing", "NotFound", c.Publish, &sns.PublishInput{TopicArn: aws.String("arn:aws:sns:us-east-1:000000000000:nothing"), Message: aws.String("m")})
	fails(s, "publish to a telephone", "InvalidParameter", c.Publish, &sns.PublishInput{PhoneNumber: aws.String("+100000000000"), Message: aws.String("m")})
}
