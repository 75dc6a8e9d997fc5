package judge

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/dropstack/dropstack/internal/iam"
)

// TestJavaScript runs testdata/js/judge.mjs, which makes its calls by the AWS SDK
// for JavaScript and prints a line of JSON for each: {service, name, wantsError, error}.
func TestJavaScript(t *testing.T) {
	t.Parallel()
	w := start(t)
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/js")); err != nil {
		t.Fatal(err)
	}
	install := exec.Command("npm", "install", "--no-audit", "--no-fund", "--no-package-lock")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm install, which this test needs Node, npm and a package registry for: %v\n%s", err, out)
	}
	keys, err := iam.ReadCredentials(filepath.Join(w.Dir, "credentials"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "judge.mjs")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+w.AWS, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID="+keys.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+keys.SecretAccessKey, "FUNCTION="+w.function)
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("judge.mjs: %v\n%s%s", err, out, failed.Bytes())
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		var call struct {
			Service, Name, Error string
			WantsError           bool
		}
		if err := json.Unmarshal(lines.Bytes(), &call); err != nil {
			t.Fatalf("%s: %v", lines.Bytes(), err)
		}
		var wrong error
		if call.Error != "" {
			wrong = errors.New(call.Error)
		}
		report(t, called{"js", call.Service, call.Name, call.WantsError}, wrong)
	}
}
