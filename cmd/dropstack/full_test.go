//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/testkit"
)

// TestAFullDiskIsLoud fills a small disk: uploads and publishes fail with words,
// what was acknowledged stays, and with room everything works again.
func TestAFullDiskIsLoud(t *testing.T) {
	t.Parallel() // most of it is waiting for the engine to give up
	dir := testkit.Dir(t)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=160m,mode=711"); err != nil {
		t.Skipf("not run: a small disk of its own cannot be mounted here (%v): only root can", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }) // after the platform is gone
	p := testkit.Start(t, dir)
	if out, errs, code := p.Run(t, "", "deploy", filepath.Join(testkit.Root(t), "cmd/dropstack/testdata/recorder")); code != 0 {
		t.Fatalf("deploy recorder: exit %d\n%s%s", code, out, errs)
	}
	content := make([]byte, 4<<20)
	if _, err := rand.Read(content); err != nil {
		t.Fatal(err)
	}
	var kept []string
	var refusal error
	for n := 0; n < 60 && refusal == nil; n++ {
		l, err := share(t.Context(), p.HTTP, fmt.Sprintf("%d.bin", n), content, nil)
		if refusal = err; err == nil {
			kept = append(kept, code(l))
		}
	}
	if refusal == nil || len(kept) == 0 {
		t.Fatalf("%d uploads of 4 MB went into 160 MB, refused: %v", len(kept), refusal)
	}
	t.Logf("%d uploads, then: %v", len(kept), refusal)
	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast)
	if id, err := say(t, p, "too much"); err == nil {
		t.Errorf("a message (%s) was acknowledged on a full disk", id)
	} else {
		t.Logf("publish: %v", err)
	}
	for _, c := range kept {
		if status, _, got := mustGet(t, p.HTTP+"/raw/"+c); status != http.StatusOK || string(got) != string(content) {
			t.Errorf("drop %s on the full disk: got %d with %d bytes", c, status, len(got))
		}
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	p.Stop(t)
	p = testkit.Start(t, dir)
	eventually(t, "with room again a message is acknowledged", func() (bool, string) {
		_, err := say(t, p, "room again")
		return err == nil, fmt.Sprint(err)
	})
	if _, err := share(t.Context(), p.HTTP, "small.txt", []byte("small"), nil); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// fill writes a file until nothing more goes in.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 1<<20); len(block) > 0; {
		if n, err := f.Write(block); err != nil || n < len(block) {
			block = block[:len(block)/2]
		}
	}
}

func say(t *testing.T, p *testkit.Platform, message string) (id string, err error) {
	t.Helper()
	keys := admin(t, p).Keys
	client := sns.New(sns.Options{
		Region: arn.Region, BaseEndpoint: aws.String(p.AWS), HTTPClient: testkit.AWSClient(), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return keys, nil }),
	})
	out, err := client.Publish(t.Context(), &sns.PublishInput{TopicArn: aws.String(arn.Topic(arn.Region, "crash-messages")), Message: &message})
	if err != nil {
		return "", err
	}
	return *out.MessageId, nil
}
