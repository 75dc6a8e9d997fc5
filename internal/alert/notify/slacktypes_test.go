package notify_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/dropstack/dropstack/internal/alert/notify"
	"github.com/dropstack/dropstack/internal/testkit/inbox"
)

// TestMessagesAreOfTheTypesThatSlackPublishes has TypeScript hold what Slack was sent
// against @slack/types.
func TestMessagesAreOfTheTypesThatSlackPublishes(t *testing.T) {
	installed := inbox.Packages(t)
	s := inbox.NewSlack(t)
	n := open(t, t.TempDir(), func(n *notify.Notifier) {
		file(t, bot(s))(n)
		evidence(n)
	})
	defer closed(t, n)
	a := failing("charge")
	n.Send(t.Context(), a)
	s.Await(t, 1)
	n.Send(t.Context(), over(a))
	var b bytes.Buffer
	b.WriteString("import type { MessageAttachment } from '@slack/types';\n")
	for i, c := range s.Await(t, 3) {
		if list := c.Body["attachments"]; list != nil {
			doc, _ := json.Marshal(list)
			fmt.Fprintf(&b, "export const message%d: MessageAttachment[] = %s;\n", i, doc)
		}
	}
	check := func(source []byte) (string, error) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "messages.ts"), source, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(installed, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "node", filepath.Join(installed, "node_modules", "typescript", "bin", "tsc"),
			"--noEmit", "--strict", "--skipLibCheck", "--moduleResolution", "bundler", "--module", "esnext", "messages.ts")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := check(b.Bytes()); err != nil {
		t.Errorf("%v\n%s\nof\n%s", err, out, b.Bytes())
	}
	wrong := bytes.Replace(b.Bytes(), []byte(`"type":"plain_text"`), []byte(`"type":"plain"`), 1)
	if _, err := check(wrong); err == nil {
		t.Error("TypeScript takes what is wrong: it judges nothing")
	}
}
