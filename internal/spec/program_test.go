package spec_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/spec"
)

// listener calls heard with what is written to it.
type listener func(string)

func (l listener) Write(p []byte) (int, error) {
	l(string(p))
	return len(p), nil
}

// TestProgramThatNeverEnds loads a service of which a program has said that it runs
// and has no value: it ends with the load.
func TestProgramThatNeverEnds(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "serverless.yml"), []byte("service: a\nprovider: {name: aws}\nfunctions: ${file(never.js)}\n"))
	write(t, filepath.Join(dir, "never.js"), []byte("console.log('it runs');\nmodule.exports = new Promise(() => setInterval(() => {}, 1000));\n"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var printed string
	o := spec.Options{
		Node: func(context.Context) (string, error) { return "node", nil },
		Stderr: listener(func(s string) {
			printed += s
			cancel()
		}),
	}
	_, err := spec.Load(ctx, dir, o)
	if err == nil || !strings.Contains(err.Error(), "serverless.yml:3: ${file(never.js)}: "+context.Canceled.Error()) {
		t.Errorf("got %v", err)
	}
	if printed != "it runs\n" {
		t.Errorf("printed %q", printed)
	}
}
