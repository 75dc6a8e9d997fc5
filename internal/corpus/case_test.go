package corpus

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// sample is one case of the corpus, unpacked into a directory.
type sample struct {
	name, dir   string
	comment     string
	old         bool // for version 3
	packaged    bool
	args        []string
	env, opts   map[string]string
	differences map[string]string // reasons by path
}

// samples unpacks all cases below a directory.
func samples(t *testing.T, root string) (list []sample) {
	t.Helper()
	files, err := filepath.Glob("testdata/cases/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := sample{
			name: strings.TrimSuffix(filepath.Base(file), ".txtar"), comment: strings.TrimSpace(string(a.Comment)),
			env: map[string]string{}, opts: map[string]string{}, differences: map[string]string{},
		}
		s.dir = filepath.Join(root, s.name)
		if s.comment == "" || strings.Contains(s.comment, "\n") {
			t.Errorf("%s: one line at its head says what it tests", file)
		}
		for _, f := range a.Files {
			switch f.Name {
			case "run":
				s.run(string(f.Data))
			case "package":
				s.packaged = true
			case "differences":
				s.expect(t, string(f.Data))
			default:
				write(t, filepath.Join(s.dir, f.Name), f.Data)
			}
		}
		list = append(list, s)
	}
	return list
}

func (s *sample) run(text string) {
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if key == "osls 3" {
			s.old = true
			continue
		}
		if name, ok := strings.CutPrefix(key, "env "); ok {
			s.env[name] = value
			continue
		}
		if name, ok := strings.CutPrefix(key, "param "); ok {
			s.opts["param:"+name] = value
			s.args = append(s.args, "--param="+name+"="+value)
			continue
		}
		s.opts[key] = value
		s.args = append(s.args, "--"+key+"="+value)
	}
}

func (s *sample) expect(t *testing.T, text string) {
	for line := range strings.Lines(text) {
		path, why, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok || why == "" {
			t.Errorf("%s: difference %q has no reason", s.name, line)
		}
		s.differences[path] = why
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
