package judge

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/dropstack/dropstack/internal/testkit"
)

// s3Calls name buckets by host: go-bucket.localhost.
func s3Calls(s *sdk) {
	config := s.config.Copy()
	at, err := url.Parse(s.world.AWS)
	if err != nil {
		s.Fatal(err)
	}
	config.BaseEndpoint = aws.String("http://localhost:" + at.Port())
	c := s3.NewFromConfig(config)
	bucket := aws.String("go-bucket")
	call(s, "create bucket", c.CreateBucket, &s3.CreateBucketInput{Bucket: bucket}, nil)
	fails(s, "a name that is none", "InvalidBucketName", s3.NewFromConfig(s.config, func(o *s3.Options) { o.UsePathStyle = true }).CreateBucket, &s3.CreateBucketInput{Bucket: aws.String("No_Bucket")})
	call(s, "head bucket", c.HeadBucket, &s3.HeadBucketInput{Bucket: bucket}, nil)
	call(s, "put", c.PutObject, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("a/1"), Body: strings.NewReader("one"), ContentType: aws.String("text/plain"), ChecksumAlgorithm: types.ChecksumAlgorithmSha256},
		func(out *s3.PutObjectOutput) error { return same(out.ChecksumSHA256 != nil, true) })
	fails(s, "put only if it is new", "PreconditionFailed", c.PutObject, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("a/1"), Body: strings.NewReader("other"), IfNoneMatch: aws.String("*")})
	fails(s, "put with a wrong checksum", "BadDigest", c.PutObject, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("a/2"), Body: strings.NewReader("two"), ContentMD5: aws.String("XUFAKrxLKna5cZ2REBfFkg==")})
	call(s, "get", c.GetObject, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("a/1")}, func(out *s3.GetObjectOutput) error {
		body, err := io.ReadAll(out.Body)
		if err != nil {
			return err
		}
		return same([]string{string(body), *out.ContentType}, []string{"one", "text/plain"})
	})
	fails(s, "get nothing", "NoSuchKey", c.GetObject, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("none")})
	fails(s, "head nothing", "NotFound", c.HeadObject, &s3.HeadObjectInput{Bucket: bucket, Key: aws.String("none")})
	s3Parts(s, c, bucket)
	s3Pages(s, c, bucket)
	s3Strangers(s, c, bucket)
	s3Notifies(s, c, bucket)

	list := call(s, "list everything", c.ListObjectsV2, &s3.ListObjectsV2Input{Bucket: bucket}, nil)
	var gone []types.ObjectIdentifier
	for _, o := range list.Contents {
		gone = append(gone, types.ObjectIdentifier{Key: o.Key})
	}
	call(s, "delete everything", c.DeleteObjects, &s3.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{Objects: gone}}, func(out *s3.DeleteObjectsOutput) error { return same(len(out.Errors), 0) })
	call(s, "delete bucket", c.DeleteBucket, &s3.DeleteBucketInput{Bucket: bucket}, nil)
	fails(s, "list what is gone", "NoSuchBucket", c.ListObjectsV2, &s3.ListObjectsV2Input{Bucket: bucket})
}

func s3Parts(s *sdk, c *s3.Client, bucket *string) {
	key := aws.String("parts")
	upload := call(s, "begin parts", c.CreateMultipartUpload, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key}, nil).UploadId
	var parts []types.CompletedPart
	for n, body := range [][]byte{bytes.Repeat([]byte("x"), 5<<20), []byte("end")} {
		number := aws.Int32(int32(n + 1))
		out := call(s, fmt.Sprintf("part %d", n+1), c.UploadPart, &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: upload, PartNumber: number, Body: bytes.NewReader(body)}, nil)
		parts = append(parts, types.CompletedPart{PartNumber: number, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32})
	}
	fails(s, "complete in the wrong order", "InvalidPartOrder", c.CompleteMultipartUpload, &s3.CompleteMultipartUploadInput{
		Bucket: bucket, Key: key, UploadId: upload, MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{parts[1], parts[0]}},
	})
	call(s, "complete parts", c.CompleteMultipartUpload, &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: key, UploadId: upload, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}}, nil)
	call(s, "head the whole", c.HeadObject, &s3.HeadObjectInput{Bucket: bucket, Key: key}, func(out *s3.HeadObjectOutput) error { return same(*out.ContentLength, int64(5<<20+3)) })
	fails(s, "list parts of what is complete", "NoSuchUpload", c.ListParts, &s3.ListPartsInput{Bucket: bucket, Key: key, UploadId: upload})
}

func s3Pages(s *sdk, c *s3.Client, bucket *string) {
	var keys []string
	pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: bucket, MaxKeys: aws.Int32(1)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(s.Context())
		if err != nil {
			s.judge("list by pages", false, err)
		}
		for _, o := range page.Contents {
			keys = append(keys, *o.Key)
		}
	}
	s.judge("list by pages", false, same(keys, []string{"a/1", "parts"}))
}

// s3Strangers come with a signed URL, or with keys of little use.
func s3Strangers(s *sdk, c *s3.Client, bucket *string) {
	signer := s3.NewPresignClient(c)
	get := func(u string) (string, error) {
		r, err := http.NewRequestWithContext(s.Context(), http.MethodGet, u, nil)
		if err != nil {
			return "", err
		}
		resp, err := testkit.Client().Do(r)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return string(body), err
	}
	signed, err := signer.PresignGetObject(s.Context(), &s3.GetObjectInput{Bucket: bucket, Key: aws.String("a/1")}, s3.WithPresignExpires(time.Minute))
	if err != nil {
		s.Fatal(err)
	}
	body, err := get(signed.URL)
	if err == nil {
		err = same(body, "one")
	}
	s.judge("get by a signed URL", false, err)
	body, err = get(strings.Replace(signed.URL, "X-Amz-Expires=60", "X-Amz-Expires=600", 1))
	if err == nil && !strings.Contains(body, "<Code>SignatureDoesNotMatch</Code>") {
		err = fmt.Errorf("it answered %.200s, want SignatureDoesNotMatch", body)
	}
	s.judge("a signed URL that was prolonged", true, err)

	users := iam.NewFromConfig(s.config)
	call(s, "a user", users.CreateUser, &iam.CreateUserInput{UserName: aws.String("go-s3")}, nil)
	call(s, "who may read below a/", users.PutUserPolicy, &iam.PutUserPolicyInput{UserName: aws.String("go-s3"), PolicyName: aws.String("a"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::go-bucket/a/*"},
		{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::go-bucket","Condition":{"StringLike":{"s3:prefix":"a/*"}}}]}`)}, nil)
	keys := call(s, "the user's keys", users.CreateAccessKey, &iam.CreateAccessKeyInput{UserName: aws.String("go-s3")}, nil).AccessKey
	config := s.as(keys.AccessKeyId, keys.SecretAccessKey, nil)
	theirs := s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
	call(s, "the user reads", theirs.GetObject, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("a/1")}, func(out *s3.GetObjectOutput) error { return out.Body.Close() })
	fails(s, "the user reads elsewhere", "AccessDenied", theirs.GetObject, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("parts")})
	call(s, "the user lists", theirs.ListObjectsV2, &s3.ListObjectsV2Input{Bucket: bucket, Prefix: aws.String("a/")}, nil)
	fails(s, "the user lists everything", "AccessDenied", theirs.ListObjectsV2, &s3.ListObjectsV2Input{Bucket: bucket})
	gone := &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("a/gone")}
	fails(s, "the user deletes", "AccessDenied", theirs.DeleteObject, gone)
	call(s, "a bucket's policy", c.PutBucketPolicy, &s3.PutBucketPolicyInput{Bucket: bucket, Policy: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
		"Principal":{"AWS":"arn:aws:iam::000000000000:user/go-s3"},"Action":"s3:DeleteObject","Resource":"arn:aws:s3:::go-bucket/a/*"}]}`)}, nil)
	call(s, "the user deletes by the bucket's policy", theirs.DeleteObject, gone, nil)
	fails(s, "a bucket's policy of another bucket", "MalformedPolicy", c.PutBucketPolicy, &s3.PutBucketPolicyInput{Bucket: bucket, Policy: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
		"Principal":{"AWS":"*"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::go-other/*"}]}`)})
	call(s, "no policy of the bucket", c.DeleteBucketPolicy, &s3.DeleteBucketPolicyInput{Bucket: bucket}, nil)
	fails(s, "get a policy that is none", "NoSuchBucketPolicy", c.GetBucketPolicy, &s3.GetBucketPolicyInput{Bucket: bucket})
}

// s3Notifies has an object call a function.
func s3Notifies(s *sdk, c *s3.Client, bucket *string) {
	function := aws.String("arn:aws:lambda:us-east-1:000000000000:function:" + s.world.function)
	call(s, "notify a function", c.PutBucketNotificationConfiguration, &s3.PutBucketNotificationConfigurationInput{Bucket: bucket, NotificationConfiguration: &types.NotificationConfiguration{
		LambdaFunctionConfigurations: []types.LambdaFunctionConfiguration{{LambdaFunctionArn: function, Events: []types.Event{types.EventS3ObjectRemoved}}},
	}}, nil)
	call(s, "an object goes", c.DeleteObject, &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("parts")}, nil)
	logs := cloudwatchlogs.NewFromConfig(s.config)
	s.eventually("the function was told", func() (bool, error) { return printed(s.Context(), logs, s.world.function, `ObjectRemoved`) })
}

// printed reports whether a function has printed a text. Its log is there with the
// first line.
func printed(ctx context.Context, logs *cloudwatchlogs.Client, function, text string) (bool, error) {
	out, err := logs.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("/aws/lambda/" + function), FilterPattern: aws.String(`"` + text + `"`)})
	if err != nil {
		if coded(err, "ResourceNotFoundException") == nil {
			err = nil
		}
		return false, err
	}
	return len(out.Events) > 0, nil
}
