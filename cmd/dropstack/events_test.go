package main

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/testkit"
)

func deployEvents(t *testing.T, p *testkit.Platform) {
	t.Helper()
	dir := filepath.Join(testkit.Root(t), "cmd/dropstack/testdata/events")
	if out, errs, code := p.Run(t, "", "deploy", dir); code != 0 {
		t.Fatalf("deploy events: exit %d\n%s%s", code, out, errs)
	}
}

// TestEveryKindOfEvent has a schedule, a topic and a bucket invoke a function.
func TestEveryKindOfEvent(t *testing.T) {
	t.Parallel()
	p := testkit.Start(t, testkit.Dir(t), "--services", "none")
	deployEvents(t, p)
	httpapi := hostURL(p.HTTP, "events-dev.localhost")
	restapi := p.HTTP + "/restapis/" + restID(t, p) + "/dev/_user_request_"

	resp, err := visitor.Post(restapi+"/publish", "text/plain", strings.NewReader("said by a function"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("publish: got %d %s, %v", resp.StatusCode, id, err)
	}
	mutedFunction(t, p, restapi)
	store := admin(t, p).S3()
	for _, key := range []string{"in/a file.txt", "in/other.png", "out/x.txt"} {
		if _, err := store.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("events-bucket"), Key: &key, Body: strings.NewReader("x")}); err != nil {
			t.Fatal(err)
		}
	}
	for what, want := range map[string]string{
		"the topic's message":    `"Message":"said by a function"`,
		"its id":                 `"MessageId":"` + string(id) + `"`,
		"the bucket's event":     `"key":"in/a+file.txt"`,
		"a tick of the schedule": `"detail-type":"Scheduled Event"`,
	} {
		eventually(t, what, func() (bool, string) {
			log, _, _ := p.Run(t, "", "logs", "-f", "events-dev-record")
			return strings.Contains(log, want), log
		})
	}
	log, _, _ := p.Run(t, "", "logs", "-f", "events-dev-record")
	for _, other := range []string{"other.png", "out/x.txt"} {
		if strings.Contains(log, other) {
			t.Errorf("an object that no rule matches was reported: %s", other)
		}
	}
	if status, _, body := mustGet(t, httpapi+"/nowhere"); status != http.StatusNotFound || string(body) != `{"message":"Not Found"}` {
		t.Errorf("HTTP API without a route: got %d %s", status, body)
	}
	brokenFunctions(t, p, restapi)
}

// mutedFunction has a function publish without a policy that would allow it.
func mutedFunction(t *testing.T, p *testkit.Platform, base string) {
	t.Helper()
	resp, err := visitor.Post(base+"/mute", "text/plain", strings.NewReader("never heard"))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusBadGateway {
		t.Errorf("publish without permission: got %d", resp.StatusCode)
	}
	log, _, _ := p.Run(t, "", "logs", "-f", "events-dev-mute")
	const want = "assumed-role/events-dev-us-east-1-lambdaRole/events-dev-mute is not authorized to perform: sns:Publish on resource: arn:aws:sns:us-east-1:000000000000:events-topic"
	if !strings.Contains(log, want) {
		t.Errorf("the log lacks %q:\n%s", want, log)
	}
	log, _, _ = p.Run(t, "", "logs", "-f", "events-dev-record")
	if strings.Contains(log, "never heard") {
		t.Errorf("the message was published:\n%s", log)
	}
}

// restID reads the id of the REST API from info.
func restID(t *testing.T, p *testkit.Platform) string {
	t.Helper()
	out, _, _ := p.Run(t, "", "info", "events-dev", "--json")
	var info api.Info
	if err := json.Unmarshal([]byte(out), &info); err != nil {
		t.Fatal(err)
	}
	for _, a := range info.Revision.APIs {
		if a.Kind == gateway.REST {
			return a.ID
		}
	}
	t.Fatalf("no REST API in %s", out)
	return ""
}

func brokenFunctions(t *testing.T, p *testkit.Platform, base string) {
	for _, how := range []string{"panic", "exit", "nonsense", "error", "hang"} {
		status, h, body := mustGet(t, base+"/broken/"+how)
		if status != http.StatusBadGateway || string(body) != `{"message": "Internal server error"}` && string(body) != `{"message":"Internal server error"}` {
			t.Errorf("%s: got %d %s, want 502 as API Gateway words it", how, status, body)
		}
		if h.Get("X-Amzn-Requestid") == "" {
			t.Errorf("%s: no request id", how)
		}
	}
	log, _, _ := p.Run(t, "", "logs", "-f", "events-dev-broken")
	for _, want := range []string{"Task timed out after 1.00 seconds", "Runtime exited with error: exit status 3"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
}

// TestLifecycle: a second start on the same directory is refused, a request in
// flight survives the shutdown, and a restart keeps what was deployed. What the edge has
// answered is written down by then.
func TestLifecycle(t *testing.T) {
	p := testkit.Start(t, testkit.Dir(t), "--services", "none")
	_, errs, code := p.Run(t, "", "up", "--services", "none", "--http", "127.0.0.1:0", "--https", "off", "--aws", "127.0.0.1:0", "--console", "127.0.0.1:0")
	if code != exitFailed || !strings.Contains(errs, "in use by process") {
		t.Errorf("second start: exit %d, %q", code, errs)
	}
	deployEvents(t, p)
	if status, _, body := mustGet(t, p.Console+"/readyz"); status != http.StatusOK {
		t.Errorf("readyz: got %d %s", status, body)
	}
	viewed(t, p)
	printed(t, p)
	answer := make(chan string, 1)
	go func() {
		status, _, body, err := get(t.Context(), hostURL(p.HTTP, "events-dev.localhost")+"/slow")
		answer <- http.StatusText(status) + " " + string(body)
		if err != nil {
			t.Error(err)
		}
	}()
	eventually(t, "the slow request is being worked on", func() (bool, string) {
		log, _, _ := p.Run(t, "", "logs", "-f", "events-dev-slow")
		return strings.Contains(log, "slow begins"), log
	})
	if code := p.Stop(t); code != exitDone {
		t.Errorf("exit code after SIGTERM: got %d\n%s", code, p.Log())
	}
	if got := <-answer; got != "OK finished" {
		t.Errorf("the request in flight: got %q", got)
	}
	nowhere(t, p.Dir, "planted-in-an-environment")
	again := testkit.Start(t, p.Dir, "--services", "none")
	if status, _, body := mustGet(t, hostURL(again.HTTP, "events-dev.localhost")+"/slow"); status != http.StatusOK {
		t.Errorf("after the restart: got %d %s", status, body)
	}
	written(t, again)
}

// nowhere fails when a file of a data directory has a secret in the clear.
func nowhere(t *testing.T, dir, secret string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		files++
		doc, err := os.ReadFile(path)
		if bytes.Contains(doc, []byte(secret)) {
			t.Errorf("%s tells a secret", path)
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files looked at, %v", files, err)
	}
}
