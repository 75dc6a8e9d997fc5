package build

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// manifest is what package.json says about other packages.
type manifest struct {
	Dependencies map[string]string `json:"dependencies"`
	Optional     map[string]string `json:"optionalDependencies"`
	Peer         map[string]string `json:"peerDependencies"`
	Dev          map[string]string `json:"devDependencies"`
	Workspaces   json.RawMessage   `json:"workspaces"`
}

// readManifest reads the package.json of a directory.
func readManifest(dir string) (manifest, error) {
	var p manifest
	file := filepath.Join(dir, "package.json")
	data, err := os.ReadFile(file)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return p, fmt.Errorf("package.json is not valid: %w", err)
	}
	return p, nil
}

// development finds the packages below root that only development dependencies
// lead to: by every package.json outside node_modules, the packages that Node would
// resolve its devDependencies to, and theirs in turn, less those of its other
// dependencies. Packages that nothing leads to are not among them. Names are
// relative to root, with slashes, or of packages elsewhere whole.
func development(root string) (map[string]bool, error) {
	dev, prod := map[string]bool{}, map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains(skipped, d.Name()) {
			return fs.SkipDir
		}
		if d.Name() != "package.json" || !d.Type().IsRegular() {
			return nil
		}
		dir := filepath.Dir(path)
		p, err := readManifest(dir)
		if err != nil {
			return nil // whoever needs it will say so; it may be a test's
		}
		reach(root, dir, prod, p.Dependencies, p.Optional, p.Peer)
		reach(root, dir, dev, p.Dev)
		return nil
	})
	only := map[string]bool{}
	for dir := range dev {
		if prod[dir] {
			continue
		}
		if rel, ok := within(root, dir); ok {
			only[rel] = true
		} else {
			only[dir] = true
		}
	}
	return only, err
}

// reach marks the directories of the packages that a package in dir needs.
func reach(root, dir string, seen map[string]bool, groups ...map[string]string) {
	for _, group := range groups {
		for name := range group {
			found := resolvePackage(root, dir, name)
			if found == "" || seen[found] {
				continue
			}
			seen[found] = true
			if p, err := readManifest(found); err == nil {
				reach(root, found, seen, p.Dependencies, p.Optional, p.Peer)
			}
		}
	}
}

// resolvePackage finds a package as Node does: in the node_modules of dir and of
// the directories above it, up to root. Links are followed, as Node follows them.
func resolvePackage(root, dir, name string) string {
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return ""
	}
	for {
		if filepath.Base(dir) != "node_modules" {
			candidate := filepath.Join(dir, "node_modules", filepath.FromSlash(name))
			if real, err := filepath.EvalSymlinks(candidate); err == nil {
				return real
			}
		}
		up := filepath.Dir(dir)
		if dir == root || up == dir {
			return ""
		}
		dir = up
	}
}

// reached are the directories of packages of a root, and of all that they need, by
// name relative to it.
func reached(root string, packages []string) map[string]bool {
	all, named := map[string]bool{}, map[string]string{}
	for _, name := range packages {
		named[name] = ""
	}
	reach(root, root, all, named)
	lead := map[string]bool{}
	for dir := range all {
		if rel, ok := within(root, dir); ok {
			lead[rel] = true
		}
	}
	return lead
}
