package engine

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// The rest of the posix backend, with buckets by absolute path.

func (d *disk) ListBuckets(_ context.Context, in s3response.ListBucketsInput) (s3response.ListAllMyBucketsResult, error) {
	out := s3response.ListAllMyBucketsResult{Owner: s3response.CanonicalUser{ID: in.Owner}, Prefix: in.Prefix}
	entries, err := os.ReadDir(d.root)
	if err != nil {
		return out, d.answer(err)
	}
	for _, e := range entries {
		name := e.Name()
		if !e.IsDir() || !utils.IsValidBucketName(name) || name <= in.ContinuationToken || len(name) < len(in.Prefix) || name[:len(in.Prefix)] != in.Prefix {
			continue
		}
		if len(out.Buckets.Bucket) == int(in.MaxBuckets) && in.MaxBuckets > 0 {
			out.ContinuationToken = out.Buckets.Bucket[in.MaxBuckets-1].Name
			break
		}
		info, err := e.Info()
		if err != nil {
			continue // deleted meanwhile
		}
		out.Buckets.Bucket = append(out.Buckets.Bucket, s3response.ListAllMyBucketsEntry{Name: name, CreationDate: info.ModTime()})
	}
	return out, nil
}

func (d *disk) HeadBucket(ctx context.Context, in *s3.HeadBucketInput) (*s3.HeadBucketOutput, error) {
	rooted := *in
	rooted.Bucket = d.path(in.Bucket)
	out, err := d.posix.HeadBucket(ctx, &rooted)
	return out, d.answer(err)
}

func (d *disk) CreateBucket(ctx context.Context, in *s3.CreateBucketInput, acl []byte) error {
	if !utils.IsValidBucketName(*in.Bucket) {
		return s3err.GetBucketErr(s3err.ErrInvalidBucketName, *in.Bucket)
	}
	rooted := *in
	at := d.at(*in.Bucket)
	rooted.Bucket = &at
	if rooted.CreateBucketConfiguration == nil {
		rooted.CreateBucketConfiguration = &types.CreateBucketConfiguration{}
	}
	// A crash between the directory and its attributes leaves what posix takes
	// for a broken bucket for ever; being empty, it can go.
	if _, err := (meta.XattrMeta{}).RetrieveAttribute(nil, at, "", "acl"); errors.Is(err, meta.ErrNoSuchKey) {
		_ = os.Remove(at)
	}
	if err := d.posix.CreateBucket(ctx, &rooted, acl); err != nil {
		return d.answer(err)
	}
	// Here uploads are staged without a name; were it missing, the first one would
	// have a name that a crash leaves behind.
	if err := os.Mkdir(filepath.Join(at, posix.MetaTmpDir), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return d.answer(err)
	}
	return d.answer(syncDirs(d.root, filepath.Join(*in.Bucket, "x")))
}

func (d *disk) DeleteBucket(ctx context.Context, bucket string) error {
	if err := d.posix.DeleteBucket(ctx, d.at(bucket)); err != nil {
		return d.answer(err)
	}
	return d.answer(syncPath(d.root))
}

func (d *disk) GetBucketAcl(ctx context.Context, in *s3.GetBucketAclInput) ([]byte, error) {
	rooted := *in
	rooted.Bucket = d.path(in.Bucket)
	out, err := d.posix.GetBucketAcl(ctx, &rooted)
	return out, d.answer(err)
}

// set changes a bucket's settings, which are attributes of its directory.
func (d *disk) set(bucket string, change func(at string) error) error {
	at := d.at(bucket)
	if err := change(at); err != nil {
		return d.answer(err)
	}
	return d.answer(syncPath(at))
}

func (d *disk) PutBucketAcl(ctx context.Context, bucket string, data []byte) error {
	return d.set(bucket, func(at string) error { return d.posix.PutBucketAcl(ctx, at, data) })
}

func (d *disk) GetBucketVersioning(ctx context.Context, bucket string) (s3response.GetBucketVersioningOutput, error) {
	out, err := d.posix.GetBucketVersioning(ctx, d.at(bucket))
	return out, d.answer(err)
}

func (d *disk) PutBucketPolicy(ctx context.Context, bucket string, policy []byte) error {
	return d.set(bucket, func(at string) error { return d.posix.PutBucketPolicy(ctx, at, policy) })
}

func (d *disk) GetBucketPolicy(ctx context.Context, bucket string) ([]byte, error) {
	out, err := d.posix.GetBucketPolicy(ctx, d.at(bucket))
	return out, d.answer(err)
}

func (d *disk) DeleteBucketPolicy(ctx context.Context, bucket string) error {
	return d.set(bucket, func(at string) error { return d.posix.DeleteBucketPolicy(ctx, at) })
}

func (d *disk) PutBucketOwnershipControls(ctx context.Context, bucket string, o types.ObjectOwnership) error {
	return d.set(bucket, func(at string) error { return d.posix.PutBucketOwnershipControls(ctx, at, o) })
}

func (d *disk) GetBucketOwnershipControls(ctx context.Context, bucket string) (types.ObjectOwnership, error) {
	out, err := d.posix.GetBucketOwnershipControls(ctx, d.at(bucket))
	return out, d.answer(err)
}

func (d *disk) DeleteBucketOwnershipControls(ctx context.Context, bucket string) error {
	return d.set(bucket, func(at string) error { return d.posix.DeleteBucketOwnershipControls(ctx, at) })
}

func (d *disk) PutBucketCors(ctx context.Context, bucket string, cors []byte) error {
	return d.set(bucket, func(at string) error { return d.posix.PutBucketCors(ctx, at, cors) })
}

func (d *disk) GetBucketCors(ctx context.Context, bucket string) ([]byte, error) {
	out, err := d.posix.GetBucketCors(ctx, d.at(bucket))
	return out, d.answer(err)
}

func (d *disk) DeleteBucketCors(ctx context.Context, bucket string) error {
	return d.set(bucket, func(at string) error { return d.posix.DeleteBucketCors(ctx, at) })
}

func (d *disk) PutBucketTagging(ctx context.Context, bucket string, tags map[string]string) error {
	return d.set(bucket, func(at string) error { return d.posix.PutBucketTagging(ctx, at, tags) })
}

func (d *disk) GetBucketTagging(ctx context.Context, bucket string) (map[string]string, error) {
	out, err := d.posix.GetBucketTagging(ctx, d.at(bucket))
	return out, d.answer(err)
}

func (d *disk) DeleteBucketTagging(ctx context.Context, bucket string) error {
	return d.set(bucket, func(at string) error { return d.posix.DeleteBucketTagging(ctx, at) })
}

func (d *disk) GetObjectLockConfiguration(ctx context.Context, bucket string) ([]byte, error) {
	out, err := d.posix.GetObjectLockConfiguration(ctx, d.at(bucket))
	return out, d.answer(err)
}

func (d *disk) PutObjectTagging(ctx context.Context, bucket, object, version string, tags map[string]string) error {
	at := d.at(bucket)
	if err := d.posix.PutObjectTagging(ctx, at, object, version, tags); err != nil {
		return d.answer(err)
	}
	return d.answer(syncPath(filepath.Join(at, object)))
}

func (d *disk) GetObjectTagging(ctx context.Context, bucket, object, version string) (map[string]string, error) {
	out, err := d.posix.GetObjectTagging(ctx, d.at(bucket), object, version)
	return out, d.answer(err)
}

func (d *disk) DeleteObjectTagging(ctx context.Context, bucket, object, version string) error {
	at := d.at(bucket)
	if err := d.posix.DeleteObjectTagging(ctx, at, object, version); err != nil {
		return d.answer(err)
	}
	return d.answer(syncPath(filepath.Join(at, object)))
}

// tagsOf returns an object's tags as PutObject takes them, nil for none.
func (d *disk) tagsOf(ctx context.Context, bucket, key string) (*string, error) {
	tags, err := d.posix.GetObjectTagging(ctx, d.at(bucket), key, "")
	if errors.Is(err, s3err.GetAPIError(s3err.ErrBucketTaggingNotFound)) || (err == nil && len(tags) == 0) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	values := url.Values{}
	for k, v := range tags {
		values.Set(k, v)
	}
	encoded := values.Encode()
	return &encoded, nil
}

func (d *disk) HeadObject(ctx context.Context, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	rooted := *in
	rooted.Bucket = d.path(in.Bucket)
	out, err := d.posix.HeadObject(ctx, &rooted)
	return out, d.answer(err)
}

func (d *disk) GetObject(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	rooted := *in
	rooted.Bucket = d.path(in.Bucket)
	out, err := d.posix.GetObject(ctx, &rooted)
	return out, d.answer(err)
}

func (d *disk) GetObjectAttributes(ctx context.Context, in *s3.GetObjectAttributesInput) (s3response.GetObjectAttributesResponse, error) {
	rooted := *in
	rooted.Bucket = d.path(in.Bucket)
	out, err := d.posix.GetObjectAttributes(ctx, &rooted)
	return out, d.answer(err)
}

func (d *disk) ListObjects(ctx context.Context, in *s3.ListObjectsInput) (s3response.ListObjectsResult, error) {
	rooted := *in
	rooted.Bucket = d.path(in.Bucket)
	out, err := d.posix.ListObjects(ctx, &rooted)
	out.Name = in.Bucket
	return out, d.answer(err)
}

func (d *disk) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input) (s3response.ListObjectsV2Result, error) {
	rooted := *in
	rooted.Bucket = d.path(in.Bucket)
	out, err := d.posix.ListObjectsV2(ctx, &rooted)
	out.Name = in.Bucket
	return out, d.answer(err)
}

func (d *disk) ListObjectVersions(ctx context.Context, in *s3.ListObjectVersionsInput) (s3response.ListVersionsResult, error) {
	rooted := *in
	rooted.Bucket = d.path(in.Bucket)
	out, err := d.posix.ListObjectVersions(ctx, &rooted)
	out.Name = in.Bucket
	return out, d.answer(err)
}
