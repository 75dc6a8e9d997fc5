// Command recorder writes down every message that it is given, and reads them back.
package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	path := filepath.Join(os.Getenv("DROPSTACK_MOUNT"), "messages")
	if os.Getenv("_HANDLER") == "read" {
		lambda.Start(func() ([]string, error) {
			doc, err := os.ReadFile(path)
			if os.IsNotExist(err) {
				return nil, nil
			}
			return strings.Fields(string(doc)), err
		})
		return
	}
	lambda.Start(func(_ context.Context, e events.SNSEvent) error {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
		if err != nil {
			return err
		}
		defer f.Close()
		for _, r := range e.Records {
			if _, err := f.WriteString(r.SNS.Message + "\n"); err != nil {
				return err
			}
		}
		return f.Sync()
	})
}
