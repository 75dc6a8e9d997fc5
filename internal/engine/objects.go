package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"

	"github.com/dropstack/dropstack/internal/fault"
)

const (
	// maxKey is the longest key in bytes; a part between slashes has 255 at most,
	// which is the file system's.
	maxKey = 1024
	// smallObject of unknown size is read into memory to learn its size.
	smallObject = 256 << 10
)

// Objects is the embedded object store, an ObjectStore.
type Objects struct {
	// Handler serves the S3 API, path style, and verifies signatures. The Host
	// header must reach it as the client sent it.
	Handler http.Handler

	disk    *disk
	gateway *gateway
	create  sync.Mutex // one bucket at a time
}

var _ ObjectStore = (*Objects)(nil)

func openObjects(cfg Config) (*Objects, error) {
	d, err := openDisk(filepath.Join(cfg.Dir, "objects"), cfg.OnObject, cfg.Log.With("engine", "objects"))
	if err != nil {
		return nil, err
	}
	g, err := openGateway(cfg, d)
	if err != nil {
		d.Shutdown()
		return nil, err
	}
	// Who calls from inside the process gets the errors and logs them.
	quiet := *d
	quiet.log = slog.New(slog.DiscardHandler)
	return &Objects{Handler: g, disk: &quiet, gateway: g}, nil
}

func (o *Objects) shut() error {
	err := o.gateway.close()
	o.disk.Shutdown()
	return err
}

// Put implements ObjectStore. An object whose size is neither given nor bounded
// by AtMost, and which is not small, is written twice: the store must know how
// much is coming. A full disk is fault.Unavailable.
func (o *Objects) Put(ctx context.Context, bucket, key string, r io.Reader, size int64, opt PutOptions) (Object, error) {
	obj, err := o.store(ctx, bucket, key, r, size, opt)
	if err != nil {
		return Object{}, fmt.Errorf("put %s/%s: %w", bucket, key, faultOf(err))
	}
	return obj, nil
}

func (o *Objects) store(ctx context.Context, bucket, key string, r io.Reader, size int64, opt PutOptions) (Object, error) {
	if err := checkKey(key); err != nil {
		return Object{}, err
	}
	r = &source{ctx: ctx, r: r}
	switch {
	case size >= 0:
		r = &exact{r: r, size: size, left: size}
	case opt.AtMost > 0:
		size = opt.AtMost
	default:
		known, n, done, err := o.measure(bucket, r)
		if err != nil {
			return Object{}, err
		}
		defer done()
		r, size = known, n
	}
	in := s3response.PutObjectInput{
		Bucket: &bucket, Key: &key, Body: r, ContentLength: &size, Metadata: lower(opt.Metadata),
	}
	if opt.ContentType != "" {
		in.ContentType = &opt.ContentType
	}
	if _, err := o.disk.PutObject(ctx, in); err != nil {
		return Object{}, err
	}
	return o.stat(ctx, bucket, key)
}

// measure reads r to its end, into memory or an unnamed file beside the bucket's
// objects, which no crash leaves behind.
func (o *Objects) measure(bucket string, r io.Reader) (io.Reader, int64, func(), error) {
	var head strings.Builder
	n, err := io.CopyN(&head, r, smallObject)
	if errors.Is(err, io.EOF) {
		return strings.NewReader(head.String()), n, func() {}, nil
	}
	if err != nil {
		return nil, 0, nil, err
	}
	dir := filepath.Join(o.disk.at(bucket), posix.MetaTmpDir)
	f, err := os.CreateTemp(dir, "spool-*")
	if errors.Is(err, os.ErrNotExist) {
		return nil, 0, nil, s3err.GetBucketErr(s3err.ErrNoSuchBucket, bucket)
	}
	if err != nil {
		return nil, 0, nil, err
	}
	done := func() { f.Close() }
	if err := os.Remove(f.Name()); err != nil {
		done()
		return nil, 0, nil, err
	}
	n, err = io.Copy(f, io.MultiReader(strings.NewReader(head.String()), r))
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		done()
		return nil, 0, nil, err
	}
	return f, n, done, nil
}

// Get implements ObjectStore. An offset beyond the end is fault.Invalid. The
// Object is whole, whichever part of it is asked for.
func (o *Objects) Get(ctx context.Context, bucket, key string, offset, length int64) (Object, io.ReadCloser, error) {
	obj, body, err := o.open(ctx, bucket, key, offset, length)
	if err != nil {
		return Object{}, nil, fmt.Errorf("get %s/%s: %w", bucket, key, faultOf(err))
	}
	return obj, body, nil
}

func (o *Objects) open(ctx context.Context, bucket, key string, offset, length int64) (Object, io.ReadCloser, error) {
	if err := checkKey(key); err != nil {
		return Object{}, nil, err
	}
	if offset < 0 {
		return Object{}, nil, fault.Errorf(fault.Invalid, "offset %d is negative", offset)
	}
	if length == 0 { // which a range cannot say
		obj, err := o.stat(ctx, bucket, key)
		return obj, io.NopCloser(strings.NewReader("")), err
	}
	in := &s3.GetObjectInput{Bucket: &bucket, Key: &key}
	if offset > 0 || length > 0 {
		span := fmt.Sprintf("bytes=%d-", offset)
		if length > 0 && length <= math.MaxInt64-offset {
			span += strconv.FormatInt(offset+length-1, 10)
		}
		in.Range = &span
	}
	out, err := o.disk.GetObject(ctx, in)
	if err != nil {
		return Object{}, nil, err
	}
	size := *out.ContentLength
	if _, total, ok := strings.Cut(backend.GetStringFromPtr(out.ContentRange), "/"); ok {
		if size, err = strconv.ParseInt(total, 10, 64); err != nil {
			return Object{}, nil, errors.Join(err, out.Body.Close())
		}
	}
	return Object{
		Bucket: bucket, Key: key, Size: size, ETag: unquote(out.ETag),
		ContentType: backend.GetStringFromPtr(out.ContentType), Modified: *out.LastModified, Metadata: out.Metadata,
		CacheControl: backend.GetStringFromPtr(out.CacheControl), ContentDisposition: backend.GetStringFromPtr(out.ContentDisposition),
		ContentEncoding: backend.GetStringFromPtr(out.ContentEncoding), ContentLanguage: backend.GetStringFromPtr(out.ContentLanguage),
		Expires: backend.GetStringFromPtr(out.ExpiresString),
	}, out.Body, nil
}

// Stat implements ObjectStore.
func (o *Objects) Stat(ctx context.Context, bucket, key string) (Object, error) {
	obj, err := o.stat(ctx, bucket, key)
	if err != nil {
		return Object{}, fmt.Errorf("stat %s/%s: %w", bucket, key, faultOf(err))
	}
	return obj, nil
}

func (o *Objects) stat(ctx context.Context, bucket, key string) (Object, error) {
	if err := checkKey(key); err != nil {
		return Object{}, err
	}
	out, err := o.disk.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return Object{}, err
	}
	return Object{
		Bucket: bucket, Key: key, Size: *out.ContentLength, ETag: unquote(out.ETag),
		ContentType: backend.GetStringFromPtr(out.ContentType), Modified: *out.LastModified, Metadata: out.Metadata,
		CacheControl: backend.GetStringFromPtr(out.CacheControl), ContentDisposition: backend.GetStringFromPtr(out.ContentDisposition),
		ContentEncoding: backend.GetStringFromPtr(out.ContentEncoding), ContentLanguage: backend.GetStringFromPtr(out.ContentLanguage),
		Expires: backend.GetStringFromPtr(out.ExpiresString),
	}, nil
}

// Delete implements ObjectStore.
func (o *Objects) Delete(ctx context.Context, bucket, key string) error {
	err := checkKey(key)
	if err == nil {
		_, err = o.disk.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key})
	}
	if err = faultOf(err); err == nil || fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return fmt.Errorf("delete %s/%s: %w", bucket, key, err)
}

// HasBucket is nil when there is such a bucket, else fault.NotFound.
func (o *Objects) HasBucket(ctx context.Context, bucket string) error {
	if _, err := o.disk.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket}); err != nil || !utils.IsValidBucketName(bucket) {
		return fault.Coded(fault.NotFound, "NoSuchBucket", "The specified bucket does not exist: %s", bucket)
	}
	return nil
}

// Policy is the policy of a bucket, "" if it has none or is not there.
func (o *Objects) Policy(ctx context.Context, bucket string) (string, error) {
	if !utils.IsValidBucketName(bucket) {
		return "", nil
	}
	doc, err := o.disk.GetBucketPolicy(ctx, bucket)
	if fault.KindOf(faultOf(err)) == fault.NotFound {
		return "", nil
	}
	return string(doc), faultOf(err)
}

// CreateBucket implements ObjectStore.
func (o *Objects) CreateBucket(ctx context.Context, bucket string) error {
	acl, err := json.Marshal(auth.ACL{Owner: rootAccess})
	if err != nil {
		return err
	}
	o.create.Lock()
	defer o.create.Unlock()
	err = o.disk.CreateBucket(ctx, &s3.CreateBucketInput{
		Bucket: &bucket, ObjectOwnership: types.ObjectOwnershipBucketOwnerEnforced,
	}, acl)
	if b, ok := errors.AsType[s3err.BucketError](err); ok {
		switch b.Code {
		case "BucketAlreadyExists", "BucketAlreadyOwnedByYou":
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("create bucket %s: %w", bucket, faultOf(err))
	}
	return nil
}

// DeleteBucket deletes a bucket, which is fault.Conflict while there is anything in
// it. One that is not there is no error.
func (o *Objects) DeleteBucket(ctx context.Context, bucket string) error {
	if !utils.IsValidBucketName(bucket) {
		return nil
	}
	o.create.Lock()
	defer o.create.Unlock()
	err := o.disk.DeleteBucket(ctx, bucket)
	if b, ok := errors.AsType[s3err.BucketError](err); ok && b.Code == "BucketNotEmpty" {
		return fault.Coded(fault.Conflict, "BucketNotEmpty", "The bucket you tried to delete is not empty: %s", bucket)
	}
	if err = faultOf(err); err == nil || fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return fmt.Errorf("delete bucket %s: %w", bucket, err)
}

// checkKey refuses what could leave the bucket or meet the store's own files; the
// S3 server does the same for its requests.
func checkKey(key string) error {
	switch {
	case key == "" || len(key) > maxKey:
		return fault.Errorf(fault.Invalid, "a key has 1 to %d bytes, this one %d", maxKey, len(key))
	case !utf8.ValidString(key) || strings.ContainsRune(key, 0):
		return fault.Errorf(fault.Invalid, "key %q is not text", key)
	case !utils.IsObjectNameValid(key) || filepath.Clean("/"+key) != "/"+strings.TrimSuffix(key, "/"):
		return fault.Errorf(fault.Invalid, "key %q has an empty, \".\" or \"..\" part", key)
	case key == posix.MetaTmpDir || strings.HasPrefix(key, posix.MetaTmpDir+"/"):
		return fault.Errorf(fault.Invalid, "keys below %s are the store's own", posix.MetaTmpDir)
	}
	return nil
}

// faultOf gives an error of the store its kind.
func faultOf(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fault.Errorf(fault.Unavailable, "the disk is full: %w", err)
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	if _, ok := err.(failure); ok {
		return err
	}
	answer, ok := err.(s3err.S3Error)
	if !ok {
		return err
	}
	switch status := answer.StatusCode(); {
	case status == http.StatusNotFound:
		return fault.Errorf(fault.NotFound, "%w", err)
	case status == http.StatusInsufficientStorage || answer.BaseError().Code == "QuotaExceeded":
		return fault.Errorf(fault.Unavailable, "the disk is full: %w", errors.Join(err, syscall.ENOSPC))
	case status >= 400 && status < 500:
		return fault.Errorf(fault.Invalid, "%w", err)
	}
	return err
}

// source ends reading when the context ends.
type source struct {
	ctx context.Context
	r   io.Reader
}

func (s *source) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.r.Read(p)
	if err == io.ErrUnexpectedEOF { // which the checksum reader below takes for the end
		err = fmt.Errorf("the content broke off: %w", err)
	}
	return n, err
}

// exact fails unless it reads size bytes.
type exact struct {
	r          io.Reader
	size, left int64
}

func (e *exact) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if e.left -= int64(n); e.left < 0 {
		return 0, fault.Errorf(fault.Invalid, "more than the %d bytes announced", e.size)
	}
	if err == io.EOF && e.left > 0 {
		return n, fmt.Errorf("%d of %d bytes: %w", e.size-e.left, e.size, io.ErrUnexpectedEOF)
	}
	return n, err
}

func unquote(etag *string) string { return strings.Trim(backend.GetStringFromPtr(etag), `"`) }

// lower spells metadata as it comes back over HTTP.
func lower(m map[string]string) map[string]string {
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[strings.ToLower(k)] = v
	}
	return out
}
