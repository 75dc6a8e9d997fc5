package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/testkit"
)

var (
	admin    = aws.Credentials{AccessKeyID: "AKIAADMIN", SecretAccessKey: "admin-secret"}
	function = aws.Credentials{AccessKeyID: "ASIAFUNCTION", SecretAccessKey: "function-secret", SessionToken: "function-token"}
)

func s3Client(t testing.TB, e *engine.Engine, c aws.Credentials) *s3.Client {
	t.Helper()
	srv := httptest.NewServer(e.Objects.Handler)
	t.Cleanup(srv.Close)
	return clientOf(srv, c)
}

func clientOf(srv *httptest.Server, c aws.Credentials) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &srv.URL, Region: "us-east-1", UsePathStyle: true, HTTPClient: testkit.AWSClient(),
		Credentials:                aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, nil }),
		Retryer:                    aws.NopRetryer{},
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
	})
}

func TestTheOfficialClient(t *testing.T) {
	for name, tt := range map[string]struct {
		creds   aws.Credentials
		virtual bool // the host names the bucket
	}{"administrator": {admin, false}, "function": {function, false}, "virtual hosts": {admin, true}} {
		t.Run(name, func(t *testing.T) {
			seen := &events{}
			e := open(t, t.TempDir(), seen.on)
			client := s3Client(t, e, tt.creds)
			if tt.virtual {
				o := client.Options()
				o.UsePathStyle = false
				*o.BaseEndpoint = strings.Replace(*o.BaseEndpoint, "127.0.0.1", "s3.localhost", 1)
				client = s3.New(o)
			}
			useEverything(t, client)
			want := []string{
				"ObjectCreated:Put drops/dir/a b+ü.txt", "ObjectCreated:Copy drops/copy", "ObjectCreated:CompleteMultipartUpload drops/big",
				"ObjectCreated:CompleteMultipartUpload drops/big",
				"ObjectRemoved:Delete drops/copy", "ObjectRemoved:Delete drops/big", "ObjectRemoved:Delete drops/dir/a b+ü.txt",
			}
			if diff := cmp.Diff(want, seen.take()); diff != "" {
				t.Error("events:", diff)
			}
		})
	}
}

func useEverything(t *testing.T, client *s3.Client) {
	ctx, bucket, key := t.Context(), aws.String("drops"), aws.String("dir/a b+ü.txt")
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket})
	must("create the bucket", err)
	_, err = client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: bucket, Key: key, Body: strings.NewReader("0123456789"),
		ContentType: aws.String("text/plain"), Metadata: map[string]string{"owner": "me"}, Tagging: aws.String("a=b"),
	})
	must("put", err)
	got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key, Range: aws.String("bytes=2-4")})
	must("get a range", err)
	if b, err := io.ReadAll(got.Body); err != nil || string(b) != "234" || *got.ContentRange != "bytes 2-4/10" {
		t.Errorf("range: got %q of %s, %v", b, *got.ContentRange, err)
	}
	head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: key})
	must("head", err)
	if *head.ContentType != "text/plain" || *head.ContentLength != 10 || head.Metadata["owner"] != "me" {
		t.Errorf("head: got %s, %d bytes, %v", *head.ContentType, *head.ContentLength, head.Metadata)
	}
	_, err = client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: bucket, Key: aws.String("copy"), CopySource: aws.String("drops/dir/a%20b%2B%C3%BC.txt")})
	must("copy", err)
	head, err = client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: aws.String("copy")})
	must("head of the copy", err)
	tags, err := client.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: bucket, Key: aws.String("copy")})
	must("tags of the copy", err)
	if *head.ContentType != "text/plain" || *head.ContentLength != 10 || head.Metadata["owner"] != "me" || len(tags.TagSet) != 1 {
		t.Errorf("copy: got %s, %d bytes, %v, tags %v", *head.ContentType, *head.ContentLength, head.Metadata, tags.TagSet)
	}
	multipart(t, client, bucket, "", must)
	multipart(t, client, bucket, types.ChecksumAlgorithmCrc32, must)
	list, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket})
	must("list", err)
	var keys []string
	for _, o := range list.Contents {
		keys = append(keys, fmt.Sprint(*o.Key, " ", *o.Size))
	}
	if diff := cmp.Diff([]string{"big 10485770", "copy 10", "dir/a b+ü.txt 10"}, keys); diff != "" || *list.Name != "drops" {
		t.Errorf("list of %s: %s", *list.Name, diff)
	}
	_, err = client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("copy")})
	must("delete", err)
	all, err := client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{
		{Key: aws.String("big")}, {Key: key}, {Key: aws.String("gone already")},
	}}})
	must("delete several", err)
	if len(all.Deleted) != 3 || len(all.Errors) > 0 {
		t.Errorf("deleted %d, errors %v", len(all.Deleted), all.Errors)
	}
	_, err = client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key})
	if _, ok := errors.AsType[*types.NoSuchKey](err); !ok {
		t.Errorf("get of a deleted object: got %v, want NoSuchKey", err)
	}
	buckets, err := client.ListBuckets(ctx, nil)
	must("list the buckets", err)
	if len(buckets.Buckets) != 1 || *buckets.Buckets[0].Name != "drops" {
		t.Errorf("buckets: got %v", buckets.Buckets)
	}
	_, err = client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket})
	must("delete the bucket", err)
}

func multipart(t *testing.T, client *s3.Client, bucket *string, sum types.ChecksumAlgorithm, must func(string, error)) {
	ctx, key := t.Context(), aws.String("big")
	upload, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key, ChecksumAlgorithm: sum})
	must("begin the upload", err)
	if *upload.Bucket != "drops" {
		t.Errorf("upload to %s", *upload.Bucket)
	}
	var done types.CompletedMultipartUpload
	for n := int32(1); n <= 2; n++ {
		part, err := client.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: bucket, Key: key, UploadId: upload.UploadId, PartNumber: &n, Body: bytes.NewReader(make([]byte, 5<<20)),
		})
		must("upload a part", err)
		done.Parts = append(done.Parts, types.CompletedPart{PartNumber: aws.Int32(n), ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32})
	}
	copied, err := client.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
		Bucket: bucket, Key: key, UploadId: upload.UploadId, PartNumber: aws.Int32(3), CopySource: aws.String("drops/copy"),
	})
	must("copy a part", err)
	done.Parts = append(done.Parts, types.CompletedPart{PartNumber: aws.Int32(3), ETag: copied.CopyPartResult.ETag, ChecksumCRC32: copied.CopyPartResult.ChecksumCRC32})
	if sum == "" {
		for i := range done.Parts {
			done.Parts[i].ChecksumCRC32 = nil // the client's own affair
		}
	}
	_, err = client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: bucket, Key: key, UploadId: upload.UploadId, MultipartUpload: &done,
	})
	must("complete the upload", err)
}

func TestPresignedURLs(t *testing.T) {
	for name, creds := range map[string]aws.Credentials{"administrator": admin, "function": function} {
		t.Run(name, func(t *testing.T) {
			e := open(t, t.TempDir(), nil)
			bucket(t, e)
			client := s3Client(t, e, creds)
			sign := s3.NewPresignClient(client)
			up, err := sign.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("drops"), Key: aws.String("a b")})
			if err != nil {
				t.Fatal(err)
			}
			if status, body := do(t, "PUT", up.URL, "content"); status != 200 {
				t.Errorf("put: %d %s", status, body)
			}
			down, err := sign.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("drops"), Key: aws.String("a b")})
			if err != nil {
				t.Fatal(err)
			}
			if status, body := do(t, "GET", down.URL, ""); status != 200 || body != "content" {
				t.Errorf("get: %d %s", status, body)
			}
			if status, _ := do(t, "GET", strings.Replace(down.URL, "a%20b", "other", 1), ""); status != 403 {
				t.Errorf("get of another key: %d, want 403", status)
			}
		})
	}
}

func do(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestABucketsPolicyNamesPrincipalsByARN(t *testing.T) {
	e := open(t, t.TempDir(), nil)
	client := s3Client(t, e, admin)
	if err := e.Objects.CreateBucket(t.Context(), "bbb"); err != nil {
		t.Fatal(err)
	}
	want := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::000000000000:user/a","arn:aws:iam::000000000000:role/b"]},"Action":"s3:GetObject","Resource":"arn:aws:s3:::bbb/*"}]}`
	if _, err := client.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String("bbb"), Policy: &want}); err != nil {
		t.Fatal(err)
	}
	out, err := client.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: aws.String("bbb")})
	if err != nil {
		t.Fatal(err)
	}
	if got := aws.ToString(out.Policy); got != want {
		t.Errorf("the policy is %s, want %s", got, want)
	}
}

func TestPartsInTheWrongOrderAreRefused(t *testing.T) {
	e := open(t, t.TempDir(), nil)
	client := s3Client(t, e, admin)
	if err := e.Objects.CreateBucket(t.Context(), "bbb"); err != nil {
		t.Fatal(err)
	}
	bucket, key := aws.String("bbb"), aws.String("k")
	upload, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	var parts []types.CompletedPart
	for n, body := range [][]byte{make([]byte, 5<<20), []byte("end")} {
		number := aws.Int32(int32(n + 1))
		out, err := client.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: upload.UploadId, PartNumber: number, Body: bytes.NewReader(body)})
		if err != nil {
			t.Fatal(err)
		}
		parts = append([]types.CompletedPart{{PartNumber: number, ETag: out.ETag}}, parts...)
	}
	_, err = client.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: bucket, Key: key, UploadId: upload.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	if known, ok := errors.AsType[smithy.APIError](err); !ok || known.ErrorCode() != "InvalidPartOrder" {
		t.Errorf("the parts 2, 1: %v, want InvalidPartOrder", err)
	}
}

// Go's client would not tell: it makes header names its own way.
func TestMetadataNamesAreLowerCase(t *testing.T) {
	e := open(t, t.TempDir(), nil)
	srv := httptest.NewServer(e.Objects.Handler)
	t.Cleanup(srv.Close)
	client := clientOf(srv, admin)
	if err := e.Objects.CreateBucket(t.Context(), "bbb"); err != nil {
		t.Fatal(err)
	}
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("bbb"), Key: aws.String("k"), Metadata: map[string]string{"Team": "shop"}}); err != nil {
		t.Fatal(err)
	}
	signed, err := s3.NewPresignClient(client).PresignHeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("bbb"), Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(signed.URL)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "HEAD %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", u.RequestURI(), u.Host)
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(answer), "\r\nx-amz-meta-team: shop\r\n") {
		t.Errorf("the answer's header is %q, want x-amz-meta-team in it", answer)
	}
}

func TestStrangersAreRefused(t *testing.T) {
	e := open(t, t.TempDir(), nil)
	bucket(t, e)
	put(t, e, "drops", "k", "x")
	srv := httptest.NewServer(e.Objects.Handler)
	defer srv.Close()
	for name, c := range map[string]aws.Credentials{
		"wrong secret":              {AccessKeyID: "AKIAADMIN", SecretAccessKey: "guess"},
		"unknown key":               {AccessKeyID: "AKIANOBODY", SecretAccessKey: "guess"},
		"the server's own":          {AccessKeyID: "dropstack", SecretAccessKey: "guess"},
		"a function without token":  {AccessKeyID: "ASIAFUNCTION", SecretAccessKey: "function-secret"},
		"a function, another token": {AccessKeyID: "ASIAFUNCTION", SecretAccessKey: "function-secret", SessionToken: "other"},
	} {
		_, err := clientOf(srv, c).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("drops"), Key: aws.String("k")})
		var status interface{ HTTPStatusCode() int }
		if !errors.As(err, &status) || status.HTTPStatusCode() != 403 && status.HTTPStatusCode() != 400 {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
	}
	if status, _ := do(t, "GET", srv.URL+"/drops/k", ""); status != 403 {
		t.Errorf("no credentials: %d, want 403", status)
	}
	if status, _ := do(t, "PATCH", srv.URL+"/create-user", "<Account/>"); status < 400 {
		t.Errorf("administration of users: %d, want a refusal", status)
	}
}

func TestErrorsNameTheBucketOnly(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, nil)
	_, err := s3Client(t, e, admin).ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("nowhere")})
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != "NoSuchBucket" || strings.Contains(err.Error(), dir) {
		t.Errorf("got %v, want NoSuchBucket without our path", err)
	}
}

// unseekable hides what a reader can do besides.
type unseekable struct{ io.Reader }

func TestUnsignedTrailersAndExpectPassThrough(t *testing.T) {
	e := open(t, t.TempDir(), nil)
	bucket(t, e)
	// Over TLS the client leaves the body unsigned and puts its checksum behind it.
	srv := httptest.NewTLSServer(e.Objects.Handler)
	defer srv.Close()
	client := clientOf(srv, admin)
	var expected string
	_, err := client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("drops"), Key: aws.String("big"), ContentLength: aws.Int64(3 << 20),
		Body: unseekable{bytes.NewReader(make([]byte, 3<<20))},
	}, func(o *s3.Options) {
		o.HTTPClient = spy{srv.Client(), func(r *http.Request) {
			expected = r.Header.Get("Expect") + " " + r.Header.Get("X-Amz-Content-Sha256") + " " + r.Header.Get("X-Amz-Trailer")
		}}
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := "100-continue STREAMING-UNSIGNED-PAYLOAD-TRAILER x-amz-checksum-crc32"; expected != want {
		t.Errorf("the client sent %q, want %q: the test tests something else", expected, want)
	}
	if o, err := e.Objects.Stat(t.Context(), "drops", "big"); err != nil || o.Size != 3<<20 {
		t.Errorf("stored %d bytes, %v, want %d", o.Size, err, 3<<20)
	}
}

type spy struct {
	client *http.Client
	see    func(*http.Request)
}

func (s spy) Do(r *http.Request) (*http.Response, error) {
	s.see(r)
	return s.client.Do(r)
}

func TestAnUploadCutShortLeavesNothing(t *testing.T) {
	seen := &events{}
	e := open(t, t.TempDir(), seen.on)
	bucket(t, e)
	srv := httptest.NewServer(e.Objects.Handler)
	up, err := s3.NewPresignClient(clientOf(srv, admin)).PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("drops"), Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(up.URL, srv.URL)
	if _, err := fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 1000000\r\n\r\nonly this", path, srv.Listener.Addr()); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	srv.Close()  // waits for the request
	closed(t, e) // and for its end at the store
	if got := seen.take(); len(got) > 0 {
		t.Errorf("got %v, want nothing stored", got)
	}
}

func TestARefusedEventFailsTheRequest(t *testing.T) {
	e := open(t, t.TempDir(), (&events{fail: errors.New("the queue is away")}).on)
	bucket(t, e)
	_, err := s3Client(t, e, admin).PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("drops"), Key: aws.String("k"), Body: strings.NewReader("x")})
	var status interface{ HTTPStatusCode() int }
	if !errors.As(err, &status) || status.HTTPStatusCode() < 500 || strings.Contains(err.Error(), "queue") {
		t.Errorf("got %v, want a 5xx that tells nothing", err)
	}
}
