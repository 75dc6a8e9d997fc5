// Command login has pages for everybody, and a login that nobody knows the password of.
package main

import (
	"context"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(_ context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		out := events.APIGatewayV2HTTPResponse{StatusCode: http.StatusOK, Body: "welcome " + e.RequestContext.HTTP.SourceIP}
		switch {
		case e.RawPath == "/login":
			out.StatusCode, out.Body = http.StatusUnauthorized, "wrong password"
		case strings.HasPrefix(e.RawPath, "/missing"):
			out.StatusCode, out.Body = http.StatusNotFound, "not here"
		}
		return out, nil
	})
}
