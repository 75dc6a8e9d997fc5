package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	awshttp "github.com/aws/smithy-go/transport/http"
)

// S3 keeps objects in S3 or in what speaks its API.
type S3 struct {
	Client *s3.Client
}

var _ Store = S3{}

func missingObject(err error) error {
	if r, ok := errors.AsType[*awshttp.ResponseError](err); ok && r.HTTPStatusCode() == http.StatusNotFound {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return err
}

// Head implements Store.
func (s S3) Head(ctx context.Context, bucket, key string) (Object, error) {
	out, err := s.Client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return Object{}, missingObject(err)
	}
	return Object{Key: key, Size: aws.ToInt64(out.ContentLength), Modified: aws.ToTime(out.LastModified)}, nil
}

// Get implements Store.
func (s S3) Get(ctx context.Context, bucket, key string, off, n int64) (io.ReadCloser, error) {
	in := &s3.GetObjectInput{Bucket: &bucket, Key: &key}
	switch {
	case n == 0:
		return http.NoBody, nil
	case n > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", off, off+n-1))
	case off > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", off))
	}
	out, err := s.Client.GetObject(ctx, in)
	if r, ok := errors.AsType[*awshttp.ResponseError](err); ok && r.HTTPStatusCode() == http.StatusRequestedRangeNotSatisfiable {
		return http.NoBody, nil // an empty object has no first byte
	}
	if err != nil {
		return nil, missingObject(err)
	}
	return out.Body, nil
}

// Put implements Store.
func (s S3) Put(ctx context.Context, bucket, key, media string, size int64, r io.ReadSeeker) error {
	_, err := s.Client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, ContentType: &media, ContentLength: &size, Body: r})
	return err
}

// Delete implements Store.
func (s S3) Delete(ctx context.Context, bucket, key string) error {
	_, err := s.Client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key})
	if errors.Is(missingObject(err), ErrNotFound) {
		return nil
	}
	return err
}

// Each implements Store.
func (s S3) Each(ctx context.Context, bucket, prefix string, visit func(Object) error) error {
	pages := s3.NewListObjectsV2Paginator(s.Client, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, o := range page.Contents {
			if err := visit(Object{Key: aws.ToString(o.Key), Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Presign implements Store.
func (s S3) Presign(ctx context.Context, bucket, key, media, disposition string, ttl time.Duration) (string, error) {
	out, err := s3.NewPresignClient(s.Client).PresignGetObject(ctx, &s3.GetObjectInput{
		Bucket: &bucket, Key: &key, ResponseContentType: &media, ResponseContentDisposition: &disposition,
		ResponseCacheControl: aws.String("private, no-store"),
	}, s3.WithPresignExpires(ttl))
	if err != nil {
		return "", err
	}
	return out.URL, nil
}
