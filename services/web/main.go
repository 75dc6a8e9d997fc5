// Command web renders the pages of Drops: the upload page, the page of a drop,
// the owner's list and oEmbed.
//
// It keeps nothing. Every page asks the drops service (package wire holds the
// messages) and turns the answer into HTML; bytes are fetched by the browser
// from the content origin, never through here.
//
// With AWS_LAMBDA_RUNTIME_API set it is a Lambda function, and _HANDLER picks
// what it serves: page or static. Without, it is a plain HTTP server on PORT:
//
//	DROPS_URL=http://127.0.0.1:8081 go run ./services/web   # in front of a drops server
//	go run ./services/web --sample                          # with made-up drops, for design work
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "web:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, env func(string) string, stderr io.Writer) error {
	log := slog.New(slog.NewJSONHandler(stderr, nil))
	if env("AWS_LAMBDA_RUNTIME_API") != "" {
		return serveLambda(env, log)
	}
	flags := flag.NewFlagSet("web", flag.ContinueOnError)
	flags.SetOutput(stderr)
	sample := flags.Bool("sample", false, "serve made-up drops instead of asking DROPS_URL")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	log = slog.New(slog.NewTextHandler(stderr, nil))
	handler, err := plain(*sample, env, log)
	if err != nil {
		return err
	}
	return serveHTTP(ctx, listenAddress(env("PORT")), handler, log)
}

// serveLambda answers invocations until the runtime ends the process.
func serveLambda(env func(string) string, log *slog.Logger) error {
	static, err := loadAssets()
	if err != nil {
		return err
	}
	handlers := map[string]func() (http.Handler, error){
		"static": func() (http.Handler, error) { return static, nil },
		"page": func() (http.Handler, error) {
			drops, err := newLambdaDrops(env)
			if err != nil {
				return nil, err
			}
			return (&pages{Drops: drops, Assets: static, Log: log, ContentOrigin: env("CONTENT_ORIGIN")}).handler(), nil
		},
	}
	build, ok := handlers[env("_HANDLER")]
	if !ok {
		return fmt.Errorf("no handler %q: serverless.yml may name page or static", env("_HANDLER"))
	}
	h, err := build()
	if err != nil {
		return err
	}
	lambda.Start(adapt(h))
	return nil
}

// listenAddress reads PORT, which is a port number or host:port.
func listenAddress(port string) string {
	switch {
	case port == "":
		return "127.0.0.1:8082"
	case strings.Contains(port, ":"):
		return port
	}
	return net.JoinHostPort("127.0.0.1", port)
}

func serveHTTP(ctx context.Context, addr string, h http.Handler, log *slog.Logger) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen on %s (set PORT to another port or host:port): %w", addr, err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	done := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		done <- srv.Shutdown(grace)
	}()
	log.Info("listening", "url", "http://"+l.Addr().String())
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-done
}
