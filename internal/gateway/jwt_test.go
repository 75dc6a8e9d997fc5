package gateway_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/gateway"
)

// provider is an identity provider on a loopback port.
type provider struct {
	*httptest.Server

	mu    sync.Mutex
	keys  map[string]crypto.Signer
	asked int
	down  bool
}

func newProvider(t testing.TB) *provider {
	p := &provider{keys: map[string]crypto.Signer{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]string{"issuer": p.URL, "jwks_uri": p.URL + "/keys"})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.asked++
		if p.down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var set jose.JSONWebKeySet
		for id, key := range p.keys {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: id, Use: "sig"})
		}
		json.NewEncoder(w).Encode(set)
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// add makes a key and returns it.
func (p *provider) add(t testing.TB, id string) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p.put(id, key)
	return key
}

func (p *provider) put(id string, key crypto.Signer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys[id] = key
}

func sign(t testing.TB, alg jose.SignatureAlgorithm, id string, key any, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func jwtAPI(p *provider, scopes ...string) gateway.API {
	r := guardedRoute("GET", "/a", "jwt")
	r.Scopes = scopes
	api := httpAPI(r)
	api.Authorizers = []gateway.Authorizer{{
		Name: "jwt", Kind: gateway.AuthorizerJWT, Identity: []string{"$request.header.Authorization"}, Issuer: p.URL, Audience: []string{"drops", "web"},
	}}
	return api
}

func bearing(h http.Handler, authorization string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/a", nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return do(h, r)
}

func TestJWT(t *testing.T) {
	p := newProvider(t)
	key, other := p.add(t, "k1"), p.add(t, "k2")
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p.put("curve", curve)
	now := time.Now().Unix()
	claims := func(change ...any) map[string]any {
		c := map[string]any{"iss": p.URL, "aud": "drops", "sub": "ada", "exp": now + 600, "scope": "read write"}
		for i := 0; i < len(change); i += 2 {
			if c[change[i].(string)] = change[i+1]; change[i+1] == nil {
				delete(c, change[i].(string))
			}
		}
		return c
	}
	rs := func(change ...any) string { return "Bearer " + sign(t, jose.RS256, "k1", key, claims(change...)) }
	for name, c := range map[string]struct {
		header string
		scopes []string
		want   int
		told   string // in WWW-Authenticate
	}{
		"right":                   {rs(), nil, 200, ""},
		"without Bearer":          {strings.TrimPrefix(rs(), "Bearer "), nil, 200, ""},
		"RS512":                   {"Bearer " + sign(t, jose.RS512, "k1", key, claims()), nil, 200, ""},
		"PS256":                   {"Bearer " + sign(t, jose.PS256, "k1", key, claims()), nil, 200, ""},
		"no RSA":                  {"Bearer " + sign(t, jose.ES256, "curve", curve, claims()), nil, 401, "RSA"},
		"signed with the modulus": {"Bearer " + sign(t, jose.HS256, "k1", []byte(strings.Repeat("k", 32)), claims()), nil, 401, "RSA"},
		"another's key":           {"Bearer " + sign(t, jose.RS256, "k1", other, claims()), nil, 401, "does not verify"},
		"an unknown key":          {"Bearer " + sign(t, jose.RS256, "k9", key, claims()), nil, 401, "does not have"},
		"no key id":               {"Bearer " + sign(t, jose.RS256, "", key, claims()), nil, 401, "does not have"},
		"no token":                {"", nil, 401, "Bearer"},
		"no JWT":                  {"Bearer abc", nil, 401, "invalid_token"},
		"a list of audiences":     {rs("aud", []string{"x", "web"}), nil, 200, ""},
		"another audience":        {rs("aud", "x"), nil, 401, "audience"},
		"a client's id":           {rs("aud", nil, "client_id", "web"), nil, 200, ""},
		"an audience beside it":   {rs("aud", "x", "client_id", "web"), nil, 401, "audience"},
		"another issuer":          {rs("iss", "https://other.example"), nil, 401, "issuer"},
		"over":                    {rs("exp", now-1), nil, 401, "expired"},
		"without an end":          {rs("exp", nil), nil, 401, "expired"},
		"an end that is a text":   {rs("exp", "soon"), nil, 401, "expired"},
		"not yet":                 {rs("nbf", now+60), nil, 401, "not valid yet"},
		"issued tomorrow":         {rs("iat", now+86400), nil, 401, "future"},
		"a scope":                 {rs(), []string{"admin", "write"}, 200, ""},
		"a scope in scp":          {rs("scp", []string{"admin"}), []string{"admin"}, 200, ""},
		"scp before scope":        {rs("scp", []string{"admin"}), []string{"write"}, 403, "insufficient_scope"},
		"no such scope":           {rs(), []string{"admin"}, 403, `scope="admin" error="insufficient_scope"`},
	} {
		res := bearing(open(t, &gateway.Gateway{Invoker: &lambdas{}}, jwtAPI(p, c.scopes...), nil, nil), c.header)
		if res.Code != c.want || !strings.Contains(res.Header().Get("Www-Authenticate"), c.told) {
			t.Errorf("%s: got %d %s (%s), want %d %s", name, res.Code, res.Body, res.Header().Get("Www-Authenticate"), c.want, c.told)
		}
		if body := map[int]string{401: `{"message":"Unauthorized"}`, 403: `{"message":"Forbidden"}`, 200: "let in"}[c.want]; res.Body.String() != body {
			t.Errorf("%s: got %s, want %s", name, res.Body, body)
		}
	}
}

func TestJWTClaimsInEvents(t *testing.T) {
	p := newProvider(t)
	token := sign(t, jose.RS256, "k1", p.add(t, "k1"), map[string]any{
		"iss": p.URL, "aud": "drops", "exp": 4102444800, "scope": "read write", "groups": []string{"a", "b"}, "admin": true, "share": 0.25,
	})
	claims := map[string]string{
		"iss": p.URL, "aud": "drops", "exp": "4102444800", "scope": "read write", "groups": "[a b]", "admin": "true", "share": "0.25",
	}
	for name, c := range map[string]struct {
		scopes, want []string
	}{
		"no scopes asked for": {nil, nil},
		"scopes asked for":    {[]string{"read"}, []string{"read", "write"}},
	} {
		fn := &lambdas{}
		if res := bearing(open(t, &gateway.Gateway{Invoker: fn}, jwtAPI(p, c.scopes...), nil, nil), "Bearer "+token); res.Code != 200 {
			t.Fatalf("got %d %s", res.Code, res.Body)
		}
		var e events.APIGatewayV2HTTPRequest
		fn.last(t, "backend", &e)
		want := &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{Claims: claims, Scopes: c.want}
		if diff := cmp.Diff(want, e.RequestContext.Authorizer.JWT); diff != "" {
			t.Errorf("%s: requestContext.authorizer.jwt (-want +got):\n%s", name, diff)
		}
	}
}

func TestJWTKeysAreKept(t *testing.T) {
	p := newProvider(t)
	claims := map[string]any{"iss": p.URL, "aud": "drops", "exp": time.Now().Add(time.Hour).Unix()}
	first := "Bearer " + sign(t, jose.RS256, "k1", p.add(t, "k1"), claims)
	g := &gateway.Gateway{Invoker: &lambdas{}}
	h := open(t, g, jwtAPI(p), nil, nil)
	for range 3 {
		if res := bearing(h, first); res.Code != 200 {
			t.Fatalf("got %d %s", res.Code, res.Body)
		}
	}
	h = open(t, g, jwtAPI(p), nil, nil) // deployed again
	p.mu.Lock()
	p.down = true
	p.mu.Unlock()
	if res := bearing(h, first); res.Code != 200 {
		t.Errorf("while the issuer is away: got %d %s", res.Code, res.Body)
	}
	// An unknown key has the issuer asked again, but not with every token.
	for range 3 {
		if res := bearing(h, "Bearer "+sign(t, jose.RS256, "k2", p.add(t, "k2"), claims)); res.Code != 401 {
			t.Errorf("an unknown key: got %d", res.Code)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked != 1 {
		t.Errorf("the issuer was asked %d times, want 1: the last time was a moment ago", p.asked)
	}
}

func TestJWTIssuerThatDoesNotAnswer(t *testing.T) {
	p := newProvider(t)
	token := "Bearer " + sign(t, jose.RS256, "k1", p.add(t, "k1"), map[string]any{"iss": p.URL, "aud": "drops", "exp": time.Now().Add(time.Hour).Unix()})
	p.Close()
	res := bearing(open(t, &gateway.Gateway{Invoker: &lambdas{}}, jwtAPI(p), nil, nil), token)
	if res.Code != 401 || !strings.Contains(res.Header().Get("Www-Authenticate"), "OIDC discovery endpoint communication error") {
		t.Errorf("got %d %s (%s)", res.Code, res.Body, res.Header().Get("Www-Authenticate"))
	}
}
