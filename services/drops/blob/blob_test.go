package blob_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/dropstack/dropstack/services/drops/blob"
)

func TestDir(t *testing.T) {
	d := blob.Dir(t.TempDir())
	conformance(t, d, "bucket")
	for _, key := range []string{"", "../x", "a/../../../x", "/etc/passwd", "a/", "a\x00"} {
		if err := d.Put(t.Context(), "bucket", key, "", 1, strings.NewReader("x")); err == nil {
			t.Errorf("key %q: got no error, want a refusal", key)
		}
	}
	if err := d.Put(t.Context(), "bucket", "short", "", 5, strings.NewReader("x")); err == nil {
		t.Error("fewer bytes than announced: got no error")
	}
	if _, err := d.Head(t.Context(), "bucket", "short"); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("after a short put: got %v, want nothing stored", err)
	}
}

// TestS3 needs an object store: DROPS_TEST_S3=http://127.0.0.1:4566, keys in
// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
func TestS3(t *testing.T) {
	endpoint := os.Getenv("DROPS_TEST_S3")
	if endpoint == "" {
		t.Skip("not run: no object store is named by DROPS_TEST_S3; TestDropsUseTheObjectStore in cmd/dropstack runs this against a platform")
	}
	client := s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), ""),
	})
	bucket := "drops-conformance"
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	s := blob.S3{Client: client}
	conformance(t, s, bucket)
	presigned(t, s, bucket)
	if _, err := client.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: &bucket}); err != nil {
		t.Errorf("the bucket is not empty at the end: %v", err)
	}
}

func presigned(t *testing.T, s blob.S3, bucket string) {
	t.Helper()
	if err := s.Put(t.Context(), bucket, "uploads/x", "text/html", 5, strings.NewReader("hello")); err != nil {
		t.Fatal(err)
	}
	link, err := s.Presign(t.Context(), bucket, "uploads/x", "text/plain", `attachment; filename="a b"`, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r.Body)
	if err = errors.Join(err, r.Body.Close(), s.Delete(t.Context(), bucket, "uploads/x")); err != nil || string(b) != "hello" ||
		r.Header.Get("Content-Type") != "text/plain" || r.Header.Get("Content-Disposition") != `attachment; filename="a b"` {
		t.Errorf("presigned: got %d %q %v, %v", r.StatusCode, b, r.Header, err)
	}
}

func conformance(t *testing.T, s blob.Store, bucket string) {
	t.Helper()
	ctx, text := t.Context(), "0123456789"
	keys := []string{"derived/a/1/x.txt", "uploads/ä ö+%.txt", "uploads/empty"}
	for _, key := range keys[:2] {
		if err := s.Put(ctx, bucket, key, "text/plain", int64(len(text)), strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Put(ctx, bucket, keys[2], "text/plain", 0, strings.NewReader("")); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys[:2] {
		if o, err := s.Head(ctx, bucket, key); err != nil || o.Size != 10 || o.Modified.IsZero() {
			t.Errorf("head %s: got %+v, %v, want 10 bytes", key, o, err)
		}
		for _, c := range []struct {
			off, n int64
			want   string
		}{{0, -1, text}, {3, -1, "3456789"}, {2, 3, "234"}, {8, 10, "89"}, {0, 0, ""}} {
			r, err := s.Get(ctx, bucket, key, c.off, c.n)
			if err != nil {
				t.Errorf("get %s from %d, %d bytes: %v", key, c.off, c.n, err)
				continue
			}
			b, err := io.ReadAll(r)
			if err = errors.Join(err, r.Close()); err != nil || string(b) != c.want {
				t.Errorf("get %s from %d, %d bytes: got %q, %v, want %q", key, c.off, c.n, b, err, c.want)
			}
		}
	}
	for limit, whole := range map[int64]bool{9: false, 10: true, 11: true} {
		if b, all, err := blob.Read(ctx, s, bucket, keys[0], limit); err != nil || all != whole || int64(len(b)) != min(limit, 10) {
			t.Errorf("read at most %d: got %d bytes, whole %v, %v, want %v", limit, len(b), all, err, whole)
		}
	}
	if b, whole, err := blob.Read(ctx, s, bucket, keys[2], 5); err != nil || !whole || len(b) != 0 {
		t.Errorf("read the empty object: got %d bytes, %v, %v", len(b), whole, err)
	}
	at := &blob.ReaderAt{Ctx: ctx, Store: s, Bucket: bucket, Key: keys[0], Size: 10}
	if b, err := io.ReadAll(io.NewSectionReader(at, 4, 100)); err != nil || string(b) != "456789" {
		t.Errorf("ReaderAt: got %q, %v", b, err)
	}
	var seen []string
	each := func(o blob.Object) error { seen = append(seen, o.Key); return nil }
	if err := s.Each(ctx, bucket, "uploads/", each); err != nil || !slices.Equal(seen, []string{keys[2], keys[1]}) && !slices.Equal(seen, keys[1:]) {
		t.Errorf("each: got %q, %v, want %q", seen, err, keys[1:])
	}
	for _, key := range append(keys, "never/was") {
		if err := s.Delete(ctx, bucket, key); err != nil {
			t.Errorf("delete %s: %v", key, err)
		}
	}
	if _, err := s.Head(ctx, bucket, keys[0]); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("head of the deleted: got %v, want ErrNotFound", err)
	}
	if _, err := s.Get(ctx, bucket, keys[0], 0, -1); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("get of the deleted: got %v, want ErrNotFound", err)
	}
	if got := blob.EscapeKey("a b/c%?"); got != "a%20b/c%25%3F" {
		t.Errorf("EscapeKey: got %s", got)
	}
}
