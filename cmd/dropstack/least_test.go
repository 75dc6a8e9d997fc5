package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/testkit"
)

// demanding is a service with a function that runs at level full alone, and has
// more room than others in /tmp.
func demanding(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	const bootstrap = `#!/bin/sh
while :; do
	id=$(curl -sS -D - -o /dev/null "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next" | tr -d '\r' | sed -n 's/^Lambda-Runtime-Aws-Request-Id: //Ip')
	curl -sS -o /dev/null -d "$(df --output=avail -m /tmp | tail -1 | tr -d ' ')" "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/$id/response"
done
`
	const service = "service: demanding\nprovider:\n  name: aws\n  runtime: provided.al2023\nfunctions:\n  df:\n    handler: bootstrap\n    minIsolation: full\n    ephemeralStorageSize: 700\n    package: {artifact: code.zip}\n"
	if err := os.WriteFile(filepath.Join(dir, "serverless.yml"), []byte(service), 0o644); err != nil {
		t.Fatal(err)
	}
	var code bytes.Buffer
	w := zip.NewWriter(&code)
	head := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate}
	head.SetMode(0o755)
	f, err := w.CreateHeader(head)
	if err == nil {
		_, err = f.Write([]byte(bootstrap))
	}
	if err = errors.Join(err, w.Close(), os.WriteFile(filepath.Join(dir, "code.zip"), code.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestMinIsolationOfAFunction deploys it where it may not run, then where it may,
// and then has the platform start where it may not.
func TestMinIsolationOfAFunction(t *testing.T) {
	service, data := demanding(t), testkit.Dir(t)
	const why = "functions would run at isolation level process, and its minIsolation asks for full"
	p := testkit.Start(t, data, "--services", "none", "--isolation", sandbox.Confine)
	if _, errs, code := p.Run(t, "", "deploy", service); code == 0 || !strings.Contains(errs, `function "demanding-dev-df"`) || !strings.Contains(errs, why) {
		t.Errorf("deployed at level process: exit %d, %s", code, errs)
	}
	if out, _, code := p.Run(t, "", "info", "demanding-dev"); code == 0 {
		t.Errorf("it is there: %s", out)
	}
	p.Stop(t)

	testkit.Maker(t, sandbox.Full) // can there be sandboxes?
	p = testkit.Start(t, data, "--services", "none", "--isolation", sandbox.Full)
	if _, errs, code := p.Run(t, "", "deploy", service); code != 0 {
		t.Fatalf("at level full: exit %d, %s", code, errs)
	}
	var avail int
	if invoke(t, p, "demanding-dev-df", "{}", &avail); avail < 700 || avail > 735 {
		t.Errorf("it has %d MB of room in /tmp, want 700 and little more", avail)
	}
	p.Stop(t)

	p = testkit.Start(t, data, "--services", "none", "--isolation", sandbox.Confine)
	if log := p.Log(); !strings.Contains(log, "stack not started") || !strings.Contains(log, why) {
		t.Errorf("the log of a start at level process: %s", log)
	}
	if _, err := admin(t, p).Invoke(t.Context(), "demanding-dev-df", []byte("{}"), false); err == nil {
		t.Error("it runs at level process")
	}
	p.Stop(t)
}
