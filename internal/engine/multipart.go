package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api/middlewares"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

func (d *disk) CreateMultipartUpload(ctx context.Context, in s3response.CreateMultipartUploadInput) (s3response.InitiateMultipartUploadResult, error) {
	bucket := *in.Bucket
	in.Bucket = d.path(in.Bucket)
	out, err := d.posix.CreateMultipartUpload(ctx, in)
	out.Bucket = bucket
	if err != nil {
		return out, d.answer(err)
	}
	return out, d.answer(syncObject(*in.Bucket, uploadKey(*in.Key, out.UploadId)))
}

func (d *disk) UploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	rooted := *in
	rooted.Bucket = d.path(in.Bucket)
	out, err := d.posix.UploadPartWithPostFunc(ctx, &rooted, (*os.File).Sync)
	if err != nil {
		return out, d.answer(err)
	}
	part := filepath.Join(uploadKey(*in.Key, *in.UploadId), strconv.Itoa(int(*in.PartNumber)))
	return out, d.answer(syncObject(*rooted.Bucket, part))
}

// uploadKey is the directory of an unfinished upload below its bucket.
func uploadKey(key, uploadID string) string {
	return filepath.Join(posix.MetaTmpMultipartDir, fmt.Sprintf("%x", sha256.Sum256([]byte(key))), uploadID)
}

func (d *disk) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (s3response.CompleteMultipartUploadResult, string, error) {
	rooted := *in
	rooted.Bucket = d.path(in.Bucket)
	if !inOrder(in.MultipartUpload) {
		return s3response.CompleteMultipartUploadResult{}, "", s3err.GetAPIError(s3err.ErrInvalidPartOrder)
	}
	out, version, err := d.posix.CompleteMultipartUpload(ctx, &rooted)
	out.Bucket = in.Bucket
	if err != nil {
		return out, version, d.answer(err)
	}
	if err := syncObject(*rooted.Bucket, *in.Key); err != nil {
		return out, version, d.answer(err)
	}
	size := int64(0)
	if info, err := os.Stat(filepath.Join(*rooted.Bucket, *in.Key)); err == nil {
		size = info.Size()
	}
	err = d.report("ObjectCreated:CompleteMultipartUpload", *in.Bucket, *in.Key, backend.GetStringFromPtr(out.ETag), size)
	return out, version, d.answer(err)
}

// inOrder reports whether parts are in ascending order, before any of them is
// looked at: the last one, found first, would be too small.
func inOrder(upload *types.CompletedMultipartUpload) bool {
	return upload == nil || slices.IsSortedFunc(upload.Parts, func(a, b types.CompletedPart) int {
		return cmp.Compare(aws.ToInt32(a.PartNumber), aws.ToInt32(b.PartNumber))
	})
}

func (d *disk) AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput) error {
	rooted := *in
	rooted.Bucket = d.path(in.Bucket)
	return d.answer(d.posix.AbortMultipartUpload(ctx, &rooted))
}

func (d *disk) ListMultipartUploads(ctx context.Context, in *s3.ListMultipartUploadsInput) (s3response.ListMultipartUploadsResult, error) {
	rooted := *in
	rooted.Bucket = d.path(in.Bucket)
	out, err := d.posix.ListMultipartUploads(ctx, &rooted)
	out.Bucket = *in.Bucket
	return out, d.answer(err)
}

func (d *disk) ListParts(ctx context.Context, in *s3.ListPartsInput) (s3response.ListPartsResult, error) {
	rooted := *in
	rooted.Bucket = d.path(in.Bucket)
	out, err := d.posix.ListParts(ctx, &rooted)
	out.Bucket = *in.Bucket
	return out, d.answer(err)
}

// source opens what a copy reads. The posix backend's own copies take a source
// relative to the working directory only.
func (d *disk) source(ctx context.Context, header string, cond backend.PreConditions, byteRange *string) (*s3.GetObjectOutput, error) {
	bucket, key, version, err := backend.ParseCopySource(header)
	if err != nil {
		return nil, err
	}
	in := &s3.GetObjectInput{Bucket: d.path(&bucket), Key: &key, Range: byteRange}
	if version != "" {
		in.VersionId = &version
	}
	out, err := d.posix.GetObject(ctx, in)
	if err != nil {
		return nil, err
	}
	err = backend.EvaluatePreconditions(backend.GetStringFromPtr(out.ETag), *out.LastModified, cond)
	if err == nil && *out.ContentLength > copyLimit {
		err = s3err.GetCopySourceObjectTooLargeErr(copyLimit)
	}
	if err != nil {
		out.Body.Close()
		return nil, err
	}
	return out, nil
}

func (d *disk) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	out, err := d.copy(ctx, in)
	return out, d.answer(err)
}

func (d *disk) copy(ctx context.Context, in s3response.CopyObjectInput) (out s3response.CopyObjectOutput, err error) {
	bucket, key, _, err := backend.ParseCopySource(*in.CopySource)
	if err != nil {
		return out, err
	}
	if bucket == *in.Bucket && key == *in.Key && in.MetadataDirective != types.MetadataDirectiveReplace {
		return out, s3err.GetAPIError(s3err.ErrInvalidCopyDest)
	}
	src, err := d.source(ctx, *in.CopySource, backend.PreConditions{
		IfMatch: in.CopySourceIfMatch, IfNoneMatch: in.CopySourceIfNoneMatch,
		IfModSince: in.CopySourceIfModifiedSince, IfUnmodeSince: in.CopySourceIfUnmodifiedSince,
	}, nil)
	if err != nil {
		return out, err
	}
	defer src.Body.Close()
	put := copied(in, src)
	if in.TaggingDirective == types.TaggingDirectiveReplace {
		put.Tagging = in.Tagging
	} else if put.Tagging, err = d.tagsOf(ctx, bucket, key); err != nil {
		return out, err
	}
	stored, err := d.put(ctx, put, "ObjectCreated:Copy")
	if err != nil {
		return out, err
	}
	info, err := os.Stat(filepath.Join(d.at(*in.Bucket), *in.Key))
	if err != nil {
		return out, err
	}
	modified := info.ModTime()
	out.CopyObjectResult = &s3response.CopyObjectResult{
		ETag: &stored.ETag, LastModified: &modified, ChecksumType: stored.ChecksumType,
		ChecksumCRC32: stored.ChecksumCRC32, ChecksumCRC32C: stored.ChecksumCRC32C,
		ChecksumCRC64NVME: stored.ChecksumCRC64NVME, ChecksumSHA1: stored.ChecksumSHA1,
		ChecksumSHA256: stored.ChecksumSHA256,
	}
	return out, nil
}

// copied is the object that a copy stores.
func copied(in s3response.CopyObjectInput, src *s3.GetObjectOutput) s3response.PutObjectInput {
	put := s3response.PutObjectInput{
		Bucket: in.Bucket, Key: in.Key, Body: src.Body, ContentLength: src.ContentLength,
		ChecksumAlgorithm:       in.ChecksumAlgorithm,
		WebsiteRedirectLocation: in.WebsiteRedirectLocation,
	}
	if in.MetadataDirective == types.MetadataDirectiveReplace {
		put.ContentType, put.ContentEncoding, put.ContentLanguage = in.ContentType, in.ContentEncoding, in.ContentLanguage
		put.ContentDisposition, put.CacheControl, put.Expires = in.ContentDisposition, in.CacheControl, in.Expires
		put.Metadata = in.Metadata
		return put
	}
	put.ContentType, put.ContentEncoding, put.ContentLanguage = src.ContentType, src.ContentEncoding, src.ContentLanguage
	put.ContentDisposition, put.CacheControl, put.Expires = src.ContentDisposition, src.CacheControl, src.ExpiresString
	put.Metadata = src.Metadata
	return put
}

func (d *disk) UploadPartCopy(ctx context.Context, in *s3.UploadPartCopyInput) (s3response.CopyPartResult, error) {
	byteRange := in.CopySourceRange
	if backend.GetStringFromPtr(byteRange) == "" {
		byteRange = nil
	}
	src, err := d.source(ctx, *in.CopySource, backend.PreConditions{
		IfMatch: in.CopySourceIfMatch, IfNoneMatch: in.CopySourceIfNoneMatch,
		IfModSince: in.CopySourceIfModifiedSince, IfUnmodeSince: in.CopySourceIfUnmodifiedSince,
	}, byteRange)
	if err != nil {
		return s3response.CopyPartResult{}, d.answer(err)
	}
	defer src.Body.Close()
	body, err := d.summed(ctx, in, src.Body)
	if err != nil {
		return s3response.CopyPartResult{}, d.answer(err)
	}
	part, err := d.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: in.Bucket, Key: in.Key, UploadId: in.UploadId, PartNumber: in.PartNumber,
		Body: body, ContentLength: src.ContentLength,
	})
	if err != nil {
		return s3response.CopyPartResult{}, err
	}
	info, err := os.Stat(filepath.Join(d.at(*in.Bucket), uploadKey(*in.Key, *in.UploadId), strconv.Itoa(int(*in.PartNumber))))
	if err != nil {
		return s3response.CopyPartResult{}, d.answer(err)
	}
	return s3response.CopyPartResult{
		ETag: part.ETag, LastModified: info.ModTime(),
		ChecksumCRC32: part.ChecksumCRC32, ChecksumCRC32C: part.ChecksumCRC32C,
		ChecksumCRC64NVME: part.ChecksumCRC64NVME, ChecksumSHA1: part.ChecksumSHA1,
		ChecksumSHA256: part.ChecksumSHA256,
	}, nil
}

// summed is a part's content with the checksum that its upload asks of each part.
func (d *disk) summed(ctx context.Context, in *s3.UploadPartCopyInput, r io.Reader) (io.Reader, error) {
	upload, err := d.posix.ListParts(ctx, &s3.ListPartsInput{
		Bucket: d.path(in.Bucket), Key: in.Key, UploadId: in.UploadId, MaxParts: new(int32(1)),
	})
	if err != nil || upload.ChecksumAlgorithm == "" || upload.ChecksumAlgorithm == "null" {
		return r, err
	}
	algorithm := strings.ToLower(string(upload.ChecksumAlgorithm))
	h, err := utils.NewHashReader(r, "", utils.HashType(algorithm))
	if err != nil {
		return nil, err
	}
	return trailer{h, algorithm}, nil
}

// trailer states its checksum at its end, as uploads in chunks do.
type trailer struct {
	*utils.HashReader
	algorithm string
}

var _ middlewares.ChecksumReader = trailer{}

func (t trailer) Algorithm() string { return t.algorithm }
func (t trailer) Checksum() string  { return t.Sum() }
