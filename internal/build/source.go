package build

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	gobuild "go/build"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// mainPackage says why a directory of the service is no main package, nil if it is
// one.
func (b *builder) mainPackage(dir string) error {
	c := gobuild.Default
	c.GOOS, c.GOARCH, c.CgoEnabled = "linux", runtime.GOARCH, false
	name := dir
	if dir == "." {
		name = "the service's directory"
	}
	p, err := c.ImportDir(filepath.Join(b.svc.Dir, dir), gobuild.IgnoreVendor)
	if _, none := errors.AsType[*gobuild.NoGoError](err); none || err == nil && len(p.GoFiles) == 0 {
		return fmt.Errorf("%s has no Go files for linux/%s", name, runtime.GOARCH)
	}
	// Whatever else is wrong with the sources, the compiler words it better.
	if err == nil && p.Name != "main" {
		return fmt.Errorf("%s holds package %s; a function is a package main", name, p.Name)
	}
	if err != nil && p.Name == "" {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// skipped are directories that hold no sources of a service, or too many.
var skipped = []string{".git", "node_modules", ".serverless", ".dropstack"}

// Fingerprint is a quick hash of what a service is built of, by path, size, mode
// and time of change: everything in its directory, go.mod, go.sum, go.work and the
// Go files of the module around it, and more files. While it stays the same there
// is no need to build again. Of node_modules it sees what package managers write
// when they install. Not seen: modules replaced by directories elsewhere, files
// that packages outside the service's directory embed, and files of node_modules
// that were changed by hand.
func Fingerprint(dir string, more ...string) (string, error) {
	h := sha256.New()
	if err := record(h, dir, func(string) bool { return true }); err != nil {
		return "", err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if root := moduleRoot(abs); root != "" && root != abs {
		if err := record(h, root, isSource); err != nil {
			return "", err
		}
	}
	for _, path := range more {
		if err := record(h, path, func(string) bool { return true }); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// moduleRoot is the nearest directory upwards with a go.mod, "" when there is none.
func moduleRoot(dir string) string {
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
}

func isSource(path string) bool {
	switch name := filepath.Base(path); name {
	case "go.mod", "go.sum", "go.work", "go.work.sum":
		return true
	default:
		return strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go")
	}
}

func line(h io.Writer, path string, info fs.FileInfo) {
	fmt.Fprintf(h, "%q %d %o %d\n", path, info.Size(), info.Mode(), info.ModTime().UnixNano())
}

// notes are what package managers write into node_modules when they change it.
var notes = []string{".", ".package-lock.json", ".yarn-integrity", ".yarn-state.yml", ".modules.yaml"}

// installs records in place of the many files of node_modules what changes with
// them.
func installs(h io.Writer, dir, name string, counts func(string) bool) {
	if name != "node_modules" {
		return
	}
	for _, note := range notes {
		path := filepath.Join(dir, note)
		info, err := os.Stat(path)
		if err != nil || !counts(path) {
			continue
		}
		if info.IsDir() { // its size depends on the file system
			fmt.Fprintf(h, "%q %d\n", path, info.ModTime().UnixNano())
			continue
		}
		line(h, path, info)
	}
}

// record writes a line for every file under path; a hash never fails to take it.
func record(h io.Writer, root string, counts func(string) bool) error {
	fmt.Fprintf(h, "root %q\n", root)
	if real, err := filepath.EvalSymlinks(root); err == nil {
		root = real // WalkDir follows no link
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != root && slices.Contains(skipped, d.Name()) {
				installs(h, path, d.Name(), counts)
				return fs.SkipDir
			}
			return nil
		}
		if !counts(path) {
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		line(h, path, info)
		return nil
	})
	if err != nil {
		return fmt.Errorf("fingerprint of %s: %w", root, err)
	}
	return nil
}
