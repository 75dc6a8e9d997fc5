package build

import (
	"archive/zip"
	"cmp"
	"compress/flate"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/spec"
)

// file is one entry of an artifact.
type file struct {
	name string // in the zip, with slashes
	path string // on disk
	exec bool
}

// epoch is the earliest time that a zip can hold.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// pack zips a binary and the files that the patterns choose, once for all
// functions that need the same.
func (b *builder) pack(fn *spec.Function, t target, binary, entry string) (Artifact, error) {
	patterns := slices.Concat(b.svc.Package.Patterns, fn.Package.Patterns)
	key := strings.Join(append([]string{t.pkg, t.file, entry}, patterns...), "\x00")
	if a, ok := b.zips[key]; ok {
		b.tell(Event{Function: fn.Key, Step: StepPack, Pkg: t.pkg, Artifact: a})
		return a, nil
	}
	start := time.Now()
	pos := cmp.Or(fn.Package.Pos, b.svc.Package.Pos)
	files, err := b.chosen(patterns, entry, t.file, pos)
	if err != nil {
		return Artifact{}, err
	}
	files = append(files, file{name: entry, path: binary, exec: true})
	slices.SortFunc(files, func(x, y file) int { return cmp.Compare(x.name, y.name) })
	a, err := b.write(files)
	if err != nil {
		return Artifact{}, fmt.Errorf("pack function %s: %w", fn.Key, err)
	}
	a.Pkg = t.pkg
	b.zips[key] = a
	b.tell(Event{Function: fn.Key, Step: StepPack, Pkg: t.pkg, Artifact: a, Took: time.Since(start)})
	return a, nil
}

// chosen returns the files that patterns choose; without any that include there
// are none.
func (b *builder) chosen(patterns []string, entry, binary string, pos spec.Pos) ([]file, error) {
	globs, err := compileGlobs(patterns)
	if err != nil {
		return nil, invalid(pos, "package: %w", err)
	}
	if !slices.ContainsFunc(globs, func(g glob) bool { return !g.exclude }) {
		return nil, nil
	}
	dir, err := filepath.EvalSymlinks(b.svc.Dir) // WalkDir follows no link
	if err != nil {
		return nil, err
	}
	var files []file
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if d.IsDir() {
			if name == ".git" || name == ".serverless" || name == ".dropstack" {
				return fs.SkipDir
			}
			return nil
		}
		if !matches(globs, name) || filepath.Join(b.svc.Dir, rel) == binary {
			return nil
		}
		f, err := entryFile(dir, path, name, pos)
		if name == entry && err == nil {
			err = invalid(pos, "package: the patterns choose the file %s, which is what the function's program is called", name)
		}
		files = append(files, f)
		return err
	})
	return files, err
}

// entryFile checks a chosen file: a link must lead to a file of the service.
func entryFile(dir, path, name string, pos spec.Pos) (file, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return file{}, invalid(pos, "package: %s: %w", name, err)
	}
	if rel, err := filepath.Rel(dir, real); err != nil || !filepath.IsLocal(rel) {
		return file{}, invalid(pos, "package: %s is a link out of the service's directory", name)
	}
	info, err := os.Stat(real)
	if err != nil {
		return file{}, err
	}
	if !info.Mode().IsRegular() {
		return file{}, invalid(pos, "package: %s is not a regular file", name)
	}
	return file{name, real, info.Mode()&0o111 != 0}, nil
}

// write makes the zip and moves it to where its hash says.
func (b *builder) write(files []file) (a Artifact, err error) {
	out, err := os.CreateTemp(b.work, "zip-*")
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	hash := sha256.New()
	z := zip.NewWriter(io.MultiWriter(out, hash))
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	for _, f := range files {
		if err := f.writeTo(z); err != nil {
			return a, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if err := z.Close(); err != nil {
		return a, err
	}
	info, err := out.Stat()
	if err != nil {
		return a, err
	}
	a.SHA256, a.Size = hex.EncodeToString(hash.Sum(nil)), info.Size()
	a.Path = filepath.Join(b.OutDir, a.SHA256+".zip")
	return a, os.Rename(out.Name(), a.Path)
}

func (f file) writeTo(z *zip.Writer) error {
	h := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: epoch}
	h.SetMode(0o644)
	if f.exec {
		h.SetMode(0o755)
	}
	w, err := z.CreateHeader(h)
	if err != nil {
		return err
	}
	in, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer in.Close() // only read
	_, err = io.Copy(w, in)
	return err
}

// prebuilt checks a zip that package.artifact names and uses it as it is.
func (b *builder) prebuilt(fn *spec.Function, p spec.Package) (Artifact, error) {
	entry, err := entryName(fn)
	if err != nil {
		return Artifact{}, err
	}
	path := p.Artifact
	if !filepath.IsAbs(path) {
		path = filepath.Join(b.svc.Dir, path)
	}
	in, err := os.Open(path)
	if err != nil {
		return Artifact{}, invalid(p.Pos, "package.artifact of function %s: %w", fn.Key, err)
	}
	defer in.Close() // only read
	hash := sha256.New()
	size, err := io.Copy(hash, in)
	if err != nil {
		return Artifact{}, invalid(p.Pos, "package.artifact of function %s: %w", fn.Key, err)
	}
	z, err := zip.NewReader(in, size)
	if err != nil {
		return Artifact{}, invalid(p.Pos, "package.artifact %s is not a zip file: %w", p.Artifact, err)
	}
	var unpacked uint64
	found := false
	for _, f := range z.File {
		unpacked += f.UncompressedSize64
		found = found || f.Name == entry && f.Mode().IsRegular()
	}
	if !found {
		return Artifact{}, invalid(p.Pos, "package.artifact %s has no file %s, which runtime %s starts", p.Artifact, entry, fn.Runtime)
	}
	if unpacked > MaxUnpacked {
		return Artifact{}, invalid(p.Pos, "package.artifact %s has %d bytes unpacked; the limit is %d", p.Artifact, unpacked, MaxUnpacked)
	}
	return Artifact{Path: path, SHA256: hex.EncodeToString(hash.Sum(nil)), Size: size}, nil
}
