package build

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// defaultExcludes are left out of packages and layers: what the Serverless
// Framework leaves out, what we write ourselves, and what package managers note
// down about one machine and one moment.
var defaultExcludes = []string{
	".git/**", ".gitignore", ".DS_Store", "npm-debug.log", "yarn-*.log", ".serverless/**", ".serverless_plugins/**",
	".dropstack/**",
	"**/node_modules/.package-lock.json", "**/node_modules/.yarn-integrity", "**/node_modules/.yarn-state.yml",
	"**/node_modules/.modules.yaml", "**/node_modules/.cache/**",
}

// tree is a directory from which patterns choose what goes into an artifact.
type tree struct {
	root    string   // without links
	project string   // links may lead anywhere in it; root or a directory above
	exclude []string // besides defaultExcludes
	skip    map[string]bool

	globs []glob
	files map[string]file // chosen so far
	links []link
}

// link is a symbolic link that stays within the tree.
type link struct {
	name   string // of the link
	path   string // on disk
	target string // what it leads to in the end, relative to the root
	dir    bool
}

func newTree(dir string) (*tree, error) {
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	return &tree{root: root, project: projectRoot(root)}, nil
}

// projectRoot is the repository or workspace that a directory belongs to, itself
// when it is in none.
func projectRoot(dir string) string {
	for up := dir; ; up = filepath.Dir(up) {
		for _, sign := range []string{".git", "pnpm-workspace.yaml"} {
			if _, err := os.Stat(filepath.Join(up, sign)); err == nil {
				return up
			}
		}
		if p, err := readManifest(up); err == nil && len(p.Workspaces) > 0 {
			return up
		}
		if up == filepath.Dir(up) {
			return dir
		}
	}
}

// rules puts patterns into the order in which the Serverless Framework applies
// them: what is excluded by default, then by exclude, then patterns.
func (t *tree) rules(exclude, patterns []string) ([]glob, error) {
	all := []string{"**"}
	for _, p := range slices.Concat(defaultExcludes, t.exclude, exclude) {
		if back, ok := strings.CutPrefix(p, "!"); ok {
			all = append(all, back)
		} else {
			all = append(all, "!"+p)
		}
	}
	for _, p := range patterns {
		if strings.HasPrefix(path.Clean(p), "../") {
			return nil, fmt.Errorf("pattern %q leads out of the directory; make a link in it instead", p)
		}
	}
	return compileGlobs(slices.Concat(all, patterns), exactly)
}

// choose returns the files and links of the tree that the rules choose, by name.
// Links within the tree stay links as long as what they lead to is chosen too;
// otherwise, and when they lead to elsewhere in the project, they become what they
// lead to.
func (t *tree) choose(globs []glob) ([]file, error) {
	t.globs, t.files = globs, map[string]file{}
	if err := t.walk(t.root, ".", []string{t.root}); err != nil {
		return nil, err
	}
	full := t.directories()
	for _, l := range t.links {
		if err := t.follow(l, full); err != nil {
			return nil, err
		}
	}
	chosen := make([]file, 0, len(t.files))
	for _, f := range t.files {
		chosen = append(chosen, f)
	}
	slices.SortFunc(chosen, func(x, y file) int { return cmp.Compare(x.name, y.name) })
	return chosen, nil
}

// directories are those that have a chosen file in them.
func (t *tree) directories() map[string]bool {
	full := map[string]bool{}
	for name := range t.files {
		for up := path.Dir(name); up != "." && !full[up]; up = path.Dir(up) {
			full[up] = true
		}
	}
	return full
}

// walk visits a directory on disk under a name in the artifact. above are the real
// directories that lead there: one within itself would never end.
func (t *tree) walk(dir, name string, above []string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, d := range entries {
		to, from := path.Join(name, d.Name()), filepath.Join(dir, d.Name())
		if t.skip[to] || slices.Contains([]string{".git", ".serverless", ".dropstack"}, to) {
			continue
		}
		switch {
		case d.IsDir():
			err = t.walk(from, to, append(slices.Clone(above), from))
		case d.Type()&fs.ModeSymlink != 0:
			err = t.link(from, to, above)
		case d.Type().IsRegular() && matches(t.globs, to): // sockets and the like stay out
			err = t.add(from, to)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *tree) add(from, name string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	t.files[name] = file{name: name, path: from, exec: info.Mode()&0o100 != 0}
	return nil
}

// link sorts links into those that stay in the tree, which wait until it is known
// what is chosen, and those that leave it.
func (t *tree) link(from, name string, above []string) error {
	real, err := filepath.EvalSymlinks(from)
	if errors.Is(err, fs.ErrNotExist) {
		if strings.Contains("/"+name, "/node_modules/") || !matches(t.globs, name) {
			return nil // package managers leave such links behind
		}
		return fmt.Errorf("%s is a link that leads nowhere", name)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	info, err := os.Stat(real)
	if err != nil {
		return err
	}
	rel, inside := within(t.root, real)
	switch {
	case inside && filepath.Join(t.root, filepath.FromSlash(name)) == from:
		if t.skip[rel] || below(t.skip, rel) {
			return nil
		}
		t.links = append(t.links, link{name: name, path: from, target: rel, dir: info.IsDir()})
		return nil
	case t.skip[real] || !info.IsDir() && !matches(t.globs, name):
		return nil
	}
	if _, ok := within(t.project, real); !ok {
		if info.IsDir() && !matches(t.globs, name+"/x") {
			return nil
		}
		return fmt.Errorf("%s is a link out of the project %s, to %s", name, t.project, real)
	}
	return t.become(real, name, info, above)
}

// become puts what a link leads to in its place.
func (t *tree) become(real, name string, info fs.FileInfo, above []string) error {
	if !info.IsDir() {
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is not a link to a file or a directory", name)
		}
		return t.add(real, name)
	}
	if slices.Contains(above, real) {
		return nil // it leads back to where it is
	}
	return t.walk(real, name, append(slices.Clone(above), real))
}

// follow keeps a link within the tree, or puts what it leads to in its place.
func (t *tree) follow(l link, full map[string]bool) error {
	if !l.dir && !matches(t.globs, l.name) || l.dir && !matches(t.globs, l.name+"/x") {
		return nil
	}
	_, chosen := t.files[l.target]
	chosen = chosen || full[l.target]
	if !chosen {
		real := filepath.Join(t.root, filepath.FromSlash(l.target))
		info, err := os.Stat(real)
		if err != nil {
			return err
		}
		return t.become(real, l.name, info, []string{t.root, filepath.Dir(l.path)})
	}
	rel, err := filepath.Rel(path.Dir(l.name), l.target)
	if err != nil {
		return err
	}
	t.files[l.name] = file{name: l.name, link: filepath.ToSlash(rel)}
	return nil
}

// within is a path relative to a directory, if it is in it.
func within(dir, path string) (string, bool) {
	rel, err := filepath.Rel(dir, path)
	return filepath.ToSlash(rel), err == nil && filepath.IsLocal(rel)
}

// below reports whether a name is in one of the directories.
func below(dirs map[string]bool, name string) bool {
	for up := path.Dir(name); up != "."; up = path.Dir(up) {
		if dirs[up] {
			return true
		}
	}
	return false
}
