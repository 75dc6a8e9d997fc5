package node

import (
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
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

// Search finds the Nodes of this machine. It remembers what it has seen: a Node
// is asked for its version once, and again when its file has changed.
type Search struct {
	// Getenv looks variables up: DROPSTACK_NODE (executables or directories,
	// separated as in PATH), PATH, HOME and the directories of version managers.
	// nil: none is set.
	Getenv func(string) string
	// Root stands before the system's own directories (/usr/local …); "" is "/".
	Root string

	mu   sync.Mutex
	seen map[string]answer
}

// answer is what a file said when it was asked for its version.
type answer struct {
	modified time.Time
	size     int64
	install  Install
	err      error
}

// patience is how long a Node may take to tell its version.
const patience = 20 * time.Second

// Find returns the Nodes that work, newest first. What is found in passing and
// does not work is left out; an entry of DROPSTACK_NODE that does not is an error.
func (s *Search) Find(ctx context.Context) ([]Install, error) {
	var all []Install
	add := func(file string) error {
		in, err := s.ask(ctx, file)
		if err == nil && !slices.ContainsFunc(all, func(o Install) bool { return o.Path == in.Path }) {
			all = append(all, in)
		}
		return err
	}
	for _, entry := range filepath.SplitList(s.getenv("DROPSTACK_NODE")) {
		if err := add(executable(entry)); err != nil {
			return nil, fmt.Errorf("DROPSTACK_NODE: %w", err)
		}
	}
	for _, pattern := range s.patterns() {
		files, err := filepath.Glob(pattern)
		if err != nil {
			continue // a directory with a bracket in its name
		}
		for _, file := range files {
			if err := add(file); err != nil && ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Install) int { return b.Version.Compare(a.Version) })
	return all, nil
}

// executable is the node of a directory, or the file itself.
func executable(entry string) string {
	if info, err := os.Stat(entry); err != nil || !info.IsDir() {
		return entry
	}
	for _, name := range []string{"node", "bin/node"} {
		file := filepath.Join(entry, name)
		if info, err := os.Stat(file); err == nil && !info.IsDir() {
			return file
		}
	}
	return filepath.Join(entry, "node")
}

// patterns are where Nodes are installed, the most deliberate places first.
func (s *Search) patterns() []string {
	var list []string
	for _, dir := range filepath.SplitList(s.getenv("PATH")) {
		if filepath.IsAbs(dir) {
			list = append(list, filepath.Join(dir, "node"))
		}
	}
	managers := []struct{ variable, home, pattern string }{
		{"NVM_DIR", ".nvm", "versions/node/*/bin/node"},
		{"FNM_DIR", ".local/share/fnm", "node-versions/*/installation/bin/node"},
		{"FNM_DIR", ".fnm", "node-versions/*/installation/bin/node"},
		{"VOLTA_HOME", ".volta", "tools/image/node/*/bin/node"},
		{"ASDF_DATA_DIR", ".asdf", "installs/nodejs/*/bin/node"},
		{"MISE_DATA_DIR", ".local/share/mise", "installs/node/*/bin/node"},
		{"NODENV_ROOT", ".nodenv", "versions/*/bin/node"},
		{"N_PREFIX", "n", "n/versions/node/*/bin/node"},
	}
	for _, m := range managers {
		dir := s.getenv(m.variable)
		if home := s.getenv("HOME"); dir == "" && home != "" {
			dir = filepath.Join(home, m.home)
		}
		if dir != "" {
			list = append(list, filepath.Join(dir, m.pattern))
		}
	}
	for _, pattern := range []string{
		"usr/local/n/versions/node/*/bin/node", "usr/local/lib/nodejs/*/bin/node",
		"usr/local/bin/node", "usr/bin/node", "opt/node*/bin/node", "opt/homebrew/opt/node*/bin/node",
	} {
		list = append(list, filepath.Join("/", s.Root, pattern))
	}
	return list
}

func (s *Search) getenv(name string) string {
	if s.Getenv == nil {
		return ""
	}
	return s.Getenv(name)
}

// ask returns the Node in a file.
func (s *Search) ask(ctx context.Context, file string) (Install, error) {
	real, err := filepath.EvalSymlinks(file)
	if err != nil {
		return Install{}, fault.Errorf(fault.NotFound, "no Node: %w", err)
	}
	info, err := os.Stat(real)
	if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
		return Install{}, fault.Errorf(fault.Invalid, "%s is not an executable file", file)
	}
	s.mu.Lock()
	known, ok := s.seen[real]
	s.mu.Unlock()
	if ok && known.modified.Equal(info.ModTime()) && known.size == info.Size() {
		return known.install, known.err
	}
	in, err := s.question(ctx, real)
	if ctx.Err() != nil {
		return in, err // the file is not to blame
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[string]answer{}
	}
	s.seen[real] = answer{info.ModTime(), info.Size(), in, err}
	return in, err
}

// shimVariables are what the scripts of version managers need to find a Node.
var shimVariables = []string{"PATH", "HOME", "NVM_DIR", "FNM_DIR", "VOLTA_HOME", "ASDF_DIR", "ASDF_DATA_DIR", "MISE_DATA_DIR", "NODENV_ROOT", "N_PREFIX"}

// question runs a Node for its version. A script, such as the shim of a version
// manager, chooses anew wherever it is started: it is asked which Node it means.
func (s *Search) question(ctx context.Context, file string) (Install, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	args := []string{"--version"}
	script := isScript(file)
	if script {
		args = []string{"-p", `process.version + "\n" + process.execPath`}
	}
	cmd := exec.CommandContext(ctx, file, args...)
	cmd.WaitDelay = time.Second
	cmd.Env = []string{} // nothing that would change its mind, such as NODE_OPTIONS
	for _, name := range shimVariables {
		if v := s.getenv(name); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	out, err := cmd.Output()
	if err != nil {
		return Install{}, fault.Errorf(fault.Invalid, "%s does not tell its version: %w", file, err)
	}
	version, path, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	in := Install{Path: file}
	if script {
		if in.Path, err = filepath.EvalSymlinks(path); err != nil {
			return Install{}, fault.Errorf(fault.Invalid, "%s does not tell which Node it starts: %w", file, err)
		}
	}
	if in.Version, err = ParseVersion(version); err != nil {
		return Install{}, fmt.Errorf("%s: %w", file, err)
	}
	return in, nil
}

func isScript(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 2)
	_, err = io.ReadFull(f, head)
	return err == nil && string(head) == "#!"
}

// ShareCache makes a compile cache, which one user has prepared, readable for
// everybody and good for the user uid: Node looks for a directory whose name ends
// in its own user id.
func ShareCache(dir string, uid int) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // that Node keeps no cache
	}
	if err != nil {
		return fmt.Errorf("share the compile cache: %w", err)
	}
	for _, e := range entries {
		cut := strings.LastIndexByte(e.Name(), '-')
		if !e.IsDir() || cut < 0 {
			continue
		}
		link := filepath.Join(dir, e.Name()[:cut+1]+fmt.Sprint(uid))
		if link != filepath.Join(dir, e.Name()) {
			if err := os.Symlink(e.Name(), link); err != nil && !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("share the compile cache: %w", err)
			}
		}
	}
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		if d.IsDir() {
			return os.Chmod(path, 0o755)
		}
		return os.Chmod(path, 0o644)
	})
}
