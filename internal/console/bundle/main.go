// Command bundle makes the console's pages of their sources: it has npm install what
// console/package-lock.json says and bundles console/src with esbuild into dist, which
// is committed, so that nobody needs Node to build the platform. `go generate
// ./internal/console` runs it; with -modules DIR it takes what is installed there.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

func main() {
	sources := flag.String("sources", filepath.Join("..", "..", "console"), "directory of the sources")
	modules := flag.String("modules", "", "node_modules to bundle from (default: npm installs them beside the sources)")
	out := flag.String("out", "dist", "directory of the bundle; what is in it is removed")
	flag.Parse()
	if err := run(*sources, *modules, *out); err != nil {
		fmt.Fprintln(os.Stderr, "bundle:", err)
		os.Exit(1)
	}
}

func run(sources, modules, out string) (err error) {
	if modules == "" {
		modules = filepath.Join(sources, "node_modules")
		npm := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
		npm.Dir, npm.Stdout, npm.Stderr = sources, os.Stdout, os.Stderr
		if err := npm.Run(); err != nil {
			return fmt.Errorf("npm ci in %s: %w", sources, err)
		}
	}
	for _, dir := range []*string{&sources, &modules, &out} {
		if *dir, err = filepath.Abs(*dir); err != nil {
			return err
		}
	}
	files, err := bundle(sources, modules, out)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	for name, body := range files {
		path := filepath.Join(out, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, body, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// bundle makes the files of dist, by their paths in it. The short names in them depend on
// where modules lie relative to the sources, so both are laid side by side first.
func bundle(sources, modules, out string) (_ map[string][]byte, err error) {
	desk, err := os.MkdirTemp("", "console")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(desk)) }()
	if err := os.CopyFS(filepath.Join(desk, "src"), os.DirFS(filepath.Join(sources, "src"))); err != nil {
		return nil, err
	}
	if err := os.Symlink(modules, filepath.Join(desk, "node_modules")); err != nil {
		return nil, err
	}
	result := api.Build(api.BuildOptions{
		AbsWorkingDir: desk, PreserveSymlinks: true, EntryPoints: []string{"src/main.tsx"}, Outdir: out,
		Bundle: true, Format: api.FormatESModule, Target: api.ES2022, Platform: api.PlatformBrowser,
		JSX: api.JSXAutomatic, JSXImportSource: "preact",
		MinifySyntax: true, MinifyWhitespace: true, MinifyIdentifiers: true,
		LegalComments: api.LegalCommentsEndOfFile, Charset: api.CharsetUTF8,
		EntryNames: "assets/console-[hash]", Define: map[string]string{"process.env.NODE_ENV": `"production"`},
	})
	if len(result.Errors) > 0 {
		return nil, fmt.Errorf("%s", strings.Join(api.FormatMessages(result.Errors, api.FormatMessagesOptions{}), "\n"))
	}
	document, err := os.ReadFile(filepath.Join(sources, "index.html"))
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	html := string(document)
	for _, f := range result.OutputFiles {
		name, err := filepath.Rel(out, f.Path)
		if err != nil {
			return nil, err
		}
		name = filepath.ToSlash(name)
		files[name] = f.Contents
		html = strings.ReplaceAll(html, "{{"+strings.TrimPrefix(filepath.Ext(name), ".")+"}}", "/"+name)
	}
	if strings.Contains(html, "{{") {
		return nil, fmt.Errorf("index.html names a file that the bundle does not have")
	}
	files["index.html"] = []byte(html)
	for _, name := range []string{"icon.svg"} {
		if files[name], err = os.ReadFile(filepath.Join(sources, name)); err != nil {
			return nil, err
		}
	}
	files["licenses.txt"], err = licenses(modules, "preact", "uplot")
	return files, err
}

// licenses are those of what the bundle contains.
func licenses(modules string, packages ...string) ([]byte, error) {
	var all []byte
	for _, name := range packages {
		text, err := os.ReadFile(filepath.Join(modules, name, "LICENSE"))
		if err != nil {
			return nil, err
		}
		all = append(all, name+"\n\n"...)
		all = append(all, text...)
		all = append(all, "\n\n"...)
	}
	return all, nil
}
