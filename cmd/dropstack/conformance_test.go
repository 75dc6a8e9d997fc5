package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/testkit"
)

// TestDropsUseTheObjectStore runs the drops service's own conformance test of its
// object store against the platform's.
func TestDropsUseTheObjectStore(t *testing.T) {
	p := testkit.Start(t, testkit.Dir(t), "--services", "none")
	keys := admin(t, p).Keys
	cmd := exec.Command("go", "test", "-count=1", "-v", "-run", "^TestS3$", "./services/drops/blob")
	cmd.Dir = testkit.Root(t)
	cmd.Env = append(os.Environ(), "DROPS_TEST_S3="+p.AWS, "AWS_ACCESS_KEY_ID="+keys.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+keys.SecretAccessKey)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestS3") {
		t.Errorf("%v\n%s", err, out)
	}
}
