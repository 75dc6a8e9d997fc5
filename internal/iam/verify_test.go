package iam_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
)

func official(c iam.Credentials) aws.Credentials {
	return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
}

// signed makes a Query request with the official signer.
func signed(t testing.TB, c iam.Credentials, service string, at time.Time) (*http.Request, []byte) {
	t.Helper()
	body := []byte(`Action=Publish&Message=a+b`)
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:4566/a%20b/c%2Fd?x=1%202&x=0&empty=", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Amz-Meta", "A.B")
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(t.Context(), official(c), r, hex.EncodeToString(sum[:]), service, "us-east-1", at); err != nil {
		t.Fatal(err)
	}
	return r, body
}

func verifyCode(a *iam.Authority, r *http.Request, body []byte) string {
	_, _, _, err := a.Verify(r, body)
	if err != nil && fault.KindOf(err) != fault.Unauthenticated {
		return err.Error()
	}
	return fault.CodeOf(err)
}

func TestVerifyAgreesWithTheOfficialSigner(t *testing.T) {
	a := fresh(t)
	must(t, a.CreateUser, iam.CreateUserInput{UserName: "alice"})
	user := newKey(t, a, "alice")
	instance := deployed(t, a, "s-dev", function)
	for name, tt := range map[string]struct {
		keys iam.Credentials
		want iam.Principal
	}{
		"administrator": {a.Admin(), iam.Principal{Type: iam.TypeRoot, ARN: arnOf("root"), UserID: arn.Account}},
		"user":          {user, iam.Principal{Type: iam.TypeUser, ARN: arnOf("user/alice"), Name: "alice"}},
		"function":      {instance, iam.Principal{Type: iam.TypeAssumedRole, ARN: "arn:aws:sts::" + arn.Account + ":assumed-role/f/f", Name: "f", FunctionARN: function}},
	} {
		r, body := signed(t, tt.keys, "sns", time.Now())
		who, service, region, err := a.Verify(r, body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if who.Type != tt.want.Type || who.ARN != tt.want.ARN || who.Name != tt.want.Name || who.FunctionARN != tt.want.FunctionARN || who.AccessKeyID != tt.keys.AccessKeyID || who.AccountID != arn.Account {
			t.Errorf("%s: got %+v", name, who)
		}
		if s, ok := iam.Scope(r); service != "sns" || region != "us-east-1" || s != "sns" || !ok {
			t.Errorf("%s: got %s %s, scope %s %v", name, service, region, s, ok)
		}
		if claimed, err := a.Claimed(r); err != nil || claimed.ARN != who.ARN {
			t.Errorf("%s: claimed %+v, %v", name, claimed, err)
		}
	}
}

func TestVerifyPresigned(t *testing.T) {
	a := fresh(t)
	instance := deployed(t, a, "s-dev", function)
	empty := sha256.Sum256(nil)
	for name, tt := range map[string]struct {
		keys    iam.Credentials
		service string
		url     string
		age     time.Duration
		change  func(url string) string
		code    string
	}{
		"in time":                     {a.Admin(), "sns", "/?Action=Publish&X-Amz-Expires=60", 0, nil, ""},
		"with a session token":        {instance, "sns", "/?Action=Publish&X-Amz-Expires=60", 0, nil, ""},
		"older than the skew":         {a.Admin(), "sns", "/?Action=Publish&X-Amz-Expires=3600", 50 * time.Minute, nil, ""},
		"expired":                     {a.Admin(), "sns", "/?Action=Publish&X-Amz-Expires=60", 2 * time.Minute, nil, "SignatureDoesNotMatch"},
		"from the future":             {a.Admin(), "sns", "/?Action=Publish&X-Amz-Expires=60", -16 * time.Minute, nil, "SignatureDoesNotMatch"},
		"expired, for S3":             {a.Admin(), "s3", "/b/k?X-Amz-Expires=60", 2 * time.Minute, nil, "RequestTimeTooSkewed"},
		"for longer than seven days":  {a.Admin(), "sns", "/?Action=Publish&X-Amz-Expires=604801", 0, nil, "IncompleteSignature"},
		"for a number that overflows": {a.Admin(), "sns", "/?Action=Publish&X-Amz-Expires=9223372036854775807", 0, nil, "IncompleteSignature"},
		"another query":               {a.Admin(), "sns", "/?Action=Publish&X-Amz-Expires=60", 0, func(s string) string { return s + "&Message=x" }, "SignatureDoesNotMatch"},
		"another session token": {instance, "sns", "/?Action=Publish&X-Amz-Expires=60", 0, func(s string) string {
			return strings.Replace(s, "X-Amz-Security-Token=", "X-Amz-Security-Token=A", 1)
		}, "InvalidClientTokenId"},
		"an object with an odd name": {a.Admin(), "s3", "/b/a%20b/%C3%BC%2Bc//d/../e%252F?X-Amz-Expires=60", 0, nil, ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:4566"+tt.url, nil)
		hash := hex.EncodeToString(empty[:])
		if tt.service == "s3" {
			hash = "UNSIGNED-PAYLOAD"
		}
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = tt.service == "s3" })
		url, _, err := signer.PresignHTTP(t.Context(), official(tt.keys), r, hash, tt.service, "us-east-1", time.Now().Add(-tt.age))
		if err != nil {
			t.Fatal(err)
		}
		if tt.change != nil {
			url = tt.change(url)
		}
		if got := verifyCode(a, httptest.NewRequest(http.MethodGet, url, nil), nil); got != tt.code {
			t.Errorf("%s: got code %q, want %q", name, got, tt.code)
		}
	}
}

func TestVerifyS3(t *testing.T) {
	a := fresh(t)
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	for name, tt := range map[string]struct{ path, hash, code string }{
		"the body is not ours to look at": {"/b/key", strings.Repeat("ab", 32), ""},
		"chunks":                          {"/b/a%20b+c", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", ""},
		"no signed payload":               {"/b/%C3%BC/./k", "UNSIGNED-PAYLOAD", ""},
		"no hash at all":                  {"/b/key", "", "SignatureDoesNotMatch"},
	} {
		r := httptest.NewRequest(http.MethodPut, "http://127.0.0.1:4566"+tt.path, strings.NewReader("body"))
		if tt.hash != "" {
			r.Header.Set("X-Amz-Content-Sha256", tt.hash)
		}
		if err := signer.SignHTTP(t.Context(), official(a.Admin()), r, tt.hash, "s3", "us-east-1", time.Now()); err != nil {
			t.Fatal(err)
		}
		if got := verifyCode(a, r, nil); got != tt.code {
			t.Errorf("%s: got %q, want %q", name, got, tt.code)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	a := fresh(t)
	removed := deployed(t, a, "s-dev", function+"2")
	instance := deployed(t, a, "s-dev", function)
	must(t, a.CreateUser, iam.CreateUserInput{UserName: "alice"})
	disabled := newKey(t, a, "alice")
	must(t, a.UpdateAccessKey, iam.UpdateAccessKeyInput{UserName: "alice", AccessKeyId: disabled.AccessKeyID, Status: "Inactive"})
	other := open(t, t.TempDir(), nil)
	mixed := instance
	mixed.AccessKeyID = removed.AccessKeyID
	for _, tt := range []struct {
		name, code string
		at         time.Duration
		keys       iam.Credentials
		change     func(*http.Request)
		body       string
	}{
		{name: "another path", code: "SignatureDoesNotMatch", keys: a.Admin(), change: func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/other", "" }},
		{name: "another query", code: "SignatureDoesNotMatch", keys: a.Admin(), change: func(r *http.Request) { r.URL.RawQuery = "x=2" }},
		{name: "another host", code: "SignatureDoesNotMatch", keys: a.Admin(), change: func(r *http.Request) { r.Host = "elsewhere" }},
		{name: "another method", code: "SignatureDoesNotMatch", keys: a.Admin(), change: func(r *http.Request) { r.Method = http.MethodGet }},
		{name: "another signed header", code: "SignatureDoesNotMatch", keys: a.Admin(), change: func(r *http.Request) { r.Header.Set("X-Amz-Meta", "C.D") }},
		{name: "another body", code: "SignatureDoesNotMatch", keys: a.Admin(), body: "Action=Other"},
		{name: "too old", code: "SignatureDoesNotMatch", keys: a.Admin(), at: -16 * time.Minute},
		{name: "from the future", code: "SignatureDoesNotMatch", keys: a.Admin(), at: 16 * time.Minute},
		{name: "just in time", keys: a.Admin(), at: -14 * time.Minute},
		{name: "key of another installation", code: "InvalidClientTokenId", keys: other.Admin()},
		{name: "session of another installation", code: "InvalidClientTokenId", keys: deployed(t, other, "s-dev", function)},
		{name: "function without its token", code: "InvalidClientTokenId", keys: instance, change: func(r *http.Request) { r.Header.Del("X-Amz-Security-Token") }},
		{name: "function with the token of another", code: "InvalidClientTokenId", keys: mixed},
		{name: "function that is deployed no more", code: "InvalidClientTokenId", keys: removed},
		{name: "disabled key", code: "InvalidClientTokenId", keys: disabled},
		{name: "no signature", code: "MissingAuthenticationToken", keys: a.Admin(), change: func(r *http.Request) { r.Header.Del("Authorization") }},
		{name: "half a signature", code: "IncompleteSignature", keys: a.Admin(), change: func(r *http.Request) {
			r.Header.Set("Authorization", r.Header.Get("Authorization")[:120])
		}},
		{name: "a header that asks for something else and is not signed", code: "IncompleteSignature", keys: a.Admin(), change: func(r *http.Request) { r.Header.Set("X-Amz-Acl", "public-read") }},
		{name: "the names of protocols: unknown key", code: "UnrecognizedClientException", keys: other.Admin(), change: func(r *http.Request) { r.Header.Del("Content-Type") }},
		{name: "the names of protocols: wrong signature", code: "InvalidSignatureException", keys: a.Admin(), body: "x", change: func(r *http.Request) { r.Header.Del("Content-Type") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, body := signed(t, tt.keys, "sns", time.Now().Add(tt.at))
			if tt.change != nil {
				tt.change(r)
			}
			if tt.body != "" {
				body = []byte(tt.body)
			}
			if got := verifyCode(a, r, body); got != tt.code {
				t.Errorf("got %q, want %q", got, tt.code)
			}
		})
	}
}

func TestAPathMayBeSignedNormalised(t *testing.T) {
	a := fresh(t)
	r, body := signed(t, a.Admin(), "lambda", time.Now())
	r.URL.Path, r.URL.RawPath = "/2015/functions/f/invocations", ""
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(t.Context(), official(a.Admin()), r, hex.EncodeToString(sum[:]), "lambda", "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	r.URL.Path = "//2015/./functions/x/../f/invocations"
	if got := verifyCode(a, r, body); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestASessionExpires(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, nil)
	synctest.Test(t, func(t *testing.T) {
		a := open(t, dir, nil)
		instance := deployed(t, a, "s-dev", function)
		try := func(after time.Duration, want string) {
			t.Helper()
			time.Sleep(after)
			r, body := signed(t, instance, "sns", time.Now())
			if got := verifyCode(a, r, body); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		try(iam.InstanceLifetime-time.Second, "")
		try(time.Second, "ExpiredToken")
		if _, err := a.Secret(instance.AccessKeyID, instance.SessionToken); fault.CodeOf(err) != "ExpiredToken" {
			t.Errorf("for those who verify themselves: %v", err)
		}
	})
}

// TestAKeyIsDisabledAtOnce uses a key all the time while it is switched off and on.
func TestAKeyIsDisabledAtOnce(t *testing.T) {
	a := fresh(t)
	must(t, a.CreateUser, iam.CreateUserInput{UserName: "alice"})
	key := newKey(t, a, "alice")
	for n := range 20 {
		for status, want := range map[string]string{"Active": "", "Inactive": "InvalidClientTokenId"} {
			must(t, a.UpdateAccessKey, iam.UpdateAccessKeyInput{UserName: "alice", AccessKeyId: key.AccessKeyID, Status: status})
			r, body := signed(t, key, "sns", time.Now())
			if got := verifyCode(a, r, body); got != want {
				t.Fatalf("round %d, %s: got %q, want %q", n, status, got, want)
			}
		}
	}
	must(t, a.UpdateAccessKey, iam.UpdateAccessKeyInput{UserName: "alice", AccessKeyId: key.AccessKeyID, Status: "Active"})
	second := newKey(t, a, "alice")
	refused(t, a.CreateAccessKey, iam.CreateAccessKeyInput{UserName: "alice"}, "LimitExceeded")
	must(t, a.DeleteAccessKey, iam.DeleteAccessKeyInput{UserName: "alice", AccessKeyId: key.AccessKeyID})
	for c, want := range map[iam.Credentials]string{key: "InvalidClientTokenId", second: ""} {
		r, body := signed(t, c, "sns", time.Now())
		if got := verifyCode(a, r, body); got != want {
			t.Errorf("after the rotation: got %q, want %q", got, want)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	a, err := iam.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	r, body := signed(b, deployed(b, a, "s-dev", function), "sns", time.Now())
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, err := a.Verify(r, body); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	a, err := iam.Open(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	f.Add("AWS4-HMAC-SHA256 Credential=A/20260101/r/s/aws4_request, SignedHeaders=host, Signature=00", "20260101T000000Z", "a=b", "/", "")
	f.Add("", "", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=1&X-Amz-Credential=A/20260101/r/s3/aws4_request&X-Amz-Security-Token=AAAA", "/a%2Fb", "")
	f.Add("AWS4-HMAC-SHA256 Credential="+a.Admin().AccessKeyID+"/20260101/r/s/aws4_request, SignedHeaders=host;x-amz-date, Signature="+strings.Repeat("0", 64), time.Now().UTC().Format("20060102T150405Z"), "", "/../a", "AAAA")
	f.Fuzz(func(t *testing.T, authorization, date, query, path, token string) {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.URL.RawQuery, r.URL.Path = query, path
		r.Header.Set("Authorization", authorization)
		r.Header.Set("X-Amz-Date", date)
		r.Header.Set("X-Amz-Security-Token", token)
		iam.Scope(r)
		if _, _, _, err := a.Verify(r, nil); err == nil {
			t.Error("accepted without the key")
		}
	})
}
