// Command needs has functions that try what they may do.
package main

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"
)

func main() { lambda.Start(try) }

// try makes four calls with the SDK as it is configured by default, and tells what
// came of each: "" or the error's code and words.
func try(ctx context.Context) (map[string]string, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	bucket, key := aws.String("needs-dev"), aws.String("a")
	objects := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	told := map[string]string{"environment": os.Getenv("PASSWORD")}
	_, err = sns.NewFromConfig(cfg).Publish(ctx, &sns.PublishInput{TopicArn: aws.String(os.Getenv("TOPIC")), Message: aws.String("m")})
	told["publish"] = words(err)
	_, err = ssm.NewFromConfig(cfg).GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/needs/PASSWORD"), WithDecryption: aws.Bool(true)})
	told["parameter"] = words(err)
	_, err = objects.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader("x")})
	told["put"] = words(err)
	_, err = objects.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key})
	told["get"] = words(err)
	return told, nil
}

func words(err error) string {
	var known smithy.APIError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &known):
		return known.ErrorCode() + ": " + known.ErrorMessage()
	}
	return err.Error()
}
