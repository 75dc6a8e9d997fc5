package corpus

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// command is one run of the framework's CLI, as testdata/oracle.js takes it.
type command struct {
	Dir  string            `json:"dir"`
	Args []string          `json:"args"`
	Env  map[string]string `json:"env"`
}

type outcome struct {
	Code           int
	Stdout, Stderr string
}

// framework is a version of the CLI that runs until the test ends.
type framework struct {
	t       *testing.T
	ask     *json.Encoder
	answers *bufio.Scanner
}

// start runs a version, osls or osls3, of what install has installed. It ends with its
// input.
func start(t *testing.T, installed, version string) *framework {
	t.Helper()
	cmd := exec.Command("node", "testdata/oracle.js", filepath.Join(installed, "node_modules", version))
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "SLS_TELEMETRY_DISABLED=1", "CI=1"}
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{theirs}
	if err := cmd.Start(); err != nil {
		t.Fatalf("node, which this test needs: %v", err)
	}
	_ = theirs.Close()
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("oracle.js: %v", err)
		}
		_ = out.Close()
	})
	f := &framework{t, json.NewEncoder(in), bufio.NewScanner(out)}
	f.answers.Buffer(nil, 16<<20)
	return f
}

// run runs a command to its end.
func (f *framework) run(c command) (o outcome) {
	f.t.Helper()
	if err := f.ask.Encode(c); err != nil {
		f.t.Fatal(err)
	}
	if !f.answers.Scan() {
		f.t.Fatalf("oracle.js has ended: %v", f.answers.Err())
	}
	if err := json.Unmarshal(f.answers.Bytes(), &o); err != nil {
		f.t.Fatal(err)
	}
	return o
}
