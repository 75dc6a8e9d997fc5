package build

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/dropstack/dropstack/internal/spec"
)

// sources are the extensions of handlers that are bundled, in the order in which
// they are looked for.
var sources = []string{".ts", ".mts", ".cts", ".tsx", ".js", ".mjs", ".cjs", ".jsx"}

// bundled is the file that a handler is bundled from, "" when it is packed as it
// is: unless the service is bundled, that is TypeScript only.
func (b *builder) bundled(fn *spec.Function) (entry string) {
	module, ok := parseHandler(fn.Handler)
	if !ok || !filepath.IsLocal(module) {
		return ""
	}
	module = path.Clean(module)
	for _, ext := range sources {
		if b.svc.Bundle == nil && !strings.Contains(ext, "ts") {
			return "" // as it is, or nowhere: which handler says
		}
		if regular(filepath.Join(b.svc.Dir, module+ext)) {
			if b.svc.Bundle == nil && regular(filepath.Join(b.svc.Dir, module+".js")) {
				return "" // compiled already
			}
			return module + ext
		}
	}
	return ""
}

// bundle makes one file of a handler and all that it imports, and packs it with
// the files that patterns choose and the packages that stay outside.
func (b *builder) bundle(fn *spec.Function, entry string) (Artifact, error) {
	start := time.Now()
	o := cmp.Or(b.svc.Bundle, &spec.Bundle{Pos: fn.HandlerPos})
	options, err := b.bundling(fn, o, entry)
	if err != nil {
		return Artifact{}, err
	}
	result := api.Build(options)
	if len(result.Errors) > 0 {
		return Artifact{}, b.complaints(fn, result.Errors)
	}
	for _, w := range result.Warnings {
		if w.Location != nil && !strings.Contains(w.Location.File, "node_modules") {
			b.warn(b.placeOf(fn, w), "%s", w.Text)
		}
	}
	files, err := b.kept(result.OutputFiles)
	if err != nil {
		return Artifact{}, err
	}
	more, err := b.beside(fn, o)
	if err != nil {
		return Artifact{}, err
	}
	for _, f := range more {
		if !slices.ContainsFunc(files, func(have file) bool { return have.name == f.name }) {
			files = append(files, f)
		}
	}
	slices.SortFunc(files, func(x, y file) int { return cmp.Compare(x.name, y.name) })
	a, err := b.write(files)
	if err != nil {
		return Artifact{}, fmt.Errorf("pack function %s: %w", fn.Key, err)
	}
	b.tell(Event{Function: fn.Key, Step: StepPack, Artifact: a, Took: time.Since(start)})
	return a, nil
}

// bundling are esbuild's options.
func (b *builder) bundling(fn *spec.Function, o *spec.Bundle, entry string) (api.BuildOptions, error) {
	format, extension := api.FormatCommonJS, ".js"
	if o.Format == "esm" {
		format, extension = api.FormatESModule, ".mjs"
	}
	out := strings.TrimSuffix(entry, path.Ext(entry)) + cmp.Or(o.Extension, extension)
	options := api.BuildOptions{
		EntryPoints: []string{entry}, Outfile: filepath.Join(b.svc.Dir, filepath.FromSlash(out)), AbsWorkingDir: b.svc.Dir,
		Bundle: true, Platform: api.PlatformNode, Format: format, Charset: api.CharsetUTF8, LogLevel: api.LogLevelSilent,
		MinifyWhitespace: o.Minify, MinifyIdentifiers: o.Minify, MinifySyntax: o.Minify, KeepNames: o.KeepNames,
		External: slices.Concat(o.External, b.excluded(fn, o)), Define: o.Define, MainFields: o.MainFields, Conditions: o.Conditions,
		Inject: o.Inject, Tsconfig: o.TSConfig,
	}
	if options.Tsconfig != "" {
		options.Tsconfig = filepath.Join(b.svc.Dir, options.Tsconfig)
	}
	options.Sourcemap = map[string]api.SourceMap{"linked": api.SourceMapLinked, "inline": api.SourceMapInline, "external": api.SourceMapExternal, "both": api.SourceMapInlineAndExternal}[o.SourceMap]
	if o.NoSources {
		options.SourcesContent = api.SourcesContentExclude
	}
	if o.KeepUnused {
		options.TreeShaking = api.TreeShakingFalse
	}
	if o.Banner != "" {
		options.Banner = map[string]string{"js": o.Banner}
	}
	if o.Footer != "" {
		options.Footer = map[string]string{"js": o.Footer}
	}
	for _, ext := range slices.Sorted(maps.Keys(o.Loader)) {
		loader, ok := loaders[o.Loader[ext]]
		if !ok {
			return options, invalid(o.Pos, "loader %q of %s files is none; there are %s", o.Loader[ext], ext, strings.Join(slices.Sorted(maps.Keys(loaders)), ", "))
		}
		if options.Loader == nil {
			options.Loader = map[string]api.Loader{}
		}
		options.Loader[ext] = loader
	}
	var err error
	options.Engines, options.Target, err = engines(cmp.Or(o.Target, "node"+strings.TrimSuffix(strings.TrimPrefix(fn.Runtime, "nodejs"), ".x")))
	if err != nil {
		return options, invalid(o.Pos, "%w", err)
	}
	return options, nil
}

// loaders are what esbuild can make of a file.
var loaders = map[string]api.Loader{
	"base64": api.LoaderBase64, "binary": api.LoaderBinary, "copy": api.LoaderCopy, "css": api.LoaderCSS, "dataurl": api.LoaderDataURL,
	"empty": api.LoaderEmpty, "file": api.LoaderFile, "js": api.LoaderJS, "json": api.LoaderJSON, "jsx": api.LoaderJSX, "text": api.LoaderText,
	"ts": api.LoaderTS, "tsx": api.LoaderTSX,
}

// languages are the editions of the language that can be a target.
var languages = map[string]api.Target{
	"esnext": api.ESNext, "es5": api.ES5, "es2015": api.ES2015, "es2016": api.ES2016, "es2017": api.ES2017, "es2018": api.ES2018,
	"es2019": api.ES2019, "es2020": api.ES2020, "es2021": api.ES2021, "es2022": api.ES2022, "es2023": api.ES2023, "es2024": api.ES2024,
}

// engines reads what code may use: an edition of the language, versions of Node, or
// both.
func engines(text string) (nodes []api.Engine, language api.Target, err error) {
	for _, part := range strings.Split(text, ",") {
		part = strings.ToLower(strings.TrimSpace(part))
		if edition, ok := languages[part]; ok {
			language = edition
			continue
		}
		version, ok := strings.CutPrefix(part, "node")
		if _, err := strconv.ParseFloat(strings.SplitN(version+".", ".", 3)[0], 64); !ok || err != nil {
			return nil, 0, fmt.Errorf("target %q is neither a version of Node, such as node20, nor an edition of the language, such as es2022", part)
		}
		nodes = append(nodes, api.Engine{Name: api.EngineNode, Version: version})
	}
	return nodes, language, nil
}

// excluded are packages that the bundle leaves to the runtime: what is said, or the
// SDK that Lambda's runtimes of the time have.
func (b *builder) excluded(fn *spec.Function, o *spec.Bundle) []string {
	if o.Excludes {
		return o.Exclude
	}
	if o == b.svc.Bundle { // serverless-esbuild's defaults
		if major, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(fn.Runtime, "nodejs"), ".x")); major >= 18 {
			return []string{"@aws-sdk/*"}
		}
		return []string{"aws-sdk"}
	}
	return nil
}

// kept are the files that come out, written where they can be packed from.
func (b *builder) kept(out []api.OutputFile) (files []file, err error) {
	dir, err := os.MkdirTemp(b.work, "bundle-*")
	if err != nil {
		return nil, err
	}
	for i, f := range out {
		rel, err := filepath.Rel(b.svc.Dir, f.Path)
		if err != nil {
			return nil, err
		}
		at := filepath.Join(dir, strconv.Itoa(i))
		if err := os.WriteFile(at, f.Contents, 0o600); err != nil {
			return nil, err
		}
		files = append(files, file{name: filepath.ToSlash(rel), path: at})
	}
	return files, nil
}

// beside are the files that go with a bundle: those that patterns choose, and the
// packages that stay outside with all that they lead to.
func (b *builder) beside(fn *spec.Function, o *spec.Bundle) ([]file, error) {
	pos := cmp.Or(fn.Package.Pos, b.svc.Package.Pos, fn.Pos)
	patterns := slices.Concat(b.svc.Package.Patterns, fn.Package.Patterns)
	files, err := b.chosen(patterns, "", "", pos)
	if err != nil || len(o.External) == 0 {
		return files, err
	}
	t, err := b.serviceTree()
	if err != nil {
		return nil, err
	}
	lead := reached(t.root, o.External)
	globs, err := t.rules(nil, []string{"!**", "node_modules/**"})
	if err != nil {
		return nil, invalid(pos, "package: %w", err)
	}
	all, err := t.choose(globs)
	if err != nil {
		return nil, invalid(pos, "package: %w", err)
	}
	for _, f := range all {
		if lead[f.name] || below(lead, f.name) {
			files = append(files, f)
		}
	}
	return files, nil
}

// complaints are esbuild's errors, each with its place.
func (b *builder) complaints(fn *spec.Function, list []api.Message) error {
	var lines []string
	for _, m := range list {
		text := m.Text
		if strings.HasPrefix(text, "Could not resolve") && !strings.HasPrefix(text, `Could not resolve ".`) {
			text += fmt.Sprintf("; install the service's dependencies (%s), or name it under external or exclude", installer(b.svc.Dir))
		}
		lines = append(lines, fmt.Sprintf("%s: %s", b.placeOf(fn, m), text))
	}
	return invalid(fn.HandlerPos, "function %s cannot be bundled:\n%s", fn.Key, strings.Join(lines, "\n"))
}

func (b *builder) placeOf(fn *spec.Function, m api.Message) spec.Pos {
	if m.Location == nil {
		return fn.HandlerPos
	}
	return spec.Pos{File: m.Location.File, Line: m.Location.Line, Column: m.Location.Column + 1}
}
