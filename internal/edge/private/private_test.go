package private_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/cloudfront/sign"

	"github.com/dropstack/dropstack/internal/edge/private"
)

const asset = "https://d1.example/a/b.jpg?size=large"

var (
	rsaKey = sync.OnceValue(func() *rsa.PrivateKey { k, _ := rsa.GenerateKey(rand.Reader, 2048); return k })
	ecKey  = sync.OnceValue(func() *ecdsa.PrivateKey { k, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader); return k })
	client = netip.MustParseAddr("203.0.113.7")
	now    = time.Unix(1_800_000_000, 0)
	later  = now.Add(time.Hour)
)

func keys(t testing.TB) private.Keys {
	t.Helper()
	out := private.Keys{}
	for id, pub := range map[string]crypto.PublicKey{"KRSA": &rsaKey().PublicKey, "KEC": &ecKey().PublicKey} {
		key, err := private.ParseKey(pemOf(t, pub))
		if err != nil {
			t.Fatal(err)
		}
		out[id] = key
	}
	return out
}

func pemOf(t testing.TB, pub crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// judge asks about a request for a whole URL.
func judge(t testing.TB, address string, cookies []*http.Cookie) (*private.Refusal, *http.Request) {
	t.Helper()
	r := httptest.NewRequest("GET", address, nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	claim, rest := private.Take(r)
	plain := "https://" + rest.Host + rest.URL.EscapedPath()
	if rest.URL.RawQuery != "" {
		plain += "?" + rest.URL.RawQuery
	}
	return keys(t).Judge(claim, []string{plain}, client, now), rest
}

func epoch(t time.Time) *sign.AWSEpochTime { return sign.NewAWSEpochTime(t) }

func custom(resource string, c sign.Condition) *sign.Policy {
	return &sign.Policy{Statements: []sign.Statement{{Resource: resource, Condition: c}}}
}

// TestURLsThatTheSDKSigns: Amazon's own signer is the judge.
func TestURLsThatTheSDKSigns(t *testing.T) {
	from := func(cidr string) *sign.IPAddress { return &sign.IPAddress{SourceIP: cidr} }
	for name, c := range map[string]struct {
		key    string
		signer crypto.Signer
		policy *sign.Policy // nil: canned, until later
		until  time.Time
		ask    func(signed string) string
		want   string
	}{
		"canned":                 {key: "KRSA", signer: rsaKey(), until: later},
		"canned, ECDSA":          {key: "KEC", signer: ecKey(), until: later},
		"expired":                {key: "KRSA", signer: rsaKey(), until: now, want: "AccessDenied"},
		"unknown key":            {key: "KOTHER", signer: rsaKey(), until: later, want: "InvalidKey"},
		"somebody else's key":    {key: "KEC", signer: rsaKey(), until: later, want: "AccessDenied"},
		"other object":           {key: "KRSA", signer: rsaKey(), until: later, ask: func(s string) string { return strings.Replace(s, "b.jpg", "c.jpg", 1) }, want: "AccessDenied"},
		"other parameter":        {key: "KRSA", signer: rsaKey(), until: later, ask: func(s string) string { return strings.Replace(s, "large", "small", 1) }, want: "AccessDenied"},
		"longer":                 {key: "KRSA", signer: rsaKey(), until: later, ask: func(s string) string { return strings.Replace(s, "Expires=18", "Expires=19", 1) }, want: "AccessDenied"},
		"no signature":           {key: "KRSA", signer: rsaKey(), until: later, ask: func(s string) string { return s[:strings.Index(s, "&Signature")] + "&Key-Pair-Id=KRSA" }, want: "MissingSignature"},
		"signature that is none": {key: "KRSA", signer: rsaKey(), until: later, ask: func(s string) string { return asset + "&Expires=1900000000&Signature=!&Key-Pair-Id=KRSA" }, want: "MalformedSignature"},
		"nothing":                {key: "KRSA", signer: rsaKey(), until: later, ask: func(string) string { return asset }, want: "MissingKey"},
		"custom":                 {key: "KRSA", signer: rsaKey(), policy: custom(asset, sign.Condition{DateLessThan: epoch(later)})},
		"custom, ECDSA":          {key: "KEC", signer: ecKey(), policy: custom(asset, sign.Condition{DateLessThan: epoch(later)})},
		"wildcard":               {key: "KRSA", signer: rsaKey(), policy: custom("http*://d1.example/a/*", sign.Condition{DateLessThan: epoch(later)})},
		"wildcard elsewhere":     {key: "KRSA", signer: rsaKey(), policy: custom("https://d1.example/x/*", sign.Condition{DateLessThan: epoch(later)}), want: "AccessDenied"},
		"not yet":                {key: "KRSA", signer: rsaKey(), policy: custom(asset, sign.Condition{DateLessThan: epoch(later), DateGreaterThan: epoch(now.Add(time.Minute))}), want: "AccessDenied"},
		"since a while":          {key: "KRSA", signer: rsaKey(), policy: custom(asset, sign.Condition{DateLessThan: epoch(later), DateGreaterThan: epoch(now.Add(-time.Minute))})},
		"custom, expired":        {key: "KRSA", signer: rsaKey(), policy: custom(asset, sign.Condition{DateLessThan: epoch(now.Add(-time.Second))}), want: "AccessDenied"},
		"from there":             {key: "KRSA", signer: rsaKey(), policy: custom(asset, sign.Condition{DateLessThan: epoch(later), IPAddress: from("203.0.113.0/24")})},
		"from that address":      {key: "KRSA", signer: rsaKey(), policy: custom(asset, sign.Condition{DateLessThan: epoch(later), IPAddress: from("203.0.113.7")})},
		"from elsewhere":         {key: "KRSA", signer: rsaKey(), policy: custom(asset, sign.Condition{DateLessThan: epoch(later), IPAddress: from("198.51.100.0/24")}), want: "AccessDenied"},
	} {
		s := sign.NewURLSigner(c.key, c.signer)
		signed, err := s.Sign(asset, c.until)
		if c.policy != nil {
			signed, err = s.SignWithPolicy(asset, c.policy)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if c.ask != nil {
			signed = c.ask(signed)
		}
		why, rest := judge(t, signed, nil)
		if got := codeOf(why); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
		if q := rest.URL.RawQuery; q != "size=large" && q != "size=small" {
			t.Errorf("%s: %q is left for the origin", name, q)
		}
	}
}

func codeOf(r *private.Refusal) string {
	if r == nil {
		return ""
	}
	return r.Code
}

func TestCookiesThatTheSDKSigns(t *testing.T) {
	s := sign.NewCookieSigner("KRSA", rsaKey())
	policy, err := s.SignWithPolicy(custom("https://d1.example/a/*", sign.Condition{DateLessThan: epoch(later)}))
	if err != nil {
		t.Fatal(err)
	}
	canned, err := s.Sign(asset, later)
	if err != nil {
		t.Fatal(err)
	}
	own := &http.Cookie{Name: "session", Value: "1"}
	for name, c := range map[string]struct {
		url     string
		cookies []*http.Cookie
		want    string
	}{
		"custom":               {asset, policy, ""},
		"custom, other object": {"https://d1.example/a/z", policy, ""},
		"custom, elsewhere":    {"https://d1.example/b", policy, "AccessDenied"},
		"canned":               {asset, canned, ""},
		"canned, other":        {"https://d1.example/a/z", canned, "AccessDenied"},
		"without the key":      {asset, policy[:2], "MissingKey"},
		"the URL goes first":   {asset + "&Expires=1900000000&Signature=AAAA&Key-Pair-Id=KRSA", policy, "AccessDenied"},
		"a parameter Policy":   {asset + "&Policy=mine", policy, ""},
		"none":                 {asset, nil, "MissingKey"},
	} {
		why, rest := judge(t, c.url, append([]*http.Cookie{own}, c.cookies...))
		if got := codeOf(why); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
		if got := rest.Header.Get("Cookie"); got != "session=1" {
			t.Errorf("%s: cookies %q are left for the origin", name, got)
		}
	}
}

// TestSHA256 is for what the SDK's signer does not do yet.
func TestSHA256(t *testing.T) {
	doc := `{"Statement":[{"Resource":"` + asset + `","Condition":{"DateLessThan":{"AWS:EpochTime":1900000000}}}]}`
	sum := sha256.Sum256([]byte(doc))
	for id, signer := range map[string]crypto.Signer{"KRSA": rsaKey(), "KEC": ecKey()} {
		signature, err := signer.Sign(rand.Reader, sum[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer("+", "-", "=", "_", "/", "~").Replace(base64.StdEncoding.EncodeToString(signature))
		signed := asset + "&Expires=1900000000&Hash-Algorithm=SHA256&Key-Pair-Id=" + id + "&Signature=" + url.QueryEscape(text)
		if why, _ := judge(t, signed, nil); why != nil {
			t.Errorf("%s: got %v", id, why)
		}
		if why, _ := judge(t, strings.Replace(signed, "SHA256", "SHA1", 1), nil); codeOf(why) != "AccessDenied" {
			t.Errorf("%s as SHA-1: got %v", id, why)
		}
		if why, _ := judge(t, strings.Replace(signed, "SHA256", "MD5", 1), nil); codeOf(why) != "AccessDenied" {
			t.Errorf("%s as MD5: got %v", id, why)
		}
	}
}

// TestPoliciesThatSayTooMuch: what is not understood is not overlooked.
func TestPoliciesThatSayTooMuch(t *testing.T) {
	for name, doc := range map[string]string{
		"no end":          `{"Statement":[{"Resource":"*","Condition":{}}]}`,
		"other condition": `{"Statement":[{"Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":1900000000},"StringEquals":{"a":"b"}}}]}`,
		"two statements":  `{"Statement":[{"Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":1900000000}}},{"Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":1900000000}}}]}`,
		"broken network":  `{"Statement":[{"Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":1900000000},"IpAddress":{"AWS:SourceIp":"all"}}}]}`,
		"more after it":   `{"Statement":[{"Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":1900000000}}}]}{}`,
	} {
		sum := sha256.Sum256([]byte(doc))
		signature, err := rsaKey().Sign(rand.Reader, sum[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		code := strings.NewReplacer("+", "-", "=", "_", "/", "~")
		signed := "https://d1.example/a?Hash-Algorithm=SHA256&Key-Pair-Id=KRSA&Policy=" + code.Replace(base64.StdEncoding.EncodeToString([]byte(doc))) +
			"&Signature=" + code.Replace(base64.StdEncoding.EncodeToString(signature))
		if why, _ := judge(t, signed, nil); codeOf(why) != "MalformedPolicy" {
			t.Errorf("%s: got %v", name, why)
		}
	}
}

func TestKeysThatCannotBe(t *testing.T) {
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for want, text := range map[string]string{
		"openssl pkey -pubout": "ssh-rsa AAAA", "2048 bits": pemOf(t, &short.PublicKey), "P-256": pemOf(t, &other.PublicKey),
		"cannot be read": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
	} {
		if _, err := private.ParseKey(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func FuzzTake(f *testing.F) {
	f.Add("size=large&Expires=1&Signature=a~b_&Key-Pair-Id=K", "session=1; CloudFront-Policy=x")
	f.Fuzz(func(t *testing.T, query, cookie string) {
		r := &http.Request{URL: &url.URL{Path: "/", RawQuery: query}, Header: http.Header{"Cookie": {cookie}}}
		_, rest := private.Take(r)
		if again, last := private.Take(rest); again != (private.Claim{}) || last.URL.RawQuery != rest.URL.RawQuery {
			t.Errorf("%q %q: something is left: %q %q", query, cookie, rest.URL.RawQuery, rest.Header["Cookie"])
		}
		if len(rest.URL.RawQuery) > len(query) {
			t.Errorf("%q became longer: %q", query, rest.URL.RawQuery)
		}
	})
}
