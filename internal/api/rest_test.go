package api_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/dropstack/dropstack/internal/iam"
)

// rest signs a request without a body and returns what is answered.
func (w *world) rest(t *testing.T, c iam.Credentials, method, service, path string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, w.url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := provider(c).Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(nil)
	if err := v4.NewSigner().SignHTTP(t.Context(), keys, r, hex.EncodeToString(sum[:]), service, "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	doc, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(doc)
}

// A policy that denies a path denies it however it is spelled.
func TestAPathIsOneResourceHoweverItIsWritten(t *testing.T) {
	h := newHouse(t)
	for _, path := range []string{"/apikeys/key0000001", "/apikeys/%6Bey0000001", "/%61pikeys/key0000001", "/apikeys/key0000001/", "//apikeys/key0000001"} {
		got := h.rest(t, h.function, http.MethodGet, "apigateway", path)
		if !strings.Contains(got, "apigateway:GET on resource: arn:aws:apigateway:us-east-1::/apikeys/key0000001 ") {
			t.Errorf("%s: %s", path, got)
		}
	}
}

// What stands in the path is what the caller was permitted, and a query that says
// otherwise, in whatever case, says nothing.
func TestAQueryDoesNotChangeWhatThePathNames(t *testing.T) {
	h := newHouse(t)
	if _, err := h.deployer.Deploy(t.Context(), notes("d")); err != nil {
		t.Fatal(err)
	}
	for range 20 { // members used to be taken in any order
		got := h.rest(t, h.keys.Admin(), http.MethodGet, "apigateway", "/apikeys/key0000001?apikey=key0000002&APIKEY=key0000003")
		if !strings.Contains(got, `"id":"key0000001"`) {
			t.Fatal(got)
		}
	}
	if got := h.rest(t, h.keys.Admin(), http.MethodPatch, "apigateway", "/apikeys/key0000001?PatchOperations=x"); !strings.Contains(got, `"id":"key0000001"`) {
		t.Errorf("a member of bodies in a query: %s", got)
	}
}
