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
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// durable is the object store's file backend with what it lacks: whatever changes
// an object is synced, and reported, before it is answered.
type durable struct {
	*posix.Posix
	root   string
	notify func(ObjectEvent) error
	log    *slog.Logger
}

// failure is an error of ours in the store's clothes: clients of the S3 API get an
// internal error, rooms can still ask for the cause.
type failure struct {
	s3err.S3Error
	cause error
}

func (f *failure) Error() string { return f.cause.Error() }
func (f *failure) Unwrap() error { return f.cause }

// fail keeps what was done from being acknowledged.
func (d *durable) fail(doing, bucket, key string, err error) error {
	if err == nil {
		return nil
	}
	d.log.Error("object store", "doing", doing, "bucket", bucket, "key", key, "err", err)
	return &failure{s3err.GetAPIError(s3err.ErrInternalError), fmt.Errorf("%s: %w", doing, err)}
}

func (d *durable) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	out, err := d.Posix.PutObject(ctx, in)
	if err != nil {
		return out, err
	}
	return out, d.created("ObjectCreated:Put", aws.ToString(in.Bucket), aws.ToString(in.Key), out.ETag)
}

func (d *durable) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (s3response.CompleteMultipartUploadResult, string, error) {
	out, version, err := d.Posix.CompleteMultipartUpload(ctx, in)
	if err != nil {
		return out, version, err
	}
	return out, version, d.created("ObjectCreated:CompleteMultipartUpload", aws.ToString(in.Bucket), aws.ToString(in.Key), aws.ToString(out.ETag))
}

func (d *durable) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	out, err := d.Posix.CopyObject(ctx, in)
	if err != nil {
		return out, err
	}
	etag := ""
	if out.CopyObjectResult != nil {
		etag = aws.ToString(out.CopyObjectResult.ETag)
	}
	return out, d.created("ObjectCreated:Copy", aws.ToString(in.Bucket), aws.ToString(in.Key), etag)
}

func (d *durable) CreateBucket(ctx context.Context, in *s3.CreateBucketInput, acl []byte) error {
	if err := d.Posix.CreateBucket(ctx, in, acl); err != nil {
		return err
	}
	bucket := aws.ToString(in.Bucket)
	return d.fail("sync", bucket, "", syncAll(filepath.Join(d.root, bucket), d.root))
}

func (d *durable) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput) (*s3.DeleteObjectOutput, error) {
	bucket, key := aws.ToString(in.Bucket), aws.ToString(in.Key)
	existed := d.exists(bucket, key)
	out, err := d.Posix.DeleteObject(ctx, in)
	if err != nil || !existed {
		return out, err
	}
	return out, d.removed(bucket, key)
}

func (d *durable) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput) (s3response.DeleteResult, error) {
	bucket := aws.ToString(in.Bucket)
	existed := map[string]bool{}
	if in.Delete != nil {
		for _, o := range in.Delete.Objects {
			existed[aws.ToString(o.Key)] = d.exists(bucket, aws.ToString(o.Key))
		}
	}
	out, err := d.Posix.DeleteObjects(ctx, in)
	if err != nil {
		return out, err
	}
	for _, gone := range out.Deleted {
		if key := aws.ToString(gone.Key); existed[key] {
			err = errors.Join(err, d.removed(bucket, key))
		}
	}
	return out, err
}

func (d *durable) exists(bucket, key string) bool {
	_, err := os.Lstat(filepath.Join(d.root, bucket, key))
	return err == nil
}

// created syncs an object, its properties and the directories that lead to it,
// and reports it.
func (d *durable) created(event, bucket, key, etag string) error {
	path := filepath.Join(d.root, bucket, key)
	st, err := os.Stat(path)
	if err == nil {
		err = syncAll(path, d.root)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // deleted meanwhile: nothing is left to keep
	}
	if err != nil {
		return d.fail("sync", bucket, key, err)
	}
	var size int64
	if st != nil && !st.IsDir() {
		size = st.Size()
	}
	return d.report(ObjectEvent{Name: event, Bucket: bucket, Key: key, Size: size, ETag: strings.Trim(etag, `"`)})
}

// removed syncs the nearest directory that is left, and reports.
func (d *durable) removed(bucket, key string) error {
	dir := filepath.Dir(filepath.Join(d.root, bucket, key))
	for {
		err := syncPath(dir)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) || dir == d.root {
			return d.fail("sync", bucket, key, err)
		}
		dir = filepath.Dir(dir)
	}
	return d.report(ObjectEvent{Name: "ObjectRemoved:Delete", Bucket: bucket, Key: key})
}

func (d *durable) report(e ObjectEvent) error {
	if d.notify == nil || strings.HasPrefix(e.Bucket, "dropstack-") { // the platform's own
		return nil
	}
	e.At = time.Now().UTC()
	return d.fail("notify", e.Bucket, e.Key, d.notify(e))
}

// syncAll syncs path and every directory from there up to root.
func syncAll(path, root string) error {
	for {
		if err := syncPath(path); err != nil {
			return err
		}
		if path == root || path == filepath.Dir(path) {
			return nil
		}
		path = filepath.Dir(path)
	}
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
