// Storm is a function that notes each event it gets before it does what the event
// says. index.js is the same for Node.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
)

type event struct {
	ID   int    `json:"id"`
	Kind string `json:"kind"`
	N    int    `json:"n"` // ms to sleep, or characters to answer
	File string `json:"file"`
}

type answer struct {
	ID   int    `json:"id"`
	Fill string `json:"fill,omitempty"`
}

func main() { lambda.Start(handle) }

func handle(e event) (answer, error) {
	f, err := os.OpenFile(e.File, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return answer{}, err
	}
	_, err = fmt.Fprintln(f, e.ID)
	if err := errors.Join(err, f.Close()); err != nil {
		return answer{}, err
	}
	switch e.Kind {
	case "fail":
		return answer{}, fmt.Errorf("refused %d", e.ID)
	case "exit":
		os.Exit(3)
	case "sleep":
		time.Sleep(time.Duration(e.N) * time.Millisecond)
	case "big":
		return answer{e.ID, strings.Repeat("x", e.N)}, nil
	}
	return answer{ID: e.ID}, nil
}
