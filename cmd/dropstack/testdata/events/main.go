// Command events has a function for each kind of event.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sns"
)

func main() {
	switch os.Getenv("_HANDLER") {
	case "record":
		lambda.Start(record)
	case "publish":
		lambda.Start(publish)
	case "slow":
		lambda.Start(func(events.APIGatewayV2HTTPRequest) (string, error) {
			fmt.Println("slow begins")
			time.Sleep(3 * time.Second)
			return "finished", nil
		})
	case "broken":
		lambda.Start(broken)
	}
}

// record takes its time over orders: the platform is killed before any is handled, and
// what is handled is in the log.
func record(e json.RawMessage) {
	if bytes.Contains(e, []byte(`"order"`)) {
		time.Sleep(2 * time.Second)
	}
	fmt.Printf("event %s\n", e)
}

// publish uses the official SDK as it is configured by default: the platform says
// where it is and who the function is.
func publish(ctx context.Context, e events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return events.APIGatewayProxyResponse{}, err
	}
	out, err := sns.NewFromConfig(cfg).Publish(ctx, &sns.PublishInput{TopicArn: aws.String(os.Getenv("TOPIC")), Message: &e.Body})
	if err != nil {
		return events.APIGatewayProxyResponse{}, err
	}
	return events.APIGatewayProxyResponse{StatusCode: 200, Body: *out.MessageId}, nil
}

func broken(e events.APIGatewayProxyRequest) (any, error) {
	switch e.PathParameters["how"] {
	case "panic":
		panic("asked to")
	case "exit":
		os.Exit(3)
	case "hang":
		time.Sleep(time.Minute)
	case "nonsense":
		return []int{1, 2, 3}, nil
	}
	return nil, fmt.Errorf("an error")
}
