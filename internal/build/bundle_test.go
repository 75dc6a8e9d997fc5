package build_test

import (
	"archive/zip"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/build"
)

const bundledTree = `
-- src/api.ts --
import { shout } from './lib/shout';
import greet from 'greet';
import heavy from 'heavy';
interface Event { name: string }
export const handler = async (e: Event): Promise<string> => shout(greet(e.name)) + heavy;
-- src/lib/shout.ts --
export const shout = (s: string): string => s.toUpperCase();
-- src/plain.js --
exports.handler = async () => require('./data.txt');
-- src/data.txt --
data
-- templates/mail.html --
-- node_modules/greet/package.json --
{"main": "index.js"}
-- node_modules/greet/index.js --
module.exports = (name) => 'hello ' + name;
-- node_modules/heavy/package.json --
{"main": "index.js", "dependencies": {"native": "1"}}
-- node_modules/heavy/index.js --
module.exports = '!' + require('native');
-- node_modules/native/package.json --
{"main": "index.js"}
-- node_modules/native/index.js --
module.exports = '!';
-- node_modules/unused/index.js --
`

func bundledConfig(esbuild string) string {
	return nodeConfig("plugins: [serverless-esbuild]\ncustom:\n  esbuild:\n    external: [heavy]\n    loader: {.txt: text}\n"+esbuild+
		"package: {patterns: [templates/**]}\nfunctions:\n  api: {handler: src/api.handler}\n  plain: {handler: src/plain.handler}\n") + bundledTree
}

func TestHandlersAreBundled(t *testing.T) {
	svc := service(t, bundledConfig("    sourcemap: true\n    minify: true\n"))
	got := pack(t, svc)
	want := map[string][]string{
		"api": {
			"node_modules/heavy/index.js", "node_modules/heavy/package.json", "node_modules/native/index.js", "node_modules/native/package.json",
			"src/api.js", "src/api.js.map", "templates/mail.html",
		},
		"plain": {
			"node_modules/heavy/index.js", "node_modules/heavy/package.json", "node_modules/native/index.js", "node_modules/native/package.json",
			"src/plain.js", "src/plain.js.map", "templates/mail.html",
		},
	}
	for key, files := range want {
		if diff := cmp.Diff(files, names(t, got[key])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
}

func TestABundleRuns(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("not run: no node on the PATH, which is to run the bundle")
	}
	for name, options := range map[string]string{"CommonJS": "", "ES modules": "    format: esm\n"} {
		a := pack(t, service(t, bundledConfig(options)))["api"]
		dir := filepath.Join(t.TempDir(), "task")
		zip, err := os.Open(a.Path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(build.Unpack(zip, a.Size, dir, build.MaxUnpacked), zip.Close()); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "src", "api.js")
		if options != "" {
			file = filepath.Join(dir, "src", "api.mjs")
		}
		out, err := exec.Command(node, "--input-type=module", "-e", `const m = await import(process.argv[1]); console.log(await m.handler({name: 'ann'}))`, file).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != "HELLO ANN!!" {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}

func TestTheSameBundleAnywhere(t *testing.T) {
	options := "    sourcemap: true\n"
	first, second := service(t, bundledConfig(options)), service(t, bundledConfig(options))
	if a, b := pack(t, first)["api"], pack(t, second)["api"]; first.Dir == second.Dir || a.SHA256 != b.SHA256 {
		t.Errorf("the same sources in %s and %s: %s and %s", first.Dir, second.Dir, a.SHA256, b.SHA256)
	}
	changed := service(t, strings.Replace(bundledConfig(options), "toUpperCase", "toLowerCase", 1))
	if a, b := pack(t, first)["api"], pack(t, changed)["api"]; a.SHA256 == b.SHA256 {
		t.Error("another source, the same artifact")
	}
}

func TestTypeScriptIsBundledUnasked(t *testing.T) {
	got := pack(t, service(t, nodeConfig("functions:\n  f: {handler: a.handler}\n  g: {handler: b.handler}")+"-- a.ts --\nexport const handler = async (n: number) => n;\n-- b.js --\nexports.handler = async () => 1;\n"))
	if diff := cmp.Diff([]string{"a.js"}, names(t, got["f"])); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a.ts", "b.js"}, names(t, got["g"])); diff != "" {
		t.Error(diff)
	}
}

// The target is the runtime: what it cannot do is written in other words.
func TestABundleIsForItsRuntime(t *testing.T) {
	source := "-- a.ts --\nexport const handler = async (e: any) => e?.x ?? 1;\n"
	for runtime, want := range map[string]bool{"nodejs8.10": false, "nodejs20.x": true} {
		config := strings.Replace(nodeConfig("functions:\n  f: {handler: a.handler}"), "nodejs22.x", runtime, 1)
		a := pack(t, service(t, config+source))["f"]
		z, err := zip.OpenReader(a.Path)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(content(t, z.File[0]), "??"); got != want {
			t.Errorf("%s: ?? is there: %t", runtime, got)
		}
		if err := z.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Whatever plugin bundles, the builder does in its place.
func TestPluginsThatBundle(t *testing.T) {
	for _, plugin := range []string{"serverless-webpack", "serverless-webpack-5", "serverless-rspack", "serverless-plugin-optimize", "serverless-jetpack"} {
		got := names(t, pack(t, service(t, nodeConfig("plugins: ["+plugin+"]\nfunctions:\n  f: {handler: a.handler}")+"-- a.js --\nexports.handler = require('./b');\n-- b.js --\nmodule.exports = async () => 1;\n"))["f"])
		want := []string{"a.js"}
		if plugin == "serverless-jetpack" { // which packs only
			want = []string{"a.js", "b.js"}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", plugin, diff)
		}
	}
}
