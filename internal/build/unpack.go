package build

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// Limits of an unpacked artifact.
const (
	MaxUnpacked = 250 << 20 // bytes
	maxEntries  = 100_000
	maxLink     = 4096 // bytes of a link's target
)

// Unpack extracts an artifact of the given size into dir, which then exists
// wholly, on disk, or not at all; a dir that exists is complete and left alone.
// Files get the mode 0755 when the zip has them executable, else 0644, directories
// 0755. A zip that is broken, reaches out of dir or holds anything but files,
// directories and links is fault.Invalid; more than limit bytes, 0 for
// MaxUnpacked, are fault.TooLarge.
func Unpack(artifact io.ReaderAt, size int64, dir string, limit int64) error {
	return unpackAll([]Zip{{artifact, size}}, dir, limit, "artifact")
}

// unpackAll extracts zips into dir, later ones over earlier ones.
func unpackAll(zips []Zip, dir string, limit int64, what string) (err error) {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	readers := make([]*zip.Reader, len(zips))
	for i, z := range zips {
		if readers[i], err = zip.NewReader(z, z.Size); err != nil {
			return fault.Errorf(fault.Invalid, "the %s is not a zip file: %w", what, err)
		}
		if n := len(readers[i].File); n > maxEntries {
			return fault.Errorf(fault.TooLarge, "the %s has %d entries; the limit is %d", what, n, maxEntries)
		}
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(parent, ".unpack-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	if limit <= 0 {
		limit = MaxUnpacked
	}
	if err := extract(readers, temp, limit, what); err != nil {
		return fmt.Errorf("unpack the %s: %w", what, err)
	}
	if err := os.Rename(temp, dir); err != nil {
		if _, exists := os.Stat(dir); exists == nil {
			return nil // another was faster
		}
		return err
	}
	return syncDir(parent)
}

type unpacker struct {
	root  *os.Root // refuses to leave the directory, whatever links say
	what  string
	left  int64
	limit int64
	links []string
	dirs  map[string]bool
	// Of what later zips have put there, by name; earlier ones go around it.
	taken, mine map[string]bool
}

// extract begins with the last zip, so that nothing is written to be replaced.
func extract(zips []*zip.Reader, dir string, limit int64, what string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close() // only a handle
	u := &unpacker{root: root, what: what, left: limit, limit: limit, dirs: map[string]bool{}, taken: map[string]bool{}}
	for _, z := range slices.Backward(zips) {
		u.mine = map[string]bool{}
		for _, f := range z.File {
			if err := u.entry(f); err != nil {
				return fmt.Errorf("%q: %w", f.Name, err)
			}
		}
		maps.Copy(u.taken, u.mine)
	}
	// A link may be harmless by its text and still lead out through other links.
	for _, name := range u.links {
		if _, err := root.Stat(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fault.Errorf(fault.Invalid, "%q: a link that leads out of the artifact or nowhere: %w", name, err)
		}
	}
	return u.seal(dir)
}

// covered reports whether a later zip has something in the place of name: a file
// or link there or on the way, or a directory where a file would go.
func (u *unpacker) covered(name string, dir bool) bool {
	if !dir && u.dirs[name] && !u.ownDir(name) {
		return true
	}
	for up := name; up != "."; up = path.Dir(up) {
		if u.taken[up] {
			return true
		}
	}
	return false
}

// ownDir reports whether the zip that is being extracted has a directory itself.
func (u *unpacker) ownDir(name string) bool { return u.mine[name+"/"] }

// seal sets modes that the umask may have narrowed, and syncs the directories.
func (u *unpacker) seal(dir string) error {
	u.dirs["."] = true
	for name := range u.dirs {
		if err := u.root.Chmod(name, 0o755); err != nil {
			return err
		}
		if err := syncDir(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacker) entry(f *zip.File) error {
	name := strings.TrimSuffix(f.Name, "/")
	if name == "" || strings.ContainsAny(name, "\\\x00") || !filepath.IsLocal(filepath.FromSlash(name)) {
		return fault.Errorf(fault.Invalid, "the name leads out of the artifact")
	}
	if name = path.Clean(name); name == "." {
		return nil
	}
	mode := f.Mode()
	if u.covered(name, mode.IsDir()) {
		return nil
	}
	if mode.IsDir() {
		return u.mkdir(name)
	}
	u.mine[name] = true
	if err := u.mkdir(path.Dir(name)); err != nil {
		return err
	}
	switch {
	case mode.IsRegular():
		return u.file(f, name)
	case mode&fs.ModeSymlink != 0:
		return u.link(f, name)
	}
	return fault.Errorf(fault.Invalid, "neither a file nor a directory nor a link (%s)", mode)
}

// mkdir makes the directories of a path, none of which may be a link.
func (u *unpacker) mkdir(name string) error {
	if name == "." {
		return nil
	}
	u.mine[name+"/"] = true
	if u.dirs[name] {
		return nil
	}
	if err := u.mkdir(path.Dir(name)); err != nil {
		return err
	}
	if err := u.root.Mkdir(name, 0o755); err != nil {
		return refused(err)
	}
	u.dirs[name] = true
	return nil
}

// refused tells what the artifact is to blame for from what the disk is.
func refused(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return fault.Errorf(fault.Invalid, "it is there twice, or is both a directory and something else")
	}
	return err
}

func (u *unpacker) file(f *zip.File, name string) error {
	perm := fs.FileMode(0o644)
	if f.Mode()&0o111 != 0 {
		perm = 0o755
	}
	in, err := f.Open()
	if err != nil {
		return fault.Errorf(fault.Invalid, "%w", err)
	}
	defer in.Close() // only read
	out, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return refused(err)
	}
	return errors.Join(u.fill(out, in, perm), out.Close())
}

func (u *unpacker) fill(out *os.File, in io.Reader, perm fs.FileMode) error {
	n, err := io.Copy(out, io.LimitReader(in, u.left+1))
	if u.left -= n; u.left < 0 {
		return fault.Errorf(fault.TooLarge, "the %s has more than %d bytes unpacked, the limit", u.what, u.limit)
	}
	if _, disk := errors.AsType[*fs.PathError](err); disk {
		return err
	}
	if err != nil {
		return fault.Errorf(fault.Invalid, "broken in the artifact: %w", err)
	}
	if err := out.Chmod(perm); err != nil {
		return err
	}
	return out.Sync()
}

func (u *unpacker) link(f *zip.File, name string) error {
	in, err := f.Open()
	if err != nil {
		return fault.Errorf(fault.Invalid, "%w", err)
	}
	defer in.Close() // only read
	target, err := io.ReadAll(io.LimitReader(in, maxLink+1))
	if err != nil {
		return fault.Errorf(fault.Invalid, "broken in the artifact: %w", err)
	}
	to := string(target)
	if to == "" || len(to) > maxLink || path.IsAbs(to) || strings.ContainsAny(to, "\\\x00") || !filepath.IsLocal(path.Join(path.Dir(name), to)) {
		return fault.Errorf(fault.Invalid, "a link that leads out of the artifact")
	}
	if err := u.root.Symlink(to, name); err != nil {
		return refused(err)
	}
	u.links = append(u.links, name)
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
