package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/testkit"
)

// dropstack runs a command that has to succeed and returns what it prints.
func dropstack(t *testing.T, p *testkit.Platform, stdin string, args ...string) string {
	t.Helper()
	out, errs, code := p.Run(t, stdin, args...)
	if code != 0 {
		t.Fatalf("dropstack %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// needs is a service whose functions try what they may do.
func needs(t *testing.T) string {
	return filepath.Join(testkit.Root(t), "cmd/dropstack/testdata/needs")
}

// tried is what a function of testdata/needs tells.
func tried(t *testing.T, p *testkit.Platform, function string) map[string]string {
	t.Helper()
	var told map[string]string
	out, err := functions(t, p).Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &function})
	if err == nil {
		err = json.Unmarshal(out.Payload, &told)
	}
	if err != nil {
		t.Fatalf("%s: %v", function, err)
	}
	return told
}

// TestFunctionsMayWhatTheirRolesSay: with the statements everything works, and
// without them every call is refused in words that name the action and the
// resource. Both are on record.
func TestFunctionsMayWhatTheirRolesSay(t *testing.T) {
	t.Parallel()
	p := testkit.Start(t, testkit.Dir(t), "--services", "none")
	dropstack(t, p, "planted", "param", "put", "/needs/PASSWORD")
	dropstack(t, p, "", "deploy", needs(t))
	want := map[string]string{"environment": "planted", "deployed": "planted", "publish": "", "parameter": "", "put": "", "get": ""}
	if diff := cmp.Diff(want, tried(t, p, "needs-dev-may")); diff != "" {
		t.Errorf("with statements: -want +got:\n%s", diff)
	}
	const who = "User: arn:aws:sts::000000000000:assumed-role/needs-dev-us-east-1-lambdaRole/needs-dev-mayNot is not authorized to perform: "
	const why = " because no identity-based policy allows the "
	want = map[string]string{
		"environment": "", "deployed": "planted",
		"publish":   "AuthorizationError: " + who + "sns:Publish on resource: arn:aws:sns:us-east-1:000000000000:told" + why + "sns:Publish action",
		"parameter": "AccessDeniedException: " + who + "ssm:GetParameter on resource: arn:aws:ssm:us-east-1:000000000000:parameter/needs/PASSWORD" + why + "ssm:GetParameter action",
		"put":       "AccessDenied: " + who + "s3:PutObject on resource: arn:aws:s3:::needs-dev/a" + why + "s3:PutObject action",
		"get":       "AccessDenied: " + who + "s3:GetObject on resource: arn:aws:s3:::needs-dev/a" + why + "s3:GetObject action",
	}
	if diff := cmp.Diff(want, tried(t, p, "needs-dev-mayNot")); diff != "" {
		t.Errorf("without: -want +got:\n%s", diff)
	}
	if got, want := records(t, p, "needs-dev-mayNot"), []string{
		"GetObject AccessDeniedException", "GetParameter AccessDeniedException", "Publish AccessDeniedException", "PutObject AccessDeniedException",
	}; !cmp.Equal(got, want) {
		t.Errorf("denials on record: %q, want %q", got, want)
	}
	// the parameter, once at the start of the instance and once asked for; what is no
	// secret and no denial is not on record
	if got, want := records(t, p, "needs-dev-may"), []string{"GetParameter ", "GetParameter "}; !cmp.Equal(got, want) {
		t.Errorf("reads on record: %q, want %q", got, want)
	}
}

// records are the events of a session and the errors, in order of names.
func records(t *testing.T, p *testkit.Platform, session string) (list []string) {
	t.Helper()
	for line := range strings.Lines(dropstack(t, p, "", "audit", "list", "--json", "--limit", "1000")) {
		var e audit.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(e.UserIdentity.ARN, "/"+session) {
			list = append(list, e.EventName+" "+e.ErrorCode)
		}
		if strings.Contains(line, "planted") {
			t.Errorf("a value is on record: %s", line)
		}
	}
	slices.Sort(list)
	return list
}

// secretFiles are what a data directory is not to be copied with: each is a secret
// itself.
var secretFiles = []string{"root.key", "credentials", "upload-token"}

// TestADataDirectoryTellsNothing of values without the root key, at rest and after
// crashes, and everything with it, on another machine.
func TestADataDirectoryTellsNothing(t *testing.T) {
	t.Parallel()
	dir := testkit.Dir(t)
	p := testkit.Start(t, dir, "--services", "none")
	key := strings.TrimSpace(dropstack(t, p, "", "key", "create", "--alias", "alias/mine"))
	values := []string{"planted-default", "planted-own-key", "planted-plain"}
	dropstack(t, p, values[0], "param", "put", "/needs/PASSWORD")
	dropstack(t, p, values[1], "param", "put", "/mine/PASSWORD", "--key-id", "alias/mine")
	dropstack(t, p, values[2], "param", "put", "/plain", "--type", "String")
	user := dropstack(t, p, "", "iam", "add-user", "ann", "--policy", "AdministratorAccess")
	secret := user[strings.LastIndex(user, "= ")+2:]
	values = append(values, strings.TrimSpace(secret))
	dropstack(t, p, "", "deploy", needs(t))
	if got := tried(t, p, "needs-dev-may")["environment"]; got != values[0] {
		t.Fatalf("the function has %q", got)
	}
	tellsNothing(t, "while it runs", dir, values)
	p.Kill()
	tellsNothing(t, "after a crash", dir, values)
	p = testkit.Start(t, dir, "--services", "none")
	dropstack(t, p, "", "key", "rotate-root")
	tried(t, p, "needs-dev-may")
	p.Kill()
	tellsNothing(t, "after a rotation and a crash", dir, values)

	without := testkit.Dir(t)
	copyData(t, dir, without, secretFiles...)
	start := func(dir string) (string, error) {
		out, err := exec.Command(testkit.Binary(t), "up", "--json", "--services", "none", "--data", dir, "--http", "127.0.0.1:0", "--https", "off", "--aws", "127.0.0.1:0", "--console", "127.0.0.1:0").CombinedOutput()
		return string(out), err
	}
	out, err := start(without)
	if err == nil || !strings.Contains(out, "its root key is missing") {
		t.Errorf("without the root key: got %v, %s", err, out)
	}
	if _, err := os.Stat(filepath.Join(without, "root.key")); err == nil {
		t.Error("a new root key was made where one was lost")
	}
	if err := os.WriteFile(filepath.Join(without, "root.key"), bytes.Repeat([]byte("x"), 32), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := start(without); err == nil || !strings.Contains(out, "the root key does not open it") {
		t.Errorf("with another root key: got %v, %s", err, out)
	}

	other := testkit.Dir(t)
	copyData(t, dir, other)
	p = testkit.Start(t, other, "--services", "none")
	for name, want := range map[string]string{"/needs/PASSWORD": values[0], "/mine/PASSWORD": values[1], "/plain": values[2]} {
		if got := strings.TrimSpace(dropstack(t, p, "", "param", "get", name)); got != want {
			t.Errorf("restored %s: got %q, want %q", name, got, want)
		}
	}
	if got := tried(t, p, "needs-dev-may")["environment"]; got != values[0] {
		t.Errorf("restored, the function has %q", got)
	}
	if out := dropstack(t, p, "", "key", "list"); !strings.Contains(out, key) {
		t.Errorf("restored, the keys are %s", out)
	}
	if out := dropstack(t, p, "", "audit", "verify"); !strings.Contains(out, "nothing was changed") {
		t.Errorf("restored, the audit log: %s", out)
	}
}

// tellsNothing reads every file but those that are secrets themselves.
func tellsNothing(t *testing.T, when, dir string, values []string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || slices.Contains(secretFiles, d.Name()) {
			return present(err)
		}
		doc, err := os.ReadFile(path)
		if err != nil {
			return present(err)
		}
		files++
		for _, v := range values {
			if bytes.Contains(doc, []byte(v)) {
				t.Errorf("%s: %s holds %q", when, path, v)
			}
		}
		return nil
	})
	if err != nil || files < 20 {
		t.Errorf("%s: %d files read, %v", when, files, err)
	}
}

// present passes by what has gone meanwhile.
func present(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// copyData copies a data directory as a backup does, without some files.
func copyData(t *testing.T, from, to string, without ...string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from+"/.", to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, name := range without {
		if err := os.Remove(filepath.Join(to, name)); err != nil {
			t.Fatal(err)
		}
	}
}
