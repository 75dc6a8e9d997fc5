//go:build bench

package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/testkit"
	"github.com/nats-io/nats.go/jetstream"
)

// overHTTP compares a request that a function answers with one that passes a
// standard reverse proxy to a plain Go server.
func overHTTP(t *testing.T, p *testkit.Platform) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(event) }))
	defer backend.Close()
	target, _ := url.Parse(backend.URL)
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
	})
	defer proxy.Close()
	for _, n := range []int{1, 16} {
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
		got := measure(t, n, func(int) error { return ask(client, p.HTTP+"/", "bench-dev.localhost") })
		base := measure(t, n, func(int) error { return ask(client, proxy.URL, "") })
		compare(fmt.Sprintf("HTTP through edge and function, %d at once", n), "Go ReverseProxy to a Go server", got, base)
	}
}

func ask(client *http.Client, url, host string) error {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Host = host
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return err
}

// publish compares an acknowledged publish through the official client with a
// synced append to the raw engine.
func publish(t *testing.T, p *testkit.Platform) {
	keys, err := iam.ReadCredentials(filepath.Join(p.Dir, "credentials"))
	if err != nil {
		t.Fatal(err)
	}
	client := sns.New(sns.Options{
		Region: arn.Region, BaseEndpoint: aws.String(p.AWS), HTTPClient: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey}, nil
		}),
	})
	js := enginetest.Streams(t)
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "raw", Subjects: []string{"raw"}}); err != nil {
		t.Fatal(err)
	}
	topic, message := arn.Topic(arn.Region, "bench-messages"), strings.Repeat("m", 200)
	for _, n := range []int{1, 32} {
		got := measure(t, n, func(int) error {
			_, err := client.Publish(t.Context(), &sns.PublishInput{TopicArn: &topic, Message: &message})
			return err
		})
		base := measure(t, n, func(int) error { _, err := js.Publish(t.Context(), "raw", []byte(message)); return err })
		compare(fmt.Sprintf("topic publish through the API, %d at once", n), "raw JetStream, synced", got, base)
	}
}

// drops measures the flagship: start, upload, page, memory.
func drops(t *testing.T) {
	dir := testkit.Dir(t)
	first := testkit.Start(t, dir)
	first.Stop(t)
	p := testkit.Start(t, dir)
	row("second start until the services answer", figure{p50: time.Duration(p.TookMS) * time.Millisecond})
	small, big := random(t, 20<<10), random(t, 64<<20)
	base := httptest.NewServer(saver(t))
	defer base.Close()
	for name, content := range map[string][]byte{"20 KB": small, "64 MB": big} {
		got := measure(t, 1, func(int) error { return put(p.HTTP+"/bench.bin", content) })
		plain := measure(t, 1, func(int) error { return put(base.URL, content) })
		compare("upload of "+name+", drop created", "Go server that syncs a file", got, plain)
	}
	fmt.Printf("\nResident memory of the platform: %d MB\n", p.RSS(t)>>20)
}

func random(t *testing.T, n int) []byte {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

func put(url string, content []byte) error {
	req, err := http.NewRequest(http.MethodPut, url, bytes.NewReader(content))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return err
}

// saver writes each body to a file and syncs it.
func saver(t *testing.T) http.Handler {
	dir := t.TempDir()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, err := os.CreateTemp(dir, "upload-")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, err = io.Copy(f, r.Body)
		if err == nil {
			err = f.Sync()
		}
		_ = f.Close()
		_ = os.Remove(f.Name())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
}
