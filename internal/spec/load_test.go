package spec_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"go.yaml.in/yaml/v3"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/spec"
)

var update = flag.Bool("update", false, "rewrite what the stories want")

// TestStories loads the files of each txtar in testdata. The file "options" has
// lines such as "stage=prod", "env HOME=/root", "opt tag=x" and "export name=value"; "want" has the
// problems, or the service without what is empty, and its warnings.
func TestStories(t *testing.T) {
	stories, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(stories) < 10 {
		t.Fatalf("%d stories, %v", len(stories), err)
	}
	for _, path := range stories {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) { story(t, path) })
	}
}

func story(t *testing.T, path string) {
	a, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dir, want, o := t.TempDir(), -1, spec.Options{Arch: "amd64"}
	for i, f := range a.Files {
		switch f.Name {
		case "want":
			want = i
		case "options":
			o = options(string(f.Data))
		default:
			write(t, filepath.Join(dir, f.Name), f.Data)
		}
	}
	if want < 0 {
		a.Files, want = append(a.Files, txtar.File{Name: "want"}), len(a.Files)
	}
	got := strings.ReplaceAll(outcome(t, filepath.Join(dir, "service"), o), filepath.Join(dir, "service")+"/", "")
	got = strings.ReplaceAll(got, dir, "..")
	if *update {
		a.Files[want].Data = []byte(got)
		if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(a.Files[want].Data), got); diff != "" {
		t.Errorf("(-want +got; -update rewrites)\n%s", diff)
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

func options(text string) spec.Options {
	env, o := map[string]string{}, spec.Options{Opts: map[string]string{}, Arch: "amd64"}
	o.Env = func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	params, objects, outputs := map[string]spec.Parameter{}, map[string]string{}, map[string]string{}
	exports := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if kind, ok := strings.CutPrefix(key, "ssm "); ok {
			kind, name, _ := strings.Cut(kind, " ")
			params[name] = spec.Parameter{Type: kind, Value: value}
			o.Parameter = parameters(params)
			continue
		}
		if name, ok := strings.CutPrefix(key, "export "); ok {
			exports[name] = value
			o.Import = func(name string) (string, bool, error) { v, ok := exports[name]; return v, ok, nil }
			continue
		}
		if name, ok := strings.CutPrefix(key, "s3 "); ok {
			objects[name] = value
			o.Object = known(objects, "/")
		} else if name, ok := strings.CutPrefix(key, "cf "); ok {
			outputs[name] = value
			o.StackOutput = known(outputs, ".")
		} else if key == "node" {
			o.Node = func(context.Context) (string, error) { return value, nil }
		} else if name, ok := strings.CutPrefix(key, "env "); ok {
			env[name] = value
		} else if name, ok := strings.CutPrefix(key, "opt "); ok {
			o.Opts[name] = value
		} else {
			o.Stage = value
		}
	}
	return o
}

// parameters answers for Parameter Store; what is encrypted says so.
func parameters(params map[string]spec.Parameter) func(string, bool) (spec.Parameter, bool, error) {
	return func(name string, clear bool) (spec.Parameter, bool, error) {
		if name == "/denied" {
			return spec.Parameter{}, false, errors.New("you may not")
		}
		p, ok := params[name]
		if p.Type == "SecureString" && !clear {
			p.Value = "sealed"
		}
		return p, ok, nil
	}
}

// known answers for objects and stacks by their two names.
func known(values map[string]string, between string) func(string, string) (string, bool, error) {
	return func(first, second string) (string, bool, error) {
		if first == "denied" {
			return "", false, errors.New("you may not")
		}
		value, ok := values[first+between+second]
		return value, ok, nil
	}
}

func outcome(t *testing.T, dir string, o spec.Options) string {
	t.Helper()
	svc, err := spec.Load(t.Context(), dir, o)
	if err != nil {
		if e, ok := errors.AsType[*spec.Error](err); ok && (len(e.Problems) == 0 || fault.KindOf(err) != fault.Invalid) {
			t.Errorf("error of kind %v with %d problems", fault.KindOf(err), len(e.Problems))
		}
		return err.Error() + "\n"
	}
	var b strings.Builder
	for _, w := range svc.Warnings {
		b.WriteString("warning " + w.String() + "\n")
	}
	svc.Warnings = nil
	data, err := json.Marshal(svc)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		t.Fatal(err)
	}
	tree = prune(tree)
	for _, key := range []string{"Dir", "File"} {
		delete(tree.(map[string]any), key)
	}
	data, err = yaml.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return b.String() + string(data)
}

// prune drops positions and what is empty.
func prune(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if value = prune(value); value == nil || value == "" || value == false || strings.HasSuffix(key, "Pos") {
				delete(v, key)
				continue
			}
			v[key] = value
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		for i := range v {
			v[i] = prune(v[i])
		}
	}
	return v
}

func TestWhereTheFileIs(t *testing.T) {
	const minimal = "service: a\nprovider: aws\n"
	dir := t.TempDir()
	if _, err := spec.Load(t.Context(), dir, spec.Options{}); fault.KindOf(err) != fault.NotFound || !strings.Contains(err.Error(), "no serverless.yml in "+dir) {
		t.Errorf("empty directory: %v", err)
	}
	if _, err := spec.Load(t.Context(), filepath.Join(dir, "nowhere"), spec.Options{}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("no directory: %v", err)
	}
	for _, name := range []string{"serverless.json", "serverless.yaml", "serverless.yml", "other.yml"} {
		text := minimal
		if name == "serverless.json" {
			text = "{\n\t\"service\": \"a\",\n\t\"provider\": {\"name\": \"aws\"}\n}\n"
		}
		write(t, filepath.Join(dir, name), []byte(text))
		path := dir
		if name == "other.yml" {
			path = filepath.Join(dir, name)
		}
		svc, err := spec.Load(t.Context(), path, spec.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if svc.File != filepath.Join(dir, name) || svc.Dir != dir || svc.Stack() != "a-dev" {
			t.Errorf("%s: got %s in %s, stack %s", name, svc.File, svc.Dir, svc.Stack())
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := spec.Load(ctx, dir, spec.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestPositionsOfParts(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "serverless.yml"), []byte(`service: a
provider: {name: aws, runtime: provided.al2023}
functions:
  f:
    handler: cmd/f
    events:
      - schedule:
          rate:
            - rate(1 hour)
            - ${file(rates.yml):slow}
`))
	write(t, filepath.Join(dir, "rates.yml"), []byte("fast: rate(1 minute)\nslow: rate(1 day)\n"))
	svc, err := spec.Load(t.Context(), dir, spec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := svc.Functions[0]
	e := f.Events[0].Schedule.Expressions
	got := []string{f.Pos.String(), f.HandlerPos.String(), f.Events[0].Pos.String(), e[0].Pos.String(), e[1].Pos.String()}
	main, rates := filepath.Join(dir, "serverless.yml"), filepath.Join(dir, "rates.yml")
	if diff := cmp.Diff([]string{main + ":4", main + ":5", main + ":7", main + ":9", rates + ":2"}, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzLoad(f *testing.F) {
	stories, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range stories {
		a, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			if strings.HasSuffix(file.Name, "serverless.yml") {
				f.Add(file.Data)
			}
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(dir, "serverless.yml")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		svc, err := spec.Load(t.Context(), path, spec.Options{})
		if err == nil {
			if svc.Name == "" || svc.Stage == "" {
				t.Errorf("a service without name or stage: %+v", svc)
			}
			return
		}
		e, ok := errors.AsType[*spec.Error](err)
		if !ok || len(e.Problems) == 0 {
			t.Fatalf("not a list of problems: %v", err)
		}
		for _, p := range e.Problems {
			if p.Pos.File == "" || p.Pos.Line < 1 || p.Message == "" {
				t.Errorf("problem without place or words: %v", p)
			}
		}
	})
}
