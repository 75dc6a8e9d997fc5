package spec

import (
	"regexp"
	"slices"
	"strings"
)

// Bundle says how handlers of Node become one file each, with what they import:
// the options of serverless-esbuild, which are esbuild's.
type Bundle struct {
	Pos        Pos
	Minify     bool              `json:",omitzero"`
	KeepNames  bool              `json:",omitzero"`
	SourceMap  string            `json:",omitzero"` // "", linked, inline, external or both
	NoSources  bool              `json:",omitzero"` // the map does not hold the sources
	Target     string            `json:",omitzero"` // "": what the runtime can do
	Format     string            `json:",omitzero"` // "" (cjs), cjs or esm
	Extension  string            `json:",omitzero"` // of what comes out; "": .js, or .mjs of esm
	External   []string          `json:",omitzero"` // stay in node_modules, and are packed
	Exclude    []string          `json:",omitzero"` // stay out: the runtime or a layer has them
	Excludes   bool              `json:",omitzero"` // Exclude has been said
	Define     map[string]string `json:",omitzero"`
	Loader     map[string]string `json:",omitzero"` // by extension
	Banner     string            `json:",omitzero"`
	Footer     string            `json:",omitzero"`
	MainFields []string          `json:",omitzero"`
	Conditions []string          `json:",omitzero"`
	Inject     []string          `json:",omitzero"`
	TSConfig   string            `json:",omitzero"`
	KeepUnused bool              `json:",omitzero"` // treeShaking: false
}

// bundlers are the plugins that bundle, as the builder does in their place. Settings
// are read of serverless-esbuild alone.
const bundlers = `serverless-(esbuild|webpack|bundle|plugin-typescript|plugin-optimize|rspack)|serverless-webpack-.*|@haftahave/serverless-.*bundle`

var bundler = regexp.MustCompile(`^(` + bundlers + `)$`)

// bundle reads how the service is bundled: nil, not at all, unless a handler is
// TypeScript.
func (r *reader) bundle(plugins, custom, build *node) *Bundle {
	if build = r.vars.resolve(build); build != nil && build.kind == object {
		if n := r.vars.resolve(build.get("esbuild")); n != nil && n.kind == object {
			return r.bundleOptions(n, "build.esbuild")
		}
	}
	if plugins = r.vars.resolve(plugins); plugins != nil && plugins.kind == object {
		plugins = r.vars.resolve(plugins.get("modules"))
	}
	if plugins == nil || plugins.kind != list {
		return nil
	}
	for _, p := range plugins.items {
		p = r.vars.resolve(p)
		if !bundler.MatchString(p.text) {
			continue
		}
		if p.text != "serverless-esbuild" {
			return &Bundle{Pos: p.pos}
		}
		if custom = r.vars.resolve(custom); custom != nil && custom.kind == object {
			if n := r.vars.resolve(custom.get("esbuild")); n != nil && n.kind == object {
				return r.bundleOptions(n, "custom.esbuild")
			}
		}
		return &Bundle{Pos: p.pos}
	}
	return nil
}

// bundleOptions reads the options of serverless-esbuild.
func (r *reader) bundleOptions(n *node, what string) *Bundle {
	b := &Bundle{Pos: n.pos}
	texts := func(into *map[string]string) func(*node) {
		return func(v *node) {
			if *into = map[string]string{}; r.is(v, object, what) {
				for _, f := range v.fields {
					(*into)[f.key] = r.str(f.value, what+"."+f.key)
				}
			}
		}
	}
	of := func(into *string, key string, allowed ...string) func(*node) {
		return func(v *node) {
			if *into = r.str(v, what+"."+key); len(allowed) > 0 && !slices.Contains(allowed, *into) {
				r.fail(v.pos, "%s.%s must be %s, not %q", what, key, strings.Join(allowed, ", "), *into)
			}
		}
	}
	listed := func(into *[]string, key string) func(*node) {
		return func(v *node) { *into = r.strings(v, what+"."+key) }
	}
	script := func(into *string, key string) func(*node) {
		return func(v *node) {
			r.object(v, what+"."+key, keys{"js": func(v *node) { *into = r.str(v, what+"."+key+".js") }, "css": nil}, effects{})
		}
	}
	r.object(n, what, keys{
		"bundle": func(v *node) {
			if !r.boolean(v, what+".bundle") {
				r.fail(v.pos, "%s.bundle: false is not supported: modules would not find each other; leave it out", what)
			}
		},
		"minify":    func(v *node) { b.Minify = r.boolean(v, what+".minify") },
		"keepNames": func(v *node) { b.KeepNames = r.boolean(v, what+".keepNames") },
		"sourcemap": func(v *node) {
			switch {
			case v.kind == boolean && v.text == "true":
				b.SourceMap = "linked"
			case v.kind == boolean:
			case v.kind == object: // serverless 4: {type, setNodeOptions}
				r.object(v, what+".sourcemap", keys{"type": of(&b.SourceMap, "sourcemap.type", "linked", "inline", "external", "both"), "setNodeOptions": nil}, effects{})
			default:
				of(&b.SourceMap, "sourcemap", "linked", "inline", "external", "both")(v)
			}
		},
		"sourcesContent": func(v *node) { b.NoSources = !r.boolean(v, what+".sourcesContent") },
		"target": func(v *node) {
			b.Target = strings.Join(r.strings(v, what+".target"), ",")
		},
		"format":              of(&b.Format, "format", "cjs", "esm"),
		"outputFileExtension": of(&b.Extension, "outputFileExtension", ".js", ".cjs", ".mjs"),
		"external":            listed(&b.External, "external"),
		"exclude":             func(v *node) { b.Exclude, b.Excludes = r.strings(v, what+".exclude"), true },
		"define":              texts(&b.Define),
		"loader":              texts(&b.Loader),
		"banner":              script(&b.Banner, "banner"),
		"footer":              script(&b.Footer, "footer"),
		"mainFields":          listed(&b.MainFields, "mainFields"),
		"conditions":          listed(&b.Conditions, "conditions"),
		"inject":              listed(&b.Inject, "inject"),
		"tsconfig":            of(&b.TSConfig, "tsconfig"),
		"treeShaking":         func(v *node) { b.KeepUnused = !r.boolean(v, what+".treeShaking") },
		"platform": func(v *node) {
			if p := r.str(v, what+".platform"); p != "node" {
				r.fail(v.pos, "%s.platform must be node, not %q: functions run on Node", what, p)
			}
		},
		// How the plugin goes about it, or what has no effect on what comes out.
		"packager": nil, "packagePath": nil, "packagerOptions": nil, "installExtraArgs": nil, "concurrency": nil, "zipConcurrency": nil,
		"watch": nil, "nativeZip": nil, "keepOutputDirectory": nil, "outputWorkFolder": nil, "outputBuildFolder": nil, "logLevel": nil,
		"disableIncremental": nil, "metafile": nil, "configFile": nil, "buildConcurrency": nil,
	}, effects{
		"plugins":           "plugins of esbuild are JavaScript, which is not run here: the bundle would be another",
		"resolveExtensions": "other files would be found",
		"skipBuild":         "name what is built elsewhere in package.artifact instead",
	})
	return b
}
