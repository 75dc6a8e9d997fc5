package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// disk is what the S3 server and Objects store into: versitygw's posix backend
// with three things it lacks. Changes are on disk and reported before they are
// answered, and buckets are named to it by absolute path, so that it does not
// depend on the process's working directory. What is not defined here or in
// bucket.go is answered as not implemented.
type disk struct {
	backend.BackendUnsupported

	posix    *posix.Posix
	root     string // absolute
	onObject func(ObjectEvent) error
	log      *slog.Logger // for what clients are not told
}

// copyLimit is the largest object that CopyObject takes, S3's own.
const copyLimit = 5 << 30

func openDisk(root string, onObject func(ObjectEvent) error, log *slog.Logger) (*disk, error) {
	if err := (meta.XattrMeta{}).Test(root); err != nil {
		return nil, fmt.Errorf("the file system of %s keeps no extended attributes, which objects need; choose another with --data: %w", root, err)
	}
	// posix.New moves the whole process to its root. Nobody else expects that, and
	// we name everything by absolute path.
	here, err := os.Getwd()
	if err != nil {
		here = string(filepath.Separator) // ours was deleted
	}
	options := posix.PosixOpts{CopyObjectThreshold: copyLimit}
	options.SetNewDirPerm(0o700)
	options.SetNewFilePerm(0o600)
	p, err := posix.New(root, meta.XattrMeta{}, options)
	if err := errors.Join(err, os.Chdir(here)); err != nil {
		return nil, fmt.Errorf("open the object store: %w", err)
	}
	return &disk{posix: p, root: root, onObject: onObject, log: log}, nil
}

func (d *disk) Shutdown()      { d.posix.Shutdown() }
func (d *disk) String() string { return "disk" }

func (d *disk) NormalizeObjectKey(bucket, object string) string {
	return d.posix.NormalizeObjectKey(bucket, object)
}

// at is where a bucket is. A name that is not a bucket's is one that does not
// exist: names reach file system calls.
func (d *disk) at(bucket string) string {
	if !utils.IsValidBucketName(bucket) {
		bucket = "-" // no valid name
	}
	return filepath.Join(d.root, bucket)
}

func (d *disk) path(bucket *string) *string {
	if bucket == nil {
		return nil
	}
	p := d.at(*bucket)
	return &p
}

// answer makes an error fit for clients: buckets have their names again, and a
// full disk says so.
func (d *disk) answer(err error) error {
	if b, ok := err.(s3err.BucketError); ok {
		b.BucketName = filepath.Base(b.BucketName)
		return b
	}
	if _, ok := err.(s3err.S3Error); ok || err == nil {
		return err
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return failure{s3err.GetAPIError(s3err.ErrNoSpaceLeftOnDevice), err}
	}
	// The S3 server would print a bare one to standard error.
	d.log.Error("object store", "err", err)
	return failure{s3err.GetAPIError(s3err.ErrInternalError), err}
}

// failure is answered as the one error and caused by the other.
type failure struct {
	s3err.APIError
	cause error
}

func (f failure) Error() string { return f.cause.Error() }
func (f failure) Unwrap() error { return f.cause }

func (d *disk) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	out, err := d.put(ctx, in, "ObjectCreated:Put")
	return out, d.answer(err)
}

func (d *disk) put(ctx context.Context, in s3response.PutObjectInput, event string) (s3response.PutObjectOutput, error) {
	at := d.at(*in.Bucket)
	bucket := *in.Bucket
	in.Bucket = &at
	// The content is synced before it gets its name, so that a power cut cannot
	// replace an old object with half of a new one.
	out, err := d.posix.PutObjectWithPostFunc(ctx, in, (*os.File).Sync)
	if err != nil {
		return out, err
	}
	if err := syncObject(at, *in.Key); err != nil {
		return out, err
	}
	size := int64(0)
	if out.Size != nil {
		size = *out.Size
	}
	return out, d.report(event, bucket, *in.Key, out.ETag, size)
}

func (d *disk) report(name, bucket, key, etag string, size int64) error {
	if d.onObject == nil {
		return nil
	}
	return d.onObject(ObjectEvent{
		Name: name, Bucket: bucket, Key: key, Size: size,
		ETag: strings.Trim(etag, `"`), At: time.Now(),
	})
}

func (d *disk) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput) (*s3.DeleteObjectOutput, error) {
	out, gone, err := d.remove(ctx, in)
	if err == nil && gone {
		if err = syncDirs(d.at(*in.Bucket), *in.Key); err == nil {
			err = d.report("ObjectRemoved:Delete", *in.Bucket, *in.Key, "", 0)
		}
	}
	if err != nil {
		return nil, d.answer(err)
	}
	return out, nil
}

// remove says whether there was an object.
func (d *disk) remove(ctx context.Context, in *s3.DeleteObjectInput) (_ *s3.DeleteObjectOutput, gone bool, err error) {
	rooted := *in
	rooted.Bucket = d.path(in.Bucket)
	if in.Key != nil {
		info, err := os.Lstat(filepath.Join(*rooted.Bucket, *in.Key))
		gone = err == nil && info.IsDir() == strings.HasSuffix(*in.Key, "/")
	}
	out, err := d.posix.DeleteObject(ctx, &rooted)
	return out, gone, err
}

// DeleteObjects syncs each directory once, however many objects it lost.
func (d *disk) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput) (s3response.DeleteResult, error) {
	var result s3response.DeleteResult
	at := d.at(*in.Bucket)
	var removed []types.ObjectIdentifier
	dirs := map[string]string{} // and a key in it
	for _, o := range in.Delete.Objects {
		_, gone, err := d.remove(ctx, &s3.DeleteObjectInput{Bucket: in.Bucket, Key: o.Key, VersionId: o.VersionId})
		switch {
		case err != nil:
			result.Error = append(result.Error, s3err.ObjectDeleteError(o.Key, o.VersionId, d.answer(err)))
		case gone:
			removed = append(removed, o)
			dirs[filepath.Dir(*o.Key)] = *o.Key
		default:
			result.Deleted = append(result.Deleted, types.DeletedObject{Key: o.Key, VersionId: o.VersionId})
		}
	}
	for _, key := range dirs {
		if err := syncDirs(at, key); err != nil {
			return s3response.DeleteResult{}, d.answer(err)
		}
	}
	for _, o := range removed {
		if err := d.report("ObjectRemoved:Delete", *in.Bucket, *o.Key, "", 0); err != nil {
			result.Error = append(result.Error, s3err.ObjectDeleteError(o.Key, o.VersionId, d.answer(err)))
			continue
		}
		result.Deleted = append(result.Deleted, types.DeletedObject{Key: o.Key, VersionId: o.VersionId})
	}
	return result, nil
}

// syncObject makes an object's metadata and every directory on the way to it
// durable; any of them may be new.
func syncObject(bucket, key string) error {
	if err := syncPath(filepath.Join(bucket, key)); err != nil {
		return err
	}
	return syncDirs(bucket, key)
}

// syncDirs syncs the directories from the key's own up to the bucket. Those that
// went with their last object are skipped.
func syncDirs(bucket, key string) error {
	for dir := filepath.Dir(filepath.Join(bucket, key)); len(dir) >= len(bucket); dir = filepath.Dir(dir) {
		if err := syncPath(dir); err != nil {
			return err
		}
	}
	return nil
}

// syncPath syncs a file or a directory, if it is still there.
func syncPath(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	if err := f.Sync(); err != nil {
		return errors.Join(fmt.Errorf("sync: %w", err), f.Close())
	}
	return f.Close()
}
