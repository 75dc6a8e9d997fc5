package build_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/build"
	"github.com/dropstack/dropstack/internal/fault"
)

func TestLayers(t *testing.T) {
	svc := service(t, nodeConfig(`
functions:
  f: {handler: a.b, layers: [!Ref BaseLambdaLayer, !Ref ReadyLambdaLayer]}
package: {patterns: ["!**/*.md"]}
layers:
  base: {path: layers/base, package: {patterns: ["!**/test/**"]}}
  ready: {package: {artifact: ready.zip}}
  shared: {path: layers/base}
`)+`
-- a.js --
-- layers/base/nodejs/node_modules/x/package.json --
-- layers/base/nodejs/node_modules/x/README.md --
-- layers/base/nodejs/node_modules/x/test/a.js --
-- layers/base/bin/tool.sh --
-- layers/base/.git/HEAD --
`)
	writeZip(t, filepath.Join(svc.Dir, "ready.zip"), map[string]string{"lib/x": "1"})
	got, err := build.Layers(t.Context(), svc, build.Options{OutDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got["ready"].Unpacked != 1 || got["ready"].Path != filepath.Join(svc.Dir, "ready.zip") {
		t.Errorf("got %+v", got)
	}
	want := []string{"755 1980-01-01 bin/tool.sh", "644 1980-01-01 nodejs/node_modules/x/package.json"}
	if diff := cmp.Diff(want, entries(t, got["base"])); diff != "" {
		t.Error(diff)
	}
	again, err := build.Layers(t.Context(), svc, build.Options{OutDir: t.TempDir()})
	if err != nil || again["base"].SHA256 != got["base"].SHA256 {
		t.Errorf("again %+v, %v; first %+v", again["base"], err, got["base"])
	}
}

func TestWhatTheAuthorOfLayersHasToMend(t *testing.T) {
	svc := service(t, nodeConfig(`functions:
  f: {handler: a.b, layers: [!Ref NoneLambdaLayer, !Ref EmptyLambdaLayer, !Ref FileLambdaLayer, !Ref BadLambdaLayer]}
layers:
  none:
    path: nowhere
  empty:
    path: empty
    package: {patterns: ["!**"]}
  file: {path: a.js}
  bad: {package: {artifact: a.js}}
`)+"-- a.js --\n-- empty/x --\n")
	_, err := build.Layers(t.Context(), svc, build.Options{OutDir: t.TempDir()})
	if fault.KindOf(err) != fault.Invalid {
		t.Fatalf("got %v", err)
	}
	want := []string{
		"serverless.yml:7: layer none: there is no directory nowhere",
		"serverless.yml:10: layer empty: no file of empty is chosen by the patterns, the service's among them",
		"serverless.yml:11: layer file: there is no directory a.js",
		"serverless.yml:12: package.artifact a.js is not a zip file: ",
	}
	lines := strings.Split(strings.ReplaceAll(err.Error(), svc.Dir+"/", ""), "\n")
	if len(lines) != len(want) {
		t.Fatalf("got %q", lines)
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, want[i]) {
			t.Errorf("got %s, want %s", line, want[i])
		}
	}
}

// layer is a zip in memory, of files and, with a slash at the end, directories.
func layer(t *testing.T, files map[string]string) build.Zip {
	t.Helper()
	path := filepath.Join(t.TempDir(), "layer.zip")
	writeZip(t, path, files)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return build.Zip{ReaderAt: bytes.NewReader(data), Size: int64(len(data))}
}

func TestLaterLayersWin(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "layers", "merged")
	layers := []build.Zip{
		layer(t, map[string]string{"only/first": "1", "same": "1", "turns/into/a": "1", "file": "1", "empty/": ""}),
		layer(t, map[string]string{"only/second": "2", "same": "2", "turns/into": "2", "file/x": "2", "empty/": ""}),
		layer(t, map[string]string{"same": "3", "only/third": "3"}),
	}
	if err := build.UnpackLayers(layers, dir, 0); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		got[rel] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"only/first": "1", "only/second": "2", "only/third": "3", "same": "3", "turns/into": "2", "file/x": "2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(filepath.Join(dir, "empty")); err != nil {
		t.Error(err)
	}
}

func TestLayersOverTheLimitLeaveNothing(t *testing.T) {
	parent := t.TempDir()
	big := strings.Repeat("x", 600)
	layers := []build.Zip{layer(t, map[string]string{"a": big, "same": big}), layer(t, map[string]string{"b": big, "same": "small"})}
	if err := build.UnpackLayers(layers, filepath.Join(parent, "fits"), 1300); err != nil {
		t.Errorf("what is replaced counts: %v", err)
	}
	err := build.UnpackLayers(layers, filepath.Join(parent, "not"), 1100)
	if fault.KindOf(err) != fault.TooLarge || !strings.Contains(err.Error(), "the set of layers has more than 1100 bytes") {
		t.Errorf("got %v", err)
	}
	left, err := filepath.Glob(filepath.Join(parent, "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("left %q, %v", left, err)
	}
	broken := []build.Zip{layers[0], {ReaderAt: bytes.NewReader([]byte("no zip")), Size: 6}}
	if err := build.UnpackLayers(broken, filepath.Join(parent, "broken"), 0); fault.KindOf(err) != fault.Invalid {
		t.Errorf("got %v", err)
	}
	if err := build.UnpackLayers(make([]build.Zip, 6), filepath.Join(parent, "six"), 0); fault.KindOf(err) != fault.Invalid {
		t.Errorf("got %v", err)
	}
}

func TestLayersID(t *testing.T) {
	a, b := strings.Repeat("a", 64), strings.Repeat("b", 64)
	if build.LayersID(nil) != "" || build.LayersID([]string{a, b}) == build.LayersID([]string{b, a}) || len(build.LayersID([]string{a})) != 64 {
		t.Errorf("got %q", build.LayersID([]string{a}))
	}
}
