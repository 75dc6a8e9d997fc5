// Abuse finds clients that probe, guess passwords or take far more than others, from
// the access log, and has them banned.
//
// The program is every function of serverless.yml: _HANDLER says which one. Without a
// Runtime API address it judges log files instead, and prints what it would do.
package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") != "" {
		handler, err := function(os.Getenv, log)
		if err != nil {
			log.Error("start", "err", err)
			os.Exit(1) // an init error: the next invocation tries a new instance
		}
		lambda.Start(handler)
		return
	}
	if err := local(os.Args[1:], os.Getenv, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "abuse:", err)
		os.Exit(1)
	}
}
