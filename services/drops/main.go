// Drops shares files, notes and links under short codes.
//
// The program is every function of serverless.yml: _HANDLER says which one. It
// is also a plain HTTP server when no Runtime API address is set.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") != "" {
		handler, err := function(context.Background(), os.Getenv, log)
		if err != nil {
			log.Error("start", "err", err)
			os.Exit(1) // an init error: the next invocation tries a new instance
		}
		lambda.Start(handler)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := local(ctx, os.Args[1:], os.Getenv, log)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "drops:", err)
		os.Exit(1)
	}
}
