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
	"path"
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
	link string // the target of a link, which has no path
}

// epoch is the earliest time that a zip can hold.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// pack zips a binary and the files that the patterns choose, once for all
// functions that need the same.
func (b *builder) pack(fn *spec.Function, t target, binary, entry string) (Artifact, error) {
	var patterns []string
	for _, e := range slices.Concat(b.svc.Package.Exclude, fn.Package.Exclude) {
		if back, ok := strings.CutPrefix(e, "!"); ok {
			patterns = append(patterns, back)
		} else {
			patterns = append(patterns, "!"+e)
		}
	}
	patterns = slices.Concat(patterns, b.svc.Package.Patterns, fn.Package.Patterns)
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
	globs, err := compileGlobs(patterns, withContents)
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
	return file{name: name, path: real, exec: info.Mode()&0o111 != 0}, nil
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
		n, err := f.writeTo(z)
		if a.Unpacked += n; err != nil {
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

// writeTo adds a file and returns its size.
func (f file) writeTo(z *zip.Writer) (int64, error) {
	h := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: epoch}
	h.SetMode(0o644)
	if f.exec {
		h.SetMode(0o755)
	}
	if f.link != "" {
		h.Method = zip.Store
		h.SetMode(fs.ModeSymlink | 0o777)
	}
	w, err := z.CreateHeader(h)
	if err != nil {
		return 0, err
	}
	if f.link != "" {
		_, err = io.WriteString(w, f.link)
		return 0, err
	}
	in, err := os.Open(f.path)
	if err != nil {
		return 0, err
	}
	defer in.Close() // only read
	return io.Copy(w, in)
}

// prebuilt checks a zip that package.artifact names and uses it as it is.
func (b *builder) prebuilt(fn *spec.Function, p spec.Package) (Artifact, error) {
	wanted, err := entryNames(fn)
	if err != nil {
		return Artifact{}, err
	}
	a, z, err := b.openZip("function "+fn.Key, p)
	if err != nil {
		return Artifact{}, err
	}
	defer z.Close() // only read
	isEntry := func(f *zip.File) bool { return slices.Contains(wanted, f.Name) && f.Mode().IsRegular() }
	if len(wanted) > 0 && !slices.ContainsFunc(z.File, isEntry) {
		return Artifact{}, invalid(p.Pos, "package.artifact %s has no file %s, which runtime %s starts", p.Artifact, strings.Join(wanted, " or "), fn.Runtime)
	}
	return a, nil
}

// entryNames are the files of which an artifact must have one; none when it is
// not for the artifact to have them.
func entryNames(fn *spec.Function) ([]string, error) {
	if !spec.IsNode(fn.Runtime) {
		name, err := entryName(fn)
		return []string{name}, err
	}
	module, ok := parseHandler(fn.Handler)
	if !ok {
		return nil, invalid(fn.HandlerPos, "handler %q of function %s: for Node it is a file without its extension, a dot and what the file exports, such as src/index.handler", fn.Handler, fn.Key)
	}
	module = strings.TrimPrefix(module, "/var/task/")
	if path.IsAbs(module) {
		return nil, nil // a layer's
	}
	var names []string
	for _, ext := range extensions {
		names = append(names, path.Clean(module)+ext)
	}
	return append(names, path.Clean(module)+"/index.js"), nil
}

// openZip opens the zip that package.artifact names, for whom it is.
func (b *builder) openZip(whom string, p spec.Package) (a Artifact, z *zip.ReadCloser, err error) {
	a.Path = p.Artifact
	if !filepath.IsAbs(a.Path) {
		a.Path = filepath.Join(b.svc.Dir, a.Path)
	}
	in, err := os.Open(a.Path)
	if err != nil {
		return a, nil, invalid(p.Pos, "package.artifact of %s: %w", whom, err)
	}
	defer in.Close() // only read
	hash := sha256.New()
	if a.Size, err = io.Copy(hash, in); err != nil {
		return a, nil, invalid(p.Pos, "package.artifact of %s: %w", whom, err)
	}
	a.SHA256 = hex.EncodeToString(hash.Sum(nil))
	if z, err = zip.OpenReader(a.Path); err != nil {
		return a, nil, invalid(p.Pos, "package.artifact %s is not a zip file: %w", p.Artifact, err)
	}
	var unpacked uint64
	for _, f := range z.File {
		unpacked += f.UncompressedSize64
	}
	if unpacked > MaxUnpacked {
		_ = z.Close() // only read
		return a, nil, invalid(p.Pos, "package.artifact %s has %d bytes unpacked; the limit is %d", p.Artifact, unpacked, MaxUnpacked)
	}
	a.Unpacked = int64(unpacked)
	return a, z, nil
}
