package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/testkit"
)

// TestProgramsThatKnowNoEndpoint runs AWS's SDK of 2017, which has no setting for
// another endpoint, as aws-env uses it: on this machine through the proxy, and in
// functions by AWS's own names, with nothing set at all.
func TestProgramsThatKnowNoEndpoint(t *testing.T) {
	m := &sandbox.Maker{TempDir: testkit.Dir(t), Log: slog.New(slog.DiscardHandler)}
	_, err := m.Choose("auto")
	m.Close()
	if err != nil {
		t.Fatal(err)
	}
	engines := []string{"user"}
	if m.Level == sandbox.Full {
		engines = append(engines, "kernel")
	}
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			p := testkit.Start(t, testkit.Dir(t), "--services", "none", "--network", engine)
			want := parametersAndObject(t, p)
			t.Run("here", func(t *testing.T) { reachesByProxy(t, p, want) })
			t.Run("in functions", func(t *testing.T) {
				if sandbox.Rank(m.Level) <= sandbox.Rank(sandbox.Confine) {
					t.Skipf("not run: functions have no network of their own at isolation level %s", m.Level)
				}
				reachesByName(t, p, want)
			})
			if code := p.Stop(t); code != 0 {
				t.Errorf("exit code %d\n%s", code, p.Log())
			}
		})
	}
}

// parametersAndObject stores what is to be found, more than a page of it, and
// returns what our own command makes of the parameters.
func parametersAndObject(t *testing.T, p *testkit.Platform) (exports string) {
	t.Helper()
	values := map[string]string{"/names/HOST": "db.internal", "/names/db0/PASSWORD": "s3cret with spaces", "/names/CERT": "two\nlines"}
	for i := range 12 {
		values[fmt.Sprintf("/names/many/N%02d", i)] = fmt.Sprint(i)
	}
	for name, value := range values {
		if out, errs, code := p.Run(t, "", "param", "put", name, value); code != 0 {
			t.Fatalf("param put %s: exit %d %s%s", name, code, out, errs)
		}
	}
	store := admin(t, p).S3()
	if _, err := store.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("names-bucket")}); err != nil {
		t.Fatal(err)
	}
	if _, err := store.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("names-bucket"), Key: aws.String("a/key"), Body: strings.NewReader("found")}); err != nil {
		t.Fatal(err)
	}
	exports, errs, code := p.Run(t, "", "env", "/names", "--recursive")
	if code != 0 || strings.Count(exports, "\n") != len(values) {
		t.Fatalf("env: exit %d %s%s", code, exports, errs)
	}
	return exports
}

// reachesByProxy is the way of docs/aws-names.md for programs on this machine.
func reachesByProxy(t *testing.T, p *testkit.Platform, want string) {
	dir := filepath.Join(testkit.Root(t), "cmd/dropstack/testdata/names")
	program := filepath.Join(t.TempDir(), "names")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	run := exec.CommandContext(t.Context(), program, "-recursive")
	run.Env = []string{
		"HTTPS_PROXY=" + p.AWS, "AWS_CA_BUNDLE=" + filepath.Join(p.Dir, "ca", "ca.pem"), "AWS_ENV_PATH=/names",
		"AWS_REGION=us-east-1", "AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(p.Dir, "credentials"), "HOME=" + t.TempDir(),
	}
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := string(out); sorted(got) != sorted(want) {
		t.Errorf("got\n%swant, as dropstack env has it,\n%s", got, want)
	}
}

// sorted is lines in their order.
func sorted(text string) string { return strings.Join(slices.Sorted(strings.Lines(text)), "") }

// reachesByName asks functions outside of networks, in one, and in one with an
// endpoint of Parameter Store.
func reachesByName(t *testing.T, p *testkit.Platform, want string) {
	service := filepath.Join(testkit.Root(t), "cmd/dropstack/testdata/names")
	if out, errs, code := p.Run(t, "", "deploy", service); code != 0 {
		t.Fatalf("deploy: exit %d\n%s%s\n%s", code, out, errs, p.Log())
	}
	question, err := json.Marshal(map[string]any{"Path": "/names", "Bucket": "names-bucket", "Key": "a/key", "Others": []string{"www.example.org", "amazonaws.com"}})
	if err != nil {
		t.Fatal(err)
	}
	for function, address := range map[string]string{"outside": "127.0.0.2", "private": "127.0.0.2", "endpoint": "10.30.1."} {
		var got struct {
			Exports, Object string
			Addresses       []string
			Refused         map[string]string
		}
		invoke(t, p, "names-dev-"+function, string(question), &got)
		if sorted(got.Exports) != sorted(want) || got.Object != "found" {
			t.Errorf("%s: got %q and the object %q", function, got.Exports, got.Object)
		}
		if len(got.Addresses) != 1 || !strings.HasPrefix(got.Addresses[0], address) {
			t.Errorf("%s: Parameter Store is at %q, want %s", function, got.Addresses, address)
		}
		for name, why := range got.Refused {
			if why == "" {
				t.Errorf("%s: the platform has a certificate for %s", function, name)
			}
		}
	}
	if !slices.ContainsFunc(flowsOf(t, p), func(r network.FlowRecord) bool {
		return r.Reason == "endpoint" && r.Accepted && r.Destination.Port() == 443
	}) {
		t.Error("no flow record of the endpoint")
	}
	for function, trusts := range map[string]string{"node": sandbox.AuthorityFile, "own-list": "/etc/ssl/certs/ca-certificates.crt"} {
		var said struct{ Said, Trusts string }
		invoke(t, p, "names-dev-"+function, "{}", &said)
		if said.Said != "ok\n" || said.Trusts != trusts {
			t.Errorf("%s: got %+v", function, said)
		}
	}
}
