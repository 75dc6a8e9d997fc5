package alert

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/prometheus/rules"

	"github.com/dropstack/dropstack/internal/fault"
)

// reread is how often files of rules are looked at.
const reread = 5 * time.Second

// file is a file of rules as it was read.
type file struct {
	rules []Rule
	stamp stamp
}

// stamp tells a file from what it was.
type stamp struct {
	modified time.Time
	size     int64
}

// find lists the files of rules: those named, and those of directories that end in
// .yml or .yaml.
func find(paths []string) (map[string]stamp, error) {
	found := map[string]stamp{}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "rules: %w", err)
		}
		if !info.IsDir() {
			found[path] = stamp{info.ModTime(), info.Size()}
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "rules: %w", err)
		}
		for _, e := range entries {
			info, err := e.Info()
			if ext := filepath.Ext(e.Name()); err != nil || e.IsDir() || ext != ".yml" && ext != ".yaml" || strings.HasPrefix(e.Name(), ".") {
				continue // it has gone meanwhile, or is none
			}
			found[filepath.Join(path, e.Name())] = stamp{info.ModTime(), info.Size()}
		}
	}
	return found, nil
}

// readFiles reads the files of rules. Everything that is wrong is told.
func readFiles(paths []string) (map[string]file, error) {
	found, err := find(paths)
	if err != nil {
		return nil, err
	}
	files := map[string]file{}
	var errs []error
	for path, st := range found {
		doc, err := os.ReadFile(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		list, err := Parse(path, doc)
		errs = append(errs, err)
		files[path] = file{list, st}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fault.Errorf(fault.Invalid, "%w", err)
	}
	return files, nil
}

// reload reads the files again if any is another one than before. When something is
// wrong with them, all rules stay as they were.
func (w *Watcher) reload() {
	if len(w.Files) > 0 {
		w.notify(context.Background(), "", w.reloaded()...)
	}
}

// reloaded returns the alerts that are over with it.
func (w *Watcher) reloaded() (ended []*rules.Alert) {
	w.mu.Lock()
	defer w.mu.Unlock()
	found, err := find(w.Files)
	if err == nil {
		seen := map[string]stamp{}
		for path, f := range w.files {
			seen[path] = f.stamp
		}
		if maps.Equal(found, seen) {
			w.refused = nil
			return nil
		}
		if maps.Equal(found, w.refused) {
			return nil // it has been said
		}
	}
	var files map[string]file
	if err == nil {
		files, err = readFiles(w.Files)
	}
	before := w.files
	if err == nil {
		w.files = files
		ended, err = w.load()
	}
	if err != nil {
		w.files = before
		if w.complaint != err.Error() {
			w.Log.Error("the rules stay as they were: their files are wrong", "err", err)
		}
		w.refused, w.complaint = found, err.Error()
		return nil
	}
	w.refused, w.complaint = nil, ""
	w.Log.Info("rules read again", "files", len(files), "rules", countOf(files))
	return ended
}

func countOf(files map[string]file) (n int) {
	for _, f := range files {
		n += len(f.rules)
	}
	return n
}

// Refused is why the files of rules as they are now are not taken; "" if they are.
func (w *Watcher) Refused() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.complaint
}

// labelName is a name as labels may have it.
func labelName(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, strings.TrimPrefix(name, "@"))
}
