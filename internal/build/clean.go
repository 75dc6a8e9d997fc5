package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/spec"
)

// Clean has a service built from what it declares alone: its sources, copied to a
// place of their own, and the dependencies that its lockfile or go.sum names. Only
// the step that fetches those has a network; what is compiled is so in a sandbox
// without one, where the machine allows sandboxes.
type Clean struct {
	Cache string         // directory that fetched dependencies are kept in, by what they are
	Boxes *sandbox.Maker // of any level
}

// identity is who builds, where the machine can give each its own user.
const identity = "build"

// stage copies the sources of a service and returns the service as it is there.
// Its positions still name the user's files.
func (b *builder) stage(ctx context.Context) (done func(), err error) {
	root, err := b.declaredRoot()
	if err != nil {
		return nil, err
	}
	// Not below OutDir, which other users may not be able to reach.
	at, err := os.MkdirTemp("", "dropstack-build-")
	if err != nil {
		return nil, err
	}
	done = func() { _ = os.RemoveAll(at) }
	defer func() {
		if err != nil {
			done()
		}
	}()
	if err := os.Chmod(at, 0o755); err != nil {
		return nil, err
	}
	src := filepath.Join(at, "src")
	names, err := declared(ctx, root)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := copyInput(root, src, name); err != nil {
			return nil, fmt.Errorf("copy the sources: %w", err)
		}
	}
	rel, err := filepath.Rel(root, b.svc.Dir)
	if err != nil {
		return nil, err
	}
	staged := *b.svc
	staged.Dir = filepath.Join(src, rel)
	b.svc, b.root = &staged, src
	if err := os.MkdirAll(staged.Dir, 0o755); err != nil {
		return nil, err
	}
	return done, b.dependencies(ctx)
}

// declaredRoot is the directory that holds all that a service is built of: its own,
// or the module that it is a part of.
func (b *builder) declaredRoot() (string, error) {
	dir, err := filepath.EvalSymlinks(b.svc.Dir)
	if err != nil {
		return "", err
	}
	b.svc.Dir = dir
	isGo := func(f spec.Function) bool { return !spec.IsNode(f.Runtime) }
	if root := moduleRoot(dir); root != "" && slices.ContainsFunc(b.svc.Functions, isGo) {
		return root, nil
	}
	return dir, nil
}

// declared lists the files below root that are its sources: what git knows or would
// take in, in a repository, else all that nobody makes.
func declared(ctx context.Context, root string) (names []string, err error) {
	cmd := exec.CommandContext(ctx, "git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	if out, err := cmd.Output(); err == nil && len(out) > 0 {
		for name := range strings.SplitSeq(string(bytes.TrimSuffix(out, []byte{0})), "\x00") {
			if _, err := os.Lstat(filepath.Join(root, name)); err == nil { // not removed from the disk
				names = append(names, name)
			}
		}
		return names, nil
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && slices.Contains(skipped, d.Name()) {
			return fs.SkipDir
		}
		if !d.IsDir() {
			rel, err := filepath.Rel(root, path)
			names = append(names, rel)
			return err
		}
		return nil
	})
	return names, err
}

// copyInput copies a file or a link. Modes are those that artifacts have.
func copyInput(from, to, name string) error {
	source, target := filepath.Join(from, name), filepath.Join(to, name)
	info, err := os.Lstat(source)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		link, err := os.Readlink(source)
		if err != nil {
			return err
		}
		return os.Symlink(link, target)
	case !info.Mode().IsRegular():
		return nil // sockets, and modules of git
	}
	mode := fs.FileMode(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	return copyFile(source, target, mode)
}

func copyFile(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() // only read
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// run runs a program with what it needs of the machine's files and says what it
// printed. In a sandbox it has no network.
func (c *Clean) run(ctx context.Context, s sandbox.Spec, mounts []sandbox.Mount, apart bool) (output string, err error) {
	s.User = identity
	var p *sandbox.Process
	if apart {
		box, err := c.Boxes.Open()
		if err != nil {
			return "", err
		}
		defer box.Close()
		if err := box.Furnish(sandbox.Furniture{Mounts: mounts}); err != nil {
			return "", err
		}
		p, err = box.Start(s)
		if err != nil {
			return "", err
		}
	} else if p, err = sandbox.Start(s); err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, p.Kill)
	defer stop()
	read := make(chan string, 2)
	for _, pipe := range []*os.File{p.Stdout, p.Stderr} {
		go func() {
			text, _ := io.ReadAll(pipe) // what could be read is all there is to show
			pipe.Close()
			read <- string(text)
		}()
	}
	output = <-read + <-read
	exit := p.Wait()
	switch {
	case ctx.Err() != nil:
		return output, ctx.Err()
	case exit.Code != 0:
		return output, failedRun{exit.Status}
	}
	return output, nil
}

// failedRun is a program that ended with an error of its own.
type failedRun struct{ status string }

func (f failedRun) Error() string { return f.status }

// apart says whether programs can be run without the machine's network and files.
func (c *Clean) apart() bool { return sandbox.Rank(c.Boxes.Level) >= sandbox.Rank(sandbox.Userns) }
