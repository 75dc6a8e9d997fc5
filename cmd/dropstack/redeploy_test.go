package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dropstack/dropstack/internal/testkit"
)

const greeter = `package main

import (
	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(events.APIGatewayV2HTTPRequest) (string, error) { return "version %d", nil })
}
`

// TestRedeployUnderLoad changes a service while it is asked all the time: no
// request fails, and a broken change changes nothing.
func TestRedeployUnderLoad(t *testing.T) {
	p := testkit.Start(t, testkit.Dir(t), "--services", "none")
	dir := greeterService(t)
	deployVersion := func(source string) int {
		if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o644); err != nil {
			t.Fatal(err)
		}
		_, errs, code := p.Run(t, "", "deploy", dir)
		t.Logf("deploy: exit %d %s", code, lastLine(errs))
		return code
	}
	if code := deployVersion(fmt.Sprintf(greeter, 0)); code != 0 {
		t.Fatal("the first deployment failed")
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var requests, failed atomic.Int64
	var load sync.WaitGroup
	url := hostURL(p.HTTP, "greeter-dev.localhost") + "/"
	for range 8 {
		load.Go(func() {
			for ctx.Err() == nil {
				status, _, body, err := get(ctx, url)
				if errors.Is(err, context.Canceled) {
					return
				}
				requests.Add(1)
				if err != nil || status != http.StatusOK || !strings.HasPrefix(string(body), "version ") {
					failed.Add(1)
					t.Errorf("got %d %q, %v", status, body, err)
				}
			}
		})
	}
	for version := 1; version <= 4; version++ {
		if code := deployVersion(fmt.Sprintf(greeter, version)); code != 0 {
			t.Errorf("version %d: exit %d", version, code)
		}
		if _, _, body := mustGet(t, url); string(body) != fmt.Sprintf("version %d", version) {
			t.Errorf("right after deploying version %d: got %s", version, body)
		}
	}
	if code := deployVersion("package main\n\nfunc main() { broken }\n"); code != exitWrongInput {
		t.Errorf("a broken version: exit %d, want %d", code, exitWrongInput)
	}
	if _, _, body := mustGet(t, url); string(body) != "version 4" {
		t.Errorf("after the broken version: got %s", body)
	}
	stop()
	load.Wait()
	t.Logf("%d requests during 4 deployments and a broken one, %d failed", requests.Load(), failed.Load())
	if requests.Load() < 100 {
		t.Error("too few requests to say anything")
	}
}

func greeterService(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	version, err := goCommand("list", "-m", "-f", "{{.Version}}", "github.com/aws/aws-lambda-go")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(testkit.Root(t), "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"go.mod":         "module example.test/greeter\n\ngo 1.26\n\nrequire github.com/aws/aws-lambda-go " + version,
		"go.sum":         string(sums),
		"serverless.yml": "service: greeter\nprovider:\n  name: aws\n  runtime: provided.al2023\nfunctions:\n  greet:\n    handler: greet\n    events:\n      - httpApi: GET /\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndex(s, "\n")+1:]
}
