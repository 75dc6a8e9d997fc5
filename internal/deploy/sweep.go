package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/build"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/function"
)

const (
	sweepEvery = 20 * time.Minute
	// longestRun is how long an instance may use files after nothing refers to them
	// any more: a function's longest timeout, and a little.
	longestRun = 16 * time.Minute
	// artifactGrace is how long an artifact that nothing refers to stays: it may have
	// been uploaded for a deployment that is yet to come.
	artifactGrace = 24 * time.Hour
)

// Fresh reports whether an artifact that was stored at a time stays long enough for
// whoever is going to deploy it, referred to or not. Others are stored again.
func Fresh(stored time.Time) bool { return time.Since(stored) < artifactGrace/2 }

// Swept is what a sweep has removed.
type Swept struct {
	Artifacts   []string `json:"artifacts"`   // SHA-256
	Directories []string `json:"directories"` // unpacked artifacts, merged layers, caches
}

// references are what must stay on disk: what a revision that is kept or a
// published version refers to.
type references struct{ artifacts, layers, caches map[string]bool }

func (refs *references) add(f function.Function) {
	refs.artifacts[f.Artifact] = true
	for _, sha := range f.Layers {
		refs.artifacts[sha] = true
	}
	if len(f.Layers) > 0 {
		refs.layers[build.LayersID(f.Layers)] = true
	}
	refs.caches[function.CacheName(f)] = true
}

// Sweep removes artifacts, unpacked artifacts, merged layers and caches that nothing
// refers to any more. While a deployment is under way it does nothing: the next one
// is soon enough. Cut short, it leaves nothing half there.
func (d *Deployer) Sweep(ctx context.Context) (s Swept, err error) {
	if d.Rooms.Versions == nil || !d.files.TryLock() {
		return s, nil
	}
	defer d.files.Unlock()
	refs, err := d.references(ctx)
	if err != nil {
		return s, err
	}
	if d.Stored != nil {
		err = d.Stored.Each(ctx, ArtifactBucket, func(o engine.Object) error {
			sha, ok := strings.CutSuffix(o.Key, ".zip")
			if !ok || !shaName.MatchString(sha) || refs.artifacts[sha] || time.Since(o.Modified) < artifactGrace {
				return nil
			}
			s.Artifacts = append(s.Artifacts, sha)
			return d.Objects.Delete(ctx, ArtifactBucket, o.Key)
		})
	}
	unused := map[string]time.Time{}
	for dir, used := range map[string]map[string]bool{d.Artifacts: refs.artifacts, d.LayerRoot: refs.layers, d.Caches: refs.caches} {
		gone, wrong := d.sweepDirectory(dir, used, unused)
		s.Directories, err = append(s.Directories, gone...), errors.Join(err, wrong)
	}
	d.unused = unused
	if n := len(s.Artifacts) + len(s.Directories); n > 0 {
		d.Log.Info("removed what nobody refers to", "artifacts", len(s.Artifacts), "directories", len(s.Directories))
	}
	return s, err
}

// references are read from what is stored, so they hold for all stacks, also for
// those that could not be started.
func (d *Deployer) references(ctx context.Context) (*references, error) {
	refs := &references{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	keys, err := d.keys(ctx, "revisions", ">")
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		stack, id, _ := strings.Cut(key, ".")
		r, err := d.stored(ctx, stack, id)
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			continue // pruned meanwhile
		}
		if err != nil {
			return nil, err
		}
		for _, f := range r.Functions {
			refs.add(f)
		}
		for _, l := range r.Layers {
			refs.artifacts[l.Artifact] = true
		}
	}
	for _, f := range d.Rooms.Versions.Published() { // after the revisions that they are of
		refs.add(f)
	}
	return refs, nil
}

// swept are the names of directories that a sweep may remove.
var swept = regexp.MustCompile(`^[0-9a-f]{16,64}$`)

// sweepDirectory removes directories that are not used: at the first sweep of a
// process at once, later when they have not been for longer than a function runs.
func (d *Deployer) sweepDirectory(dir string, used map[string]bool, unused map[string]time.Time) (gone []string, err error) {
	if dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	var wrong []error
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if !e.IsDir() || !swept.MatchString(e.Name()) || used[e.Name()] {
			continue
		}
		since, seen := d.unused[path]
		if !seen {
			since = time.Now()
		}
		if d.unused != nil && time.Since(since) < longestRun {
			unused[path] = since
			continue
		}
		tmp := filepath.Join(dir, ".unpack-"+e.Name()) // which a start removes
		if err := errors.Join(os.Rename(path, tmp), os.RemoveAll(tmp)); err != nil {
			wrong = append(wrong, fmt.Errorf("sweep: %w", err))
			continue
		}
		gone = append(gone, path)
	}
	return gone, errors.Join(wrong...)
}

// pruneVersions deletes old versions of the functions of a stack. Those of functions
// that calls of the AWS API or templates manage stay, unless the stack says
// otherwise: on AWS they would too.
func (d *Deployer) pruneVersions(ctx context.Context, active *Revision) {
	says := active.Keep != nil && active.Keep.Versions > 0
	if d.Rooms.Versions == nil || !says && (active.Stack == APIStack || active.Owner != "") {
		return
	}
	for _, f := range active.Functions {
		spared := func(version string) bool { return d.mentions(active, f.Name+":"+version) }
		deleted, err := d.Rooms.Versions.PruneVersions(ctx, f.Name, d.keeps(active).Versions, spared)
		if err != nil {
			d.Log.Warn("old versions not removed", "function", f.Name, "err", err)
		}
		if len(deleted) > 0 {
			d.Log.Info("old versions removed", "function", f.Name, "versions", deleted)
		}
	}
}

// mentions reports whether an active revision names a version of a function, in a
// route, an environment or wherever.
func (d *Deployer) mentions(active *Revision, version string) bool {
	all := []*Revision{active}
	for stack, r := range d.List() {
		if stack != active.Stack {
			all = append(all, r)
		}
	}
	for _, r := range all {
		doc, err := json.Marshal(r)
		if err != nil || strings.Contains(string(doc), version+`"`) || strings.Contains(string(doc), version+"/") {
			return true
		}
	}
	return false
}
