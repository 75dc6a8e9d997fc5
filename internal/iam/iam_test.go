package iam_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
)

const function = "arn:aws:lambda:us-east-1:000000000000:function:f"

func open(t *testing.T, dir string) *iam.Authority {
	t.Helper()
	k, err := iam.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeysSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	first, second := open(t, dir), open(t, dir)
	if first.Admin() != second.Admin() || first.Function(function) != second.Function(function) {
		t.Error("the keys differ after opening again")
	}
	if first.Function(function) == first.Function(function+"2") {
		t.Error("two functions have the same key")
	}
	for _, name := range []string{"credentials", "root.key"} {
		st, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := st.Mode().Perm(); got != 0o600 {
			t.Errorf("%s: mode %o, want 600", name, got)
		}
	}
	if got := len(first.Function(function).AccessKeyID); got != 20 {
		t.Errorf("access key id has %d characters, want 20", got)
	}
}

func TestDamagedFilesAreNamed(t *testing.T) {
	for name, content := range map[string]string{"credentials": "[default]\nnothing = here\n", "root.key": "short"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := iam.Open(dir)
		if err == nil || !strings.Contains(err.Error(), name) || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: got %v, want an error that names it", name, err)
		}
	}
}

func TestOnlyDeployedFunctionsHaveKeys(t *testing.T) {
	k := open(t, t.TempDir())
	id := k.Function(function).AccessKeyID
	check := func(when string, want bool) {
		t.Helper()
		if _, admin, ok := k.Secret(id); ok != want || admin {
			t.Errorf("%s: known %v, admin %v; want %v, false", when, ok, admin, want)
		}
	}
	check("before", false)
	k.Replace("s-dev", []string{function})
	check("deployed", true)
	k.Replace("other-dev", []string{function + "2"})
	check("after another stack", true)
	k.Replace("s-dev", nil)
	check("removed", false)
}

// signed makes a request with the official signer.
func signed(t *testing.T, c iam.Credentials, at time.Time) (*http.Request, []byte) {
	t.Helper()
	body := []byte(`Action=Publish&Message=a+b`)
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:4566/a%20b/c%2Fd?x=1%202&x=0&empty=", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Amz-Target", "A.B")
	sum := sha256.Sum256(body)
	keys := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
	if err := v4.NewSigner().SignHTTP(t.Context(), keys, r, hex.EncodeToString(sum[:]), "sns", "us-east-1", at); err != nil {
		t.Fatal(err)
	}
	return r, body
}

func TestVerifyAgreesWithTheOfficialSigner(t *testing.T) {
	k := open(t, t.TempDir())
	k.Replace("s-dev", []string{function})
	for name, c := range map[string]iam.Credentials{"administrator": k.Admin(), "function": k.Function(function)} {
		r, body := signed(t, c, time.Now())
		who, service, region, err := k.Verify(r, body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := ""
		if name == "function" {
			want = function
		}
		if who.FunctionARN != want || who.Root() != (want == "") || service != "sns" || region != "us-east-1" {
			t.Errorf("%s: got %+v %s %s", name, who, service, region)
		}
		if s, ok := iam.Scope(r); s != "sns" || !ok {
			t.Errorf("%s: scope %q, %v", name, s, ok)
		}
	}
}

func TestVerifyPresigned(t *testing.T) {
	k := open(t, t.TempDir())
	c := k.Admin()
	keys := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey}
	empty := sha256.Sum256(nil)
	for name, tt := range map[string]struct {
		age  time.Duration
		code string
	}{"in time": {0, ""}, "expired": {2 * time.Minute, "SignatureDoesNotMatch"}} {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:4566/?Action=Publish&X-Amz-Expires=60", nil)
		url, _, err := v4.NewSigner().PresignHTTP(t.Context(), keys, r, hex.EncodeToString(empty[:]), "sns", "us-east-1", time.Now().Add(-tt.age))
		if err != nil {
			t.Fatal(err)
		}
		_, _, _, err = k.Verify(httptest.NewRequest(http.MethodGet, url, nil), nil)
		if got := fault.CodeOf(err); got != tt.code || (err != nil) != (tt.code != "") {
			t.Errorf("%s: got %v, want code %q", name, err, tt.code)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	k := open(t, t.TempDir())
	k.Replace("s-dev", []string{function})
	other := open(t, t.TempDir())
	for _, tt := range []struct {
		name, code string
		at         time.Duration
		keys       iam.Credentials
		change     func(*http.Request)
		body       string
	}{
		{name: "another path", code: "SignatureDoesNotMatch", keys: k.Admin(), change: func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/other", "" }},
		{name: "another query", code: "SignatureDoesNotMatch", keys: k.Admin(), change: func(r *http.Request) { r.URL.RawQuery = "x=2" }},
		{name: "another host", code: "SignatureDoesNotMatch", keys: k.Admin(), change: func(r *http.Request) { r.Host = "elsewhere" }},
		{name: "another method", code: "SignatureDoesNotMatch", keys: k.Admin(), change: func(r *http.Request) { r.Method = http.MethodGet }},
		{name: "another signed header", code: "SignatureDoesNotMatch", keys: k.Admin(), change: func(r *http.Request) { r.Header.Set("X-Amz-Target", "C.D") }},
		{name: "another body", code: "SignatureDoesNotMatch", keys: k.Admin(), body: "Action=Other"},
		{name: "too old", code: "SignatureDoesNotMatch", keys: k.Admin(), at: -16 * time.Minute},
		{name: "from the future", code: "SignatureDoesNotMatch", keys: k.Admin(), at: 16 * time.Minute},
		{name: "key of another installation", code: "UnrecognizedClientException", keys: other.Admin()},
		{name: "function without its token", code: "UnrecognizedClientException", keys: k.Function(function), change: func(r *http.Request) { r.Header.Del("X-Amz-Security-Token") }},
		{name: "function that is not deployed", code: "UnrecognizedClientException", keys: k.Function(function + "2")},
		{name: "no signature", code: "MissingAuthenticationToken", keys: k.Admin(), change: func(r *http.Request) { r.Header.Del("Authorization") }},
		{name: "half a signature", code: "IncompleteSignature", keys: k.Admin(), change: func(r *http.Request) {
			r.Header.Set("Authorization", r.Header.Get("Authorization")[:120])
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, body := signed(t, tt.keys, time.Now().Add(tt.at))
			if tt.change != nil {
				tt.change(r)
			}
			if tt.body != "" {
				body = []byte(tt.body)
			}
			_, _, _, err := k.Verify(r, body)
			if got := fault.CodeOf(err); got != tt.code || fault.KindOf(err) != fault.Unauthenticated {
				t.Errorf("got %v (%s), want %s", err, got, tt.code)
			}
		})
	}
}

func FuzzVerify(f *testing.F) {
	k, err := iam.Open(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	f.Add("AWS4-HMAC-SHA256 Credential=A/20260101/r/s/aws4_request, SignedHeaders=host, Signature=00", "20260101T000000Z", "a=b")
	f.Add("", "", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=1&X-Amz-Credential=A/20260101/r/s/aws4_request")
	f.Fuzz(func(t *testing.T, authorization, date, query string) {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.URL.RawQuery = query
		r.Header.Set("Authorization", authorization)
		r.Header.Set("X-Amz-Date", date)
		iam.Scope(r)
		if _, _, _, err := k.Verify(r, nil); err == nil {
			t.Error("accepted without the key")
		}
	})
}
