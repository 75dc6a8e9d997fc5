package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

// What only the newest client offers.
func init() {
	start = func() {
		switch os.Getenv("KIND") {
		case "reader":
			lambda.Start(reader)
		case "url":
			lambda.Start(url)
		case "sigterm":
			lambda.StartWithOptions(handle, lambda.WithEnableSIGTERM(func() {
				_ = os.WriteFile(os.Getenv("NOTES"), []byte("terminated"), 0o600)
				os.Exit(0)
			}))
		default:
			lambda.Start(handle)
		}
	}
}

// broken is a reader that fails after its text.
type broken struct {
	text string
	err  error
}

func (b *broken) Read(p []byte) (int, error) {
	if b.text == "" {
		return 0, b.err
	}
	n := copy(p, b.text)
	b.text = b.text[n:]
	return n, nil
}

// typed is a reader with a content type, which makes it a stream. As JSON it is
// {}, which the client takes for no JSON at all.
type typed struct{ from io.Reader }

func (t typed) Read(b []byte) (int, error) { return t.from.Read(b) }

func (typed) ContentType() string { return "text/plain" }

func reader(_ context.Context, raw json.RawMessage) (io.Reader, error) {
	var e event
	_ = json.Unmarshal(raw, &e)
	switch e.Do {
	case "fail":
		return nil, errors.New(e.Text)
	case "break":
		return typed{&broken{e.Text, errors.New("torn")}}, nil
	case "panic":
		return typed{&panics{broken{e.Text, nil}}}, nil
	}
	return typed{strings.NewReader(strings.Repeat(e.Text, max(1, e.N)))}, nil
}

type panics struct{ broken }

func (p *panics) Read(b []byte) (int, error) {
	if p.text == "" {
		panic("in mid-stream")
	}
	return p.broken.Read(b)
}

func url(_ context.Context, raw json.RawMessage) (*events.LambdaFunctionURLStreamingResponse, error) {
	var e event
	_ = json.Unmarshal(raw, &e)
	return &events.LambdaFunctionURLStreamingResponse{
		StatusCode: http.StatusTeapot, Headers: map[string]string{"X-Said": e.Text}, Cookies: []string{"a=1", "b=2"},
		Body: strings.NewReader(fmt.Sprint("body ", e.Text)),
	}, nil
}
