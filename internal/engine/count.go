package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/versity/versitygw/backend/posix"

	"github.com/dropstack/dropstack/internal/fault"
)

// Buckets are the names of all buckets.
func (o *Objects) Buckets() ([]string, error) {
	entries, err := os.ReadDir(o.disk.root)
	if err != nil {
		return nil, fmt.Errorf("list the buckets: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Count counts the objects of a bucket and their bytes, by looking at files and not
// into them: it is for measuring, and what changes meanwhile is counted or not. A
// bucket of more than limit is fault.TooLarge.
func (o *Objects) Count(ctx context.Context, bucket string, limit int) (objects int, bytes int64, err error) {
	root := filepath.Join(o.disk.root, bucket)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // it went meanwhile
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case d.IsDir() && d.Name() == posix.MetaTmpDir && filepath.Dir(path) == root:
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if objects++; objects > limit {
			return fault.Errorf(fault.TooLarge, "bucket %s has over %d objects", bucket, limit)
		}
		bytes += info.Size()
		return nil
	})
	return objects, bytes, err
}
