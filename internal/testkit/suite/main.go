// Suite runs go test and ends with what came of it: how many tests passed, failed and
// did not run, and of each that did not run the reason. What a test prints is shown if
// it fails, as go test does.
//
//	go run ./internal/testkit/suite [-must REGEXP] -- [flags and packages of go test]
//
// Tests skip what a machine cannot do; on one that can everything, -must names the
// packages of which a test that does not run is a failure.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
)

func main() {
	code, err := run(os.Args[1:], os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "suite:", err)
	}
	os.Exit(code)
}

func run(args []string, stdout, stderr io.Writer) (code int, err error) {
	flags := flag.NewFlagSet("suite", flag.ContinueOnError)
	flags.SetOutput(stderr)
	must := flags.String("must", "", "packages all of whose tests have to run, as a regular expression")
	if err := flags.Parse(args); err != nil {
		return 2, err
	}
	s := &suite{out: stdout, tests: map[test][]byte{}, packages: map[string][]byte{}}
	if *must != "" {
		if s.must, err = regexp.Compile(*must); err != nil {
			return 2, err
		}
	}
	cmd := exec.Command("go", append([]string{"test", "-json"}, flags.Args()...)...)
	cmd.Stderr = stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return 1, err
	}
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	readErr := s.read(bufio.NewReader(events))
	err = cmd.Wait()
	unmet := s.summary()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return exit.ExitCode(), readErr // go test has said why
	case err != nil:
		return 1, err
	case readErr != nil || unmet:
		return 1, readErr
	}
	return 0, nil
}
