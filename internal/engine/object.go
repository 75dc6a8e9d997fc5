package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// ObjectStore is what rooms use of the object store inside the process; tools and
// functions use the S3 API of Objects.Handler.
type ObjectStore interface {
	// Put stores what r yields until EOF and answers once it is on disk. When r
	// fails, nothing is stored. size is how much r yields at most, -1 when that is
	// unknown, which costs a second copy. A full disk is fault.Unavailable.
	Put(ctx context.Context, bucket, key string, r io.Reader, size int64, o PutOptions) (Object, error)
	// Get opens an object; the caller closes Body. length -1 reads to the end.
	// A missing object is fault.NotFound.
	Get(ctx context.Context, bucket, key string, offset, length int64) (Object, io.ReadCloser, error)
	Stat(ctx context.Context, bucket, key string) (Object, error)
	Delete(ctx context.Context, bucket, key string) error // no error when it is gone already
	// CreateBucket succeeds when the bucket exists.
	CreateBucket(ctx context.Context, bucket string) error
}

// PutOptions are stored with the object.
type PutOptions struct {
	ContentType string
	Metadata    map[string]string
}

// Object describes a stored object.
type Object struct {
	Bucket, Key string
	Size        int64  // of the whole object
	ETag        string // without quotes
	ContentType string
	Modified    time.Time
	Metadata    map[string]string
}

// ObjectEvent is one change of an object.
type ObjectEvent struct {
	Name      string // ObjectCreated:Put, ObjectCreated:CompleteMultipartUpload, ObjectCreated:Copy, ObjectRemoved:Delete
	Bucket    string
	Key       string
	Size      int64
	ETag      string
	VersionID string
	At        time.Time
}

// Objects is the embedded object store.
type Objects struct {
	Handler http.Handler // the S3 API; it authenticates by itself

	backend *durable
	spool   string // for bodies of unknown length
	server  *s3Server
}

var _ ObjectStore = (*Objects)(nil)

// Put implements ObjectStore.
func (o *Objects) Put(ctx context.Context, bucket, key string, r io.Reader, size int64, opts PutOptions) (Object, error) {
	if size < 0 {
		spooled, n, err := o.spooled(r)
		if err != nil {
			return Object{}, storeError("put", bucket, key, err)
		}
		defer spooled.Close()
		r, size = spooled, n
	}
	counted := &counter{r: r}
	out, err := o.backend.PutObject(ctx, s3response.PutObjectInput{
		Bucket: &bucket, Key: &key, ContentLength: &size, Body: counted, Metadata: opts.Metadata, ContentType: optional(opts.ContentType),
	})
	if err != nil {
		return Object{}, storeError("put", bucket, key, err)
	}
	return Object{
		Bucket: bucket, Key: key, Size: counted.n, ETag: strings.Trim(out.ETag, `"`), ContentType: opts.ContentType,
		Modified: time.Now().UTC(), Metadata: opts.Metadata,
	}, nil
}

// spooled copies r into a nameless file: the store wants to know how much comes.
func (o *Objects) spooled(r io.Reader) (*os.File, int64, error) {
	f, err := os.CreateTemp(o.spool, "spool-")
	if err != nil {
		return nil, 0, err
	}
	_ = os.Remove(f.Name()) // it lives as long as it is open
	n, err := io.Copy(f, r)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, n, nil
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// Get implements ObjectStore.
func (o *Objects) Get(ctx context.Context, bucket, key string, offset, length int64) (Object, io.ReadCloser, error) {
	in := &s3.GetObjectInput{Bucket: &bucket, Key: &key}
	if offset > 0 || length >= 0 {
		last := int64(math.MaxInt64)
		if length >= 0 {
			last = offset + length - 1
		}
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", offset, last))
	}
	out, err := o.backend.GetObject(ctx, in)
	if err != nil {
		return Object{}, nil, storeError("get", bucket, key, err)
	}
	size := aws.ToInt64(out.ContentLength)
	if _, total, ok := strings.Cut(aws.ToString(out.ContentRange), "/"); ok {
		if _, err := fmt.Sscan(total, &size); err != nil {
			return Object{}, nil, errors.Join(fmt.Errorf("get %s/%s: content range %q", bucket, key, *out.ContentRange), out.Body.Close())
		}
	}
	return Object{
		Bucket: bucket, Key: key, Size: size, ETag: strings.Trim(aws.ToString(out.ETag), `"`),
		ContentType: aws.ToString(out.ContentType), Modified: aws.ToTime(out.LastModified), Metadata: out.Metadata,
	}, out.Body, nil
}

// Stat implements ObjectStore.
func (o *Objects) Stat(ctx context.Context, bucket, key string) (Object, error) {
	out, err := o.backend.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return Object{}, storeError("stat", bucket, key, err)
	}
	return Object{
		Bucket: bucket, Key: key, Size: aws.ToInt64(out.ContentLength), ETag: strings.Trim(aws.ToString(out.ETag), `"`),
		ContentType: aws.ToString(out.ContentType), Modified: aws.ToTime(out.LastModified), Metadata: out.Metadata,
	}, nil
}

// Delete implements ObjectStore.
func (o *Objects) Delete(ctx context.Context, bucket, key string) error {
	_, err := o.backend.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key})
	if err = storeError("delete", bucket, key, err); fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return err
}

// CreateBucket implements ObjectStore.
func (o *Objects) CreateBucket(ctx context.Context, bucket string) error {
	if _, err := os.Stat(filepath.Join(o.backend.root, bucket)); err == nil {
		return nil
	}
	err := o.backend.CreateBucket(o.server.asRoot(ctx), &s3.CreateBucketInput{
		Bucket: &bucket, ObjectOwnership: types.ObjectOwnershipBucketOwnerEnforced,
		CreateBucketConfiguration: &types.CreateBucketConfiguration{}, // the backend does not check for nil
	}, o.server.rootACL())
	return storeError("create bucket", bucket, "", err)
}

// storeError gives an error of the store its kind.
func storeError(verb, bucket, key string, err error) error {
	if err == nil {
		return nil
	}
	name := strings.TrimSuffix(bucket+"/"+key, "/")
	if known, ok := errors.AsType[s3err.S3Error](err); ok {
		kind := fault.Invalid
		switch status := known.StatusCode(); {
		case full(err):
			return fault.Coded(fault.Unavailable, "NoSpaceLeftOnDevice", "%s %s: the disk is full: %w", verb, name, syscall.ENOSPC)
		case status == http.StatusNotFound:
			kind = fault.NotFound
		case status == http.StatusConflict:
			kind = fault.Conflict
		case status >= http.StatusInternalServerError:
			kind = fault.Unavailable
		}
		return fault.Errorf(kind, "%s %s: %w", verb, name, err)
	}
	if full(err) {
		return fault.Coded(fault.Unavailable, "NoSpaceLeftOnDevice", "%s %s: the disk is full: %w", verb, name, syscall.ENOSPC)
	}
	return fmt.Errorf("%s %s: %w", verb, name, err)
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
