package spec

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// dotenv reads .env.STAGE, or where there is none .env, if the service says
// useDotenv. What the environment has already wins.
func (r *reader) dotenv(root *node) {
	n := r.vars.resolve(root.get("useDotenv"))
	if n == nil || n.kind == null || !r.boolean(n, "useDotenv") {
		return
	}
	for _, name := range []string{".env." + r.svc.Stage, ".env"} {
		values, err := r.vars.source.readDotenv(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			r.fail(n.pos, "useDotenv: %v", err)
		}
		r.vars.source.dotenv = values
		return
	}
}

// dotenvPlugin is what serverless-dotenv-plugin does: it reads several files, of
// which the first that has a variable decides, and gives what they say to all
// functions.
func (r *reader) dotenvPlugin(pos Pos, custom *node) {
	settings := r.vars.resolve(r.vars.resolve(custom).field("dotenv"))
	names := r.dotenvNames()
	base := r.setting(settings, "basePath")
	if path := r.setting(settings, "path"); path != "" {
		names = []string{path}
	}
	src := r.vars.source
	all := map[string]string{}
	for _, name := range names {
		values, err := src.readDotenv(filepath.Join(base, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			r.fail(pos, "serverless-dotenv-plugin: %v", err)
		}
		for key, value := range values {
			all[key] = cmp.Or(all[key], value)
		}
	}
	given := maps.Clone(all)
	maps.Copy(all, src.dotenv)
	src.dotenv = all
	include, exclude := r.set(settings.field("include")), r.set(settings.field("exclude"))
	r.fromFiles = map[string]string{}
	for key := range given {
		if value, ok := src.env(key); ok && !exclude[key] && (include == nil || include[key]) {
			r.fromFiles[key] = value
		}
	}
}

// withFiles is provider.environment with what serverless-dotenv-plugin adds.
func (r *reader) withFiles(env *node) *node {
	if len(r.fromFiles) == 0 {
		return env
	}
	out := &node{kind: object, pos: r.vars.root.pos}
	if env = r.vars.resolve(env); env != nil && env.kind == object {
		out.pos, out.fields = env.pos, slices.Clone(env.fields)
	}
	for _, key := range slices.Sorted(maps.Keys(r.fromFiles)) {
		out.set(key, plain(r.fromFiles[key], out.pos))
	}
	return out
}

// dotenvNames are the files of serverless-dotenv-plugin, what is nearest first.
func (r *reader) dotenvNames() []string {
	env, _ := r.vars.source.env("NODE_ENV")
	env = cmp.Or(env, r.vars.source.opts.Stage, r.vars.source.opts.Opts["stage"], "development")
	names := []string{".env." + env + ".local", ".env." + env, ".env.local", ".env"}
	if env == "test" {
		names = []string{names[0], names[1], names[3]}
	}
	return names
}

// setting is a string among the settings of a plugin.
func (r *reader) setting(settings *node, key string) string {
	if n := r.vars.resolve(settings.field(key)); n != nil && n.kind != null {
		return r.str(n, "custom.dotenv."+key)
	}
	return ""
}

// set is a list of names, nil if there is none.
func (r *reader) set(n *node) map[string]bool {
	if n = r.vars.resolve(n); n == nil || n.kind == null {
		return nil
	}
	out := map[string]bool{}
	for _, name := range r.strings(n, "custom.dotenv") {
		out[name] = true
	}
	return out
}

// field is get of what may be no map.
func (n *node) field(key string) *node {
	if n == nil || n.kind != object {
		return nil
	}
	return n.get(key)
}

// dotenvLine is KEY=value, KEY: value or export KEY=value, the value in quotes of
// three kinds, in which it may have several lines, or up to a #.
var dotenvLine = regexp.MustCompile("(?m)^[ \\t]*(?:export[ \\t]+)?([\\w.-]+)(?:[ \\t]*=[ \\t]*|:[ \\t]+)" +
	"(?:'((?:\\\\'|[^'])*)'[ \\t]*(?:#.*)?$|\"((?:\\\\\"|[^\"])*)\"[ \\t]*(?:#.*)?$|`((?:\\\\`|[^`])*)`[ \\t]*(?:#.*)?$|([^#\\r\\n]*)(?:#.*)?$)")

// readDotenv reads a file of the service's directory and expands its values.
func (s *source) readDotenv(name string) (map[string]string, error) {
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.dir, name)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	doc := strings.ReplaceAll(string(data), "\r\n", "\n")
	raw := map[string]string{}
	for _, m := range dotenvLine.FindAllStringSubmatch(doc, -1) {
		inQuotes := strings.NewReplacer(`\n`, "\n", `\r`, "\r").Replace(m[3])
		raw[m[1]] = m[2] + inQuotes + m[4] + strings.TrimSpace(m[5])
	}
	lookup := func(key string) string {
		value, _ := s.opts.env(key)
		return cmp.Or(value, raw[key])
	}
	out := map[string]string{}
	for key, value := range raw {
		out[key] = strings.ReplaceAll(expandEnv(value, lookup), `\$`, "$")
	}
	return out, nil
}

var (
	// expansion is $NAME, ${NAME}, ${NAME:-otherwise}, ${NAME-otherwise},
	// ${NAME:+instead} or ${NAME+instead}.
	expansion = regexp.MustCompile(`\$\{([^{}]+)\}|\$([A-Za-z_][A-Za-z0-9_]*)`)
	operator  = regexp.MustCompile(`:\+|\+|:-|-`)
)

// expandEnv replaces variables from the left until none is left; what they bring is
// expanded too. A backslash before $ makes it text.
func expandEnv(value string, lookup func(string) string) string {
	for range 1000 { // more than any file needs, unless its variables go in a circle
		at := unescaped(value)
		if at == nil {
			break
		}
		expr := value[at[0]+1 : at[1]]
		expr = strings.TrimSuffix(strings.TrimPrefix(expr, "{"), "}")
		name, sign, rest := expr, "", ""
		if i := operator.FindStringIndex(expr); i != nil {
			name, sign, rest = expr[:i[0]], expr[i[0]:i[1]], expr[i[1]:]
		}
		with := lookup(name)
		switch itself := strings.Contains(with, value[at[0]:at[1]]); {
		case strings.HasSuffix(sign, "+") && with == "":
		case strings.HasSuffix(sign, "+"), with == "", itself:
			with = rest
		}
		value = value[:at[0]] + with + value[at[1]:]
		if len(value) > maxText {
			break
		}
	}
	return value
}

// unescaped finds the first variable that no backslash precedes.
func unescaped(value string) []int {
	for _, at := range expansion.FindAllStringIndex(value, -1) {
		if at[0] == 0 || value[at[0]-1] != '\\' {
			return at
		}
	}
	return nil
}
