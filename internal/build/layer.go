package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/spec"
)

// MaxLayers is how many layers a function may have.
const MaxLayers = 5

// LayersID names the directory of layers merged into one: the SHA-256, in hex, of
// their SHA-256s, in hex, one after the other. "" for no layers.
func LayersID(layers []string) string {
	if len(layers) == 0 {
		return ""
	}
	sum := sha256.Sum256([]byte(strings.Join(layers, "")))
	return hex.EncodeToString(sum[:])
}

// Layers makes the artifacts of the service's layers, by layer key. What
// the author has to mend is fault.Invalid and begins with file:line.
func Layers(ctx context.Context, svc *spec.Service, o Options) (map[string]Artifact, error) {
	b, done, err := newBuilder(svc, o)
	if err != nil {
		return nil, err
	}
	defer done()
	artifacts := map[string]Artifact{}
	var problems []error
	for _, l := range svc.Layers {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		artifacts[l.Key], err = b.layer(l)
		if err != nil && fault.KindOf(err) != fault.Invalid {
			return nil, fmt.Errorf("layer %s: %w", l.Key, err)
		}
		problems = append(problems, err)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fault.Errorf(fault.Invalid, "%w", err)
	}
	return artifacts, nil
}

// layer zips a layer's directory by the rules of the Serverless Framework: the
// service's patterns hold for its layers too, and development dependencies stay.
func (b *builder) layer(l spec.Layer) (Artifact, error) {
	if l.Package.Artifact != "" {
		a, z, err := b.openZip("layer "+l.Key, l.Package)
		if err != nil {
			return Artifact{}, err
		}
		return a, z.Close()
	}
	dir := filepath.Join(b.svc.Dir, l.Path)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return Artifact{}, invalid(l.PathPos, "layer %s: there is no directory %s", l.Key, l.Path)
	}
	t, err := newTree(dir)
	if err != nil {
		return Artifact{}, err
	}
	pos := l.PathPos
	if l.Package.Pos.Line > 0 {
		pos = l.Package.Pos
	}
	globs, err := t.rules(slices.Concat(b.svc.Package.Exclude, l.Package.Exclude), slices.Concat(b.svc.Package.Patterns, l.Package.Patterns))
	if err != nil {
		return Artifact{}, invalid(pos, "layer %s: %w", l.Key, err)
	}
	files, err := t.choose(globs)
	if err != nil {
		return Artifact{}, invalid(pos, "layer %s: %w", l.Key, err)
	}
	if len(files) == 0 {
		return Artifact{}, invalid(pos, "layer %s: no file of %s is chosen by the patterns, the service's among them", l.Key, l.Path)
	}
	return b.write(files)
}

// Zip is an artifact to unpack.
type Zip struct {
	io.ReaderAt
	Size int64 // bytes
}

// UnpackLayers extracts layers into dir, one over the other: a file of a later one
// replaces what earlier ones have in its place. The limit, on what is left in dir,
// and everything else are as for Unpack.
func UnpackLayers(layers []Zip, dir string, limit int64) error {
	if len(layers) > MaxLayers {
		return fault.Errorf(fault.Invalid, "%d layers; the limit is %d", len(layers), MaxLayers)
	}
	return unpackAll(layers, dir, limit, "set of layers")
}

// Size is the bytes of all files below a directory.
func Size(dir string) (int64, error) {
	var total int64
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}
