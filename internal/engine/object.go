package engine

import (
	"context"
	"io"
	"time"
)

// ObjectStore is what rooms use of the object store inside the process; tools and
// functions use the S3 API of Objects.Handler.
type ObjectStore interface {
	// Put stores what r yields until EOF and answers once it is on disk. When r
	// fails, nothing is stored. size is -1 when unknown.
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
	Metadata    map[string]string // keys come back in lower case
	// AtMost bounds an unknown size, in bytes (say, by the length of the form that
	// carries the object), which saves writing a large one twice. The disk must
	// have that much room. More is an error.
	AtMost int64
}

// Object describes a stored object.
type Object struct {
	Bucket, Key string
	Size        int64
	ETag        string // without quotes
	ContentType string
	Modified    time.Time
	Metadata    map[string]string
	// What clients are told with it, "" for nothing.
	CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, Expires string
}

// ObjectEvent is one change, reported after it is on disk and before whoever
// asked for it is answered.
type ObjectEvent struct {
	Name      string // ObjectCreated:Put, ObjectCreated:CompleteMultipartUpload, ObjectCreated:Copy, ObjectRemoved:Delete
	Bucket    string
	Key       string
	Size      int64
	ETag      string
	VersionID string
	At        time.Time
}
