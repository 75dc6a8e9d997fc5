package internal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// floors is the direction of dependencies: a room imports only rooms of floors
// below its own, never a sibling.
var floors = [][]string{
	{"arn", "fault", "wire", "durable"},
	{"network", "ca", "pattern"},
	{"engine", "sandbox", "spec", "node"},
	{"iam", "logs", "metric", "build", "audit", "secret"},
	{"trace"},
	{"instance"},
	{"function"},
	{"queue"}, // others send to it
	{"bus", "edge", "gateway", "topic", "schedule", "bucket", "alert", "monitor"},
	{"deploy"},
	{"lambda", "event", "cloudformation", "apigateway", "cloudfront", "wafv2"},
	{"api", "console"},
	{"server"},
	{"testkit"},
	{"conformance", "judge", "edgejudge", "corpus", "osls"},
}

const module = "github.com/dropstack/dropstack/"

// heavy engines are linked only where they are opened, so that tests of a room
// link fast.
var heavy = map[string][]string{
	"github.com/versity/versitygw":             {"engine"},
	"github.com/nats-io/nats-server/v2/server": {"engine"},
	"github.com/prometheus/prometheus":         {"metric", "alert"},
	"github.com/prometheus/alertmanager":       {"alert"},
}

func TestImportsPointDown(t *testing.T) {
	floor := map[string]int{}
	for i, rooms := range floors {
		for _, room := range rooms {
			floor[room] = i
		}
	}
	seen := 0
	each(t, ".", func(path, imp string, test bool) {
		room, _, _ := strings.Cut(filepath.ToSlash(path), "/")
		if strings.HasSuffix(room, "_test.go") {
			return
		}
		from, known := floor[room]
		if !known {
			t.Errorf("%s: room %q is on no floor; add it to the table in imports_test.go", path, room)
			return
		}
		for prefix, owners := range heavy {
			if strings.HasPrefix(imp, prefix) && !slices.Contains(owners, room) && !test {
				t.Errorf("%s imports %s: only %s may", path, imp, strings.Join(owners, " and "))
			}
		}
		inner, ok := strings.CutPrefix(imp, module+"internal/")
		if !ok {
			if strings.HasPrefix(imp, module) {
				t.Errorf("%s imports %s: rooms see nothing outside internal", path, imp)
			}
			return
		}
		seen++
		target, _, _ := strings.Cut(inner, "/")
		if test || target == room {
			return
		}
		if to := floor[target]; to >= from {
			t.Errorf("%s: %s (floor %d) imports %s (floor %d); imports point down", path, room, from, target, to)
		}
	})
	if seen == 0 {
		t.Error("no internal import found: the test reads the wrong place")
	}
}

func TestServicesSeeOnlyThePublicContract(t *testing.T) {
	each(t, filepath.Join("..", "services"), func(path, imp string, _ bool) {
		if strings.HasPrefix(imp, module+"internal/") {
			t.Errorf("services/%s imports %s", path, imp)
		}
	})
}

func each(t *testing.T, root string, visit func(path, imp string, test bool)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "testdata" {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		for _, i := range f.Imports {
			imp, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			visit(rel, imp, strings.HasSuffix(path, "_test.go"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
