package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// keys are two accounts: the administrator's, and a function's with its token.
type keys struct{}

func (keys) Account(id string) (secret, token string, admin, ok bool) {
	switch id {
	case "AKIAADMIN":
		return "admin secret", "", true, true
	case "ASIAFUNCTION":
		return "function secret", "function token", false, true
	}
	return "", "", false, false
}

// home is a data directory, and the way back for the test's working directory,
// which the object store moves.
func home(t testing.TB) string {
	t.Helper()
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Cleanup(func() { _ = os.Chdir(wd) })
	return dir
}

func open(t testing.TB, dir string, onObject func(engine.ObjectEvent) error) *engine.Engine {
	t.Helper()
	e, err := engine.Open(t.Context(), engine.Config{Dir: dir, Region: "us-east-1", Log: logger(t), Accounts: keys{}, OnObject: onObject})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func closeEngine(t testing.TB, e *engine.Engine) {
	t.Helper()
	if err := e.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func TestLockIsExclusive(t *testing.T) {
	dir := t.TempDir()
	first, err := engine.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = engine.Lock(dir)
	if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) {
		t.Errorf("second lock: got %v, want a conflict that names the process", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := engine.Lock(dir)
	if err != nil {
		t.Fatalf("after it was let go: %v", err)
	}
	_ = again.Close()
}

func TestEverythingIsThereAfterReopening(t *testing.T) {
	dir, ctx := home(t), t.Context()
	e := open(t, dir, nil)
	if _, err := e.Streams.CreateStream(ctx, jetstream.StreamConfig{Name: "s", Subjects: []string{"s"}, AllowAtomicPublish: true}); err != nil {
		t.Fatal(err)
	}
	a := engine.NewAppender(e.Streams, "s")
	for i := range 10 {
		if _, err := a.Append(ctx, "s", nil, fmt.Appendf(nil, "m%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Objects.CreateBucket(ctx, "kept"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Objects.Put(ctx, "kept", "a/b", strings.NewReader("content"), 7, engine.PutOptions{ContentType: "text/plain", Metadata: map[string]string{"k": "v"}}); err != nil {
		t.Fatal(err)
	}
	closeEngine(t, e)

	e = open(t, dir, nil)
	defer closeEngine(t, e)
	stream, err := e.Streams.Stream(ctx, "s")
	if err != nil {
		t.Fatal(err)
	}
	if got := stream.CachedInfo().State.Msgs; got != 10 {
		t.Errorf("messages: got %d, want 10", got)
	}
	o, err := e.Objects.Stat(ctx, "kept", "a/b")
	if err != nil {
		t.Fatal(err)
	}
	if o.Size != 7 || o.ContentType != "text/plain" || o.Metadata["k"] != "v" || o.ETag == "" {
		t.Errorf("object: got %+v", o)
	}
}

func TestConcurrentAppendsAreAllStoredInBatches(t *testing.T) {
	dir, ctx := home(t), t.Context()
	e := open(t, dir, nil)
	defer closeEngine(t, e)
	stream, err := e.Streams.CreateStream(ctx, jetstream.StreamConfig{Name: "s", Subjects: []string{"s"}, AllowAtomicPublish: true})
	if err != nil {
		t.Fatal(err)
	}
	a := engine.NewAppender(e.Streams, "s")
	var mu sync.Mutex
	got := map[uint64]string{}
	var wg sync.WaitGroup
	for w := range 100 { // enough to be batched
		wg.Go(func() {
			for n := range 10 {
				body := fmt.Sprintf("%d-%d", w, n)
				seq, err := a.Append(ctx, "s", nats.Header{"X-Test": {body}}, []byte(body))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				got[seq] = body
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1000 {
		t.Fatalf("got %d different sequences, want 1000", len(got))
	}
	for seq, body := range got {
		msg, err := stream.GetMsg(ctx, seq)
		if err != nil {
			t.Fatal(err)
		}
		if string(msg.Data) != body || msg.Header.Get("X-Test") != body {
			t.Fatalf("sequence %d: got %q, want %q", seq, msg.Data, body)
		}
	}
	if _, err := a.Append(ctx, "s", nil, nil); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("after close: got %v", err)
	}
}

func TestAppendFailureReachesEveryMember(t *testing.T) {
	dir, ctx := home(t), t.Context()
	e := open(t, dir, nil)
	defer closeEngine(t, e)
	a := engine.NewAppender(e.Streams, "missing")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := a.Append(ctx, "nowhere", nil, []byte("x")); err == nil {
				t.Error("an append to no stream was acknowledged")
			}
		})
	}
	wg.Wait()
}

func TestPutKeepsNothingWhenTheReaderFails(t *testing.T) {
	dir, ctx := home(t), t.Context()
	e := open(t, dir, nil)
	defer closeEngine(t, e)
	if err := e.Objects.CreateBucket(ctx, "b"+"ucket"); err != nil {
		t.Fatal(err)
	}
	cut := errors.New("cut")
	for _, size := range []int64{-1, 100} {
		r := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(cut))
		if _, err := e.Objects.Put(ctx, "bucket", "k", r, size, engine.PutOptions{}); !errors.Is(err, cut) {
			t.Errorf("size %d: got %v, want the reader's error", size, err)
		}
		if _, err := e.Objects.Stat(ctx, "bucket", "k"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("size %d: stat got %v, want not found", size, err)
		}
	}
}

func TestObjectsReadBack(t *testing.T) {
	dir, ctx := home(t), t.Context()
	var events []engine.ObjectEvent
	e := open(t, dir, func(ev engine.ObjectEvent) error { events = append(events, ev); return nil })
	defer closeEngine(t, e)
	if err := e.Objects.CreateBucket(ctx, "bucket"); err != nil {
		t.Fatal(err)
	}
	if err := e.Objects.CreateBucket(ctx, "bucket"); err != nil {
		t.Errorf("creating it again: %v", err)
	}
	// an upper bound is enough, and so is nothing
	for i, size := range []int64{10, 5000, -1} {
		key := fmt.Sprintf("k%d", i)
		o, err := e.Objects.Put(ctx, "bucket", key, strings.NewReader("0123456789"), size, engine.PutOptions{})
		if err != nil || o.Size != 10 {
			t.Fatalf("size %d: %+v, %v", size, o, err)
		}
		for _, tt := range []struct {
			offset, length int64
			want           string
		}{{0, -1, "0123456789"}, {3, -1, "3456789"}, {2, 3, "234"}, {9, 1, "9"}, {0, 10, "0123456789"}} {
			got, body, err := e.Objects.Get(ctx, "bucket", key, tt.offset, tt.length)
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(body)
			_ = body.Close()
			if err != nil || string(content) != tt.want || got.Size != 10 || got.ETag != o.ETag {
				t.Errorf("%s from %d, %d long: got %q, %+v, %v", key, tt.offset, tt.length, content, got, err)
			}
		}
	}
	for range 2 {
		if err := e.Objects.Delete(ctx, "bucket", "k0"); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := e.Objects.Get(ctx, "bucket", "k0", 0, -1); fault.KindOf(err) != fault.NotFound {
		t.Errorf("deleted: got %v", err)
	}
	if _, err := e.Objects.Put(ctx, "nobucket", "k", strings.NewReader(""), 0, engine.PutOptions{}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("no such bucket: got %v", err)
	}
	var names []string
	for _, ev := range events {
		names = append(names, ev.Name+" "+ev.Key)
	}
	want := []string{"ObjectCreated:Put k0", "ObjectCreated:Put k1", "ObjectCreated:Put k2", "ObjectRemoved:Delete k0"}
	if !slices.Equal(names, want) {
		t.Errorf("events: got %q, want %q", names, want)
	}
}

func TestLargePutIsFlatInMemory(t *testing.T) {
	dir, ctx := home(t), t.Context()
	e := open(t, dir, nil)
	defer closeEngine(t, e)
	if err := e.Objects.CreateBucket(ctx, "bucket"); err != nil {
		t.Fatal(err)
	}
	const size = 200 << 20
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	src := rand.NewChaCha8([32]byte{})
	if _, err := e.Objects.Put(ctx, "bucket", "large", io.LimitReader(src, size), size, engine.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 50<<20 {
		t.Errorf("the heap grew by %d MB for an object of 200 MB", grown>>20)
	}
}

// client is the official client with an account's key.
func client(url string, c aws.Credentials) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &url, Region: "us-east-1", UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, nil }),
	})
}

func TestOfficialClientAgrees(t *testing.T) {
	dir, ctx := home(t), t.Context()
	refuse := ""
	e := open(t, dir, func(ev engine.ObjectEvent) error {
		if ev.Key == refuse {
			return errors.New("the event cannot be queued")
		}
		return nil
	})
	defer closeEngine(t, e)
	srv := httptest.NewServer(e.Objects.Handler)
	defer srv.Close()
	admin := client(srv.URL, aws.Credentials{AccessKeyID: "AKIAADMIN", SecretAccessKey: "admin secret"})
	function := client(srv.URL, aws.Credentials{AccessKeyID: "ASIAFUNCTION", SecretAccessKey: "function secret", SessionToken: "function token"})
	if _, err := admin.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("made")}); err != nil {
		t.Fatal(err)
	}
	if err := e.Objects.CreateBucket(ctx, "ours"); err != nil {
		t.Fatal(err)
	}
	for _, bucket := range []string{"made", "ours"} {
		for name, c := range map[string]*s3.Client{"admin": admin, "function": function} {
			key := aws.String("dir with space/" + name + "+ü.txt")
			if _, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: key, Body: strings.NewReader("0123456789")}); err != nil {
				t.Fatalf("%s puts into %s: %v", name, bucket, err)
			}
			out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: key, Range: aws.String("bytes=2-4")})
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(out.Body); err != nil || string(body) != "234" {
				t.Errorf("range: got %q, %v", body, err)
			}
		}
		list, err := function.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket})
		if err != nil || len(list.Contents) != 2 {
			t.Errorf("list %s: %v, %d objects", bucket, err, len(list.Contents))
		}
	}
	multipart(t, function)
	presigned(t, admin)
	if _, err := admin.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String("made"), Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("dir with space/admin+ü.txt")}}}}); err != nil {
		t.Error(err)
	}
	refuse = "refused"
	if _, err := admin.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("made"), Key: &refuse, Body: strings.NewReader("x")}); err == nil {
		t.Error("an object whose event could not be queued was acknowledged")
	}
	for name, c := range map[string]aws.Credentials{
		"wrong secret":  {AccessKeyID: "AKIAADMIN", SecretAccessKey: "other"},
		"unknown key":   {AccessKeyID: "AKIANOBODY", SecretAccessKey: "other"},
		"without token": {AccessKeyID: "ASIAFUNCTION", SecretAccessKey: "function secret"},
		"wrong token":   {AccessKeyID: "ASIAFUNCTION", SecretAccessKey: "function secret", SessionToken: "other"},
	} {
		if _, err := client(srv.URL, c).ListBuckets(ctx, &s3.ListBucketsInput{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	resp, err := http.Get(srv.URL + "/made")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("without a signature: got %d, want 403", resp.StatusCode)
	}
}

func multipart(t *testing.T, c *s3.Client) {
	t.Helper()
	ctx, bucket, key := t.Context(), aws.String("made"), aws.String("multi")
	up, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	part := bytes.Repeat([]byte("part"), 5<<18)
	var done []types.CompletedPart
	for n := int32(1); n <= 2; n++ {
		out, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: up.UploadId, PartNumber: &n, Body: bytes.NewReader(part)})
		if err != nil {
			t.Fatal(err)
		}
		done = append(done, types.CompletedPart{ETag: out.ETag, PartNumber: &n})
	}
	if _, err := c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: key, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: done}}); err != nil {
		t.Fatal(err)
	}
	head, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: key})
	if err != nil || aws.ToInt64(head.ContentLength) != int64(2*len(part)) {
		t.Errorf("multipart: %v, %d bytes, want %d", err, aws.ToInt64(head.ContentLength), 2*len(part))
	}
}

func presigned(t *testing.T, c *s3.Client) {
	t.Helper()
	sign := s3.NewPresignClient(c)
	put, err := sign.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("made"), Key: aws.String("presigned")})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), put.Method, put.URL, strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	get, err := sign.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("made"), Key: aws.String("presigned")})
	if err != nil {
		t.Fatal(err)
	}
	got, err := http.Get(get.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if body, err := io.ReadAll(got.Body); err != nil || resp.StatusCode != 200 || string(body) != "hello" {
		t.Errorf("presigned: put %d, got %q, %v", resp.StatusCode, body, err)
	}
}

func BenchmarkAppend(b *testing.B) {
	e := open(b, home(b), nil)
	defer closeEngine(b, e)
	ctx := b.Context()
	if _, err := e.Streams.CreateStream(ctx, jetstream.StreamConfig{Name: "s", Subjects: []string{"s"}, AllowAtomicPublish: true}); err != nil {
		b.Fatal(err)
	}
	body := bytes.Repeat([]byte("x"), 200)
	for _, n := range []int{1, 32, 256} {
		b.Run(fmt.Sprintf("appender/%d", n), func(b *testing.B) {
			a := engine.NewAppender(e.Streams, "s")
			concurrently(b, n, func() error { _, err := a.Append(ctx, "s", nil, body); return err })
		})
		b.Run(fmt.Sprintf("raw/%d", n), func(b *testing.B) {
			concurrently(b, n, func() error { _, err := e.Streams.Publish(ctx, "s", body); return err })
		})
	}
}

func concurrently(b *testing.B, n int, f func() error) {
	var wg sync.WaitGroup
	work := make(chan struct{})
	for range n {
		wg.Go(func() {
			for range work {
				if err := f(); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for b.Loop() {
		work <- struct{}{}
	}
	close(work)
	wg.Wait()
}
