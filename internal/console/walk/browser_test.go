package walk

import (
	"bufio"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/testkit"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testkit.Cleanup()
	os.Exit(code)
}

// found is a line of what a script prints.
type found struct {
	Kind, Screen, Text           string
	FirstPaint, Listed           float64
	Rows, Requests, Bytes, Width int
}

// browse runs a script of testdata, which drives a browser over a platform's console,
// and hands on what it finds. What is wrong fails the test.
func browse(t *testing.T, p *testkit.Platform, script string, told map[string]any, each func(found)) {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is not installed; tools/test-deps installs what the tests need")
	}
	link, errs, code := p.Run(t, "", "console")
	if code != 0 {
		t.Fatalf("console: %s", errs)
	}
	all := map[string]any{
		"chromium": chromium, "link": strings.TrimSpace(link),
		"modules": testkit.NPM(t, "console", filepath.Join("..", "..", "..", "console")),
	}
	maps.Copy(all, told)
	doc, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(t.Context(), "node", filepath.Join("testdata", script), string(doc))
	node.Stderr = t.Output()
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var f found
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			t.Errorf("%s: %v", lines.Text(), err)
			continue
		}
		if f.Kind == "wrong" {
			t.Errorf("%s %s", f.Screen, f.Text)
			continue
		}
		each(f)
	}
	if err := node.Wait(); err != nil {
		t.Fatalf("%s ended: %v\n%s", script, err, p.Log())
	}
}

// administrator calls a platform with its own key.
func administrator(t *testing.T, p *testkit.Platform) *api.Client {
	t.Helper()
	keys, err := iam.ReadCredentials(filepath.Join(p.Dir, "credentials"))
	if err != nil {
		t.Fatal(err)
	}
	client := &api.Client{Endpoint: p.AWS}
	client.Keys.AccessKeyID, client.Keys.SecretAccessKey = keys.AccessKeyID, keys.SecretAccessKey
	return client
}

// user makes a user and returns an access key.
func user(t *testing.T, client *api.Client, name string) map[string]string {
	t.Helper()
	if err := client.AWS(t.Context(), "iam", "CreateUser", iam.CreateUserInput{UserName: name}, nil); err != nil {
		t.Fatal(err)
	}
	var out iam.CreateAccessKeyOutput
	if err := client.AWS(t.Context(), "iam", "CreateAccessKey", iam.CreateAccessKeyInput{UserName: name}, &out); err != nil {
		t.Fatal(err)
	}
	return map[string]string{"id": out.AccessKey.AccessKeyId, "secret": out.AccessKey.SecretAccessKey}
}
