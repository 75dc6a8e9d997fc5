package deploy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/build"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

// prepareTime bounds what Prepare may take for one function.
const prepareTime = time.Minute

// fetch has everything that a revision needs at hand before it is activated.
func (d *Deployer) fetch(ctx context.Context, r *Revision) error {
	if err := d.unpackAll(ctx, r); err != nil {
		return err
	}
	for i := range r.Functions {
		if f := &r.Functions[i]; f.CodeSize == 0 {
			o, err := d.Objects.Stat(ctx, ArtifactBucket, ArtifactKey(f.Artifact))
			if err != nil {
				return fmt.Errorf("artifact %s: %w", f.Artifact, err)
			}
			f.CodeSize = o.Size
		}
	}
	for i := range r.Layers {
		if l := &r.Layers[i]; l.Size == 0 {
			o, err := d.Objects.Stat(ctx, ArtifactBucket, ArtifactKey(l.Artifact))
			if err != nil {
				return fmt.Errorf("artifact %s of layer %s: %w", l.Artifact, l.Name, err)
			}
			l.Size = o.Size
		}
	}
	d.prepare(ctx, r)
	for _, name := range r.Buckets {
		if err := d.Objects.CreateBucket(ctx, name); err != nil {
			return fmt.Errorf("bucket %s: %w", name, err)
		}
	}
	return nil
}

// unpackAll makes sure that everything that a revision's functions run lies
// unpacked, before anything is activated.
func (d *Deployer) unpackAll(ctx context.Context, r *Revision) error {
	for _, sha := range r.Artifacts() {
		if err := d.unpack(ctx, sha); err != nil {
			return err
		}
	}
	for _, f := range r.Functions {
		if err := d.layers(ctx, f); err != nil {
			return fmt.Errorf("function %s: %w", f.Name, err)
		}
	}
	return nil
}

// unpack makes sure that an artifact lies unpacked in the artifact directory.
func (d *Deployer) unpack(ctx context.Context, sha string) error {
	dir := filepath.Join(d.Artifacts, sha)
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	tmp, size, err := d.download(ctx, sha)
	if err != nil {
		return err
	}
	defer discard(tmp)
	return build.Unpack(tmp, size, dir, build.MaxUnpacked)
}

// layers makes sure that a function's layers lie merged in the layer directory.
func (d *Deployer) layers(ctx context.Context, f function.Function) error {
	if len(f.Layers) == 0 {
		return nil
	}
	if d.LayerRoot == "" {
		return fault.Errorf(fault.Unavailable, "layers are not available on this platform")
	}
	dir := filepath.Join(d.LayerRoot, build.LayersID(f.Layers))
	if _, err := os.Stat(dir); err != nil {
		if err := d.merge(ctx, f.Layers, dir); err != nil {
			return err
		}
	}
	own, err := build.Size(filepath.Join(d.Artifacts, f.Artifact))
	if err != nil {
		return err
	}
	opt, err := build.Size(dir)
	if err != nil {
		return err
	}
	if own+opt > build.MaxUnpacked {
		return fault.Errorf(fault.TooLarge, "%s unpacked, and %s of layers; the limit is %s together", megabytes(own), megabytes(opt), megabytes(build.MaxUnpacked))
	}
	return nil
}

func (d *Deployer) merge(ctx context.Context, layers []string, dir string) error {
	zips := make([]build.Zip, 0, len(layers))
	for _, sha := range layers {
		tmp, size, err := d.download(ctx, sha)
		if err != nil {
			return fmt.Errorf("layer: %w", err)
		}
		defer discard(tmp) // at most five
		zips = append(zips, build.Zip{ReaderAt: tmp, Size: size})
	}
	return build.UnpackLayers(zips, dir, build.MaxUnpacked)
}

// download fetches an artifact into a temporary file and checks its hash. The
// caller discards the file.
func (d *Deployer) download(ctx context.Context, sha string) (file *os.File, size int64, err error) {
	_, body, err := d.Objects.Get(ctx, ArtifactBucket, ArtifactKey(sha), 0, -1)
	if err != nil {
		return nil, 0, fmt.Errorf("artifact %s: %w", sha, err)
	}
	defer body.Close() // only read
	tmp, err := os.CreateTemp(d.Artifacts, "download-*.zip")
	if err != nil {
		return nil, 0, fault.Errorf(fault.Unavailable, "artifact %s: %w", sha, err)
	}
	sum := sha256.New()
	size, err = io.Copy(io.MultiWriter(tmp, sum), body)
	if err != nil {
		err = fault.Errorf(fault.Unavailable, "artifact %s: %w", sha, err)
	} else if got := hex.EncodeToString(sum.Sum(nil)); got != sha {
		err = fault.Errorf(fault.Invalid, "artifact %s arrived as %s; upload it again", sha, got)
	}
	if err != nil {
		discard(tmp)
		return nil, 0, err
	}
	return tmp, size, nil
}

// discard removes a temporary file, which is a copy only.
func discard(tmp *os.File) { _ = errors.Join(tmp.Close(), os.Remove(tmp.Name())) }

// prepare calls Prepare for what no active revision runs yet. The functions work
// without it.
func (d *Deployer) prepare(ctx context.Context, r *Revision) {
	if d.Prepare == nil {
		return
	}
	known := map[string]bool{}
	for _, active := range d.List() {
		for _, f := range active.Functions {
			known[program(f)] = true
		}
	}
	for _, f := range r.Functions {
		if known[program(f)] {
			continue
		}
		known[program(f)] = true
		bounded, cancel := context.WithTimeout(ctx, prepareTime)
		started := time.Now()
		err := d.Prepare(bounded, f, filepath.Join(d.Artifacts, f.Artifact))
		cancel()
		if err != nil {
			d.Log.Warn("function not prepared, its first start takes longer", "function", f.ARN, "took", time.Since(started), "err", err)
		}
	}
}

// program is what a function runs: two functions with the same one start the same
// code.
func program(f function.Function) string {
	return strings.Join([]string{f.Artifact, f.Runtime, f.Handler, build.LayersID(f.Layers)}, " ")
}
