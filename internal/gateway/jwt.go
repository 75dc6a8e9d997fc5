package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// algorithms are those that tokens may be signed with. AWS's guide ("Control access
// to HTTP APIs with JWT authorizers") has those of RSA alone; a token that passes
// here passes there.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}

// early is how far the clocks of an issuer and ours may differ. A token that is over
// is over.
const early = 5 * time.Second

// tokenGuard lets pass who has a token of an issuer.
type tokenGuard struct {
	*Authorizer
	issuer *issuer
	from   origin
	scopes []string // of the route: any of them
}

func newTokenGuard(g *Gateway, a Authorizer) *tokenGuard {
	t := &tokenGuard{Authorizer: &a, issuer: g.issuers.of(g, a.Issuer), from: origin{"header", "Authorization"}}
	if len(a.Identity) > 0 {
		if from, err := parseOrigin(a.Identity[0]); err == nil { // Check has refused others
			t.from = from
		}
	}
	return t
}

func (g tokenGuard) of(r Route) guard {
	g.scopes = r.Scopes
	return g
}

func (g tokenGuard) admit(r *request) error {
	value, _ := g.from.of(r)
	text := bearer(value)
	if text == "" {
		return &failure{cause: unauthorized, challenge: "Bearer"}
	}
	claims, err := g.read(r, text)
	if err != nil {
		r.authorizerError = err.Error()
		return &failure{cause: unauthorized, challenge: challenge(g.scopes, "invalid_token", err.Error())}
	}
	scopes := claims.scopes()
	if len(g.scopes) > 0 && !slices.ContainsFunc(g.scopes, func(s string) bool { return slices.Contains(scopes, s) }) {
		const why = "the token has none of the scopes that this route asks for"
		r.authorizerError = why
		return &failure{cause: denied, challenge: challenge(g.scopes, "insufficient_scope", why)}
	}
	r.grant = &grant{claims: claims.texts()}
	if len(g.scopes) > 0 {
		r.grant.scopes = scopes
	}
	return nil
}

// bearer is a token with the word Bearer taken off, if it has it.
func bearer(value string) string {
	if word, token, ok := strings.Cut(value, " "); ok && strings.EqualFold(word, "Bearer") {
		return strings.TrimSpace(token)
	}
	return strings.TrimSpace(value)
}

// challenge says why a token was refused (RFC 6750, section 3).
func challenge(scopes []string, kind, why string) string {
	why = strings.NewReplacer(`"`, "'", `\`, "/").Replace(why)
	return fmt.Sprintf("Bearer scope=%q error=%q error_description=%q", strings.Join(scopes, " "), kind, why)
}

// read verifies a token and returns what it claims.
func (g tokenGuard) read(r *request, text string) (claims, error) {
	token, err := jwt.ParseSigned(text, algorithms)
	if err != nil || len(token.Headers) != 1 {
		return nil, errors.New("the token is not one that is signed with an RSA algorithm")
	}
	key, err := g.issuer.key(r.Context(), token.Headers[0].KeyID)
	if err != nil {
		return nil, err
	}
	if key.Use == "enc" || key.Algorithm != "" && key.Algorithm != token.Headers[0].Algorithm {
		return nil, errors.New("the token's key is not for its algorithm")
	}
	var doc json.RawMessage
	if err := token.Claims(key.Key, &doc); err != nil {
		return nil, errors.New("the token's signature does not verify")
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber() // a number of a claim stays as it is written
	var c claims
	if err := dec.Decode(&c); err != nil || c == nil {
		return nil, errors.New("the token's claims are no JSON object")
	}
	return c, c.check(g.Authorizer, time.Now())
}

// claims are what a token says.
type claims map[string]any

// check compares the claims with what an authorizer asks for.
func (c claims) check(a *Authorizer, now time.Time) error {
	if c["iss"] != a.Issuer {
		return errors.New("the token is of another issuer")
	}
	if !slices.ContainsFunc(c.audience(), func(one string) bool { return slices.Contains(a.Audience, one) }) {
		return errors.New("the token does not have a valid audience")
	}
	expires, ok := c.time("exp")
	if !ok || !now.Before(expires) {
		return errors.New("the token has expired")
	}
	if from, ok := c.time("nbf"); ok && now.Add(early).Before(from) {
		return errors.New("the token is not valid yet")
	}
	if issued, ok := c.time("iat"); ok && now.Add(early).Before(issued) {
		return errors.New("the token was issued in the future")
	}
	return nil
}

// audience is whom the token is for; the client's id counts when there is no aud.
func (c claims) audience() []string {
	if aud, ok := c["aud"]; ok {
		return words(aud, false)
	}
	return words(c["client_id"], false)
}

// scopes are those of scp, or of scope.
func (c claims) scopes() []string {
	if scp, ok := c["scp"]; ok {
		return words(scp, true)
	}
	return words(c["scope"], true)
}

// words are the strings of a claim: one, a list, or one that holds several.
func words(value any, split bool) []string {
	switch value := value.(type) {
	case string:
		if split {
			return strings.Fields(value)
		}
		return []string{value}
	case []any:
		var list []string
		for _, one := range value {
			if text, ok := one.(string); ok {
				list = append(list, text)
			}
		}
		return list
	}
	return nil
}

// time reads a claim in seconds since 1970. One that is no number is as good as
// none, and of exp there must be one.
func (c claims) time(name string) (time.Time, bool) {
	n, ok := c[name].(json.Number)
	if !ok {
		return time.Time{}, false
	}
	seconds, err := n.Float64()
	if err != nil {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(seconds * 1000)), true
}

// texts are the claims as functions get them: as strings, lists in brackets
// without commas, as recorded against HTTP APIs.
func (c claims) texts() map[string]string {
	out := make(map[string]string, len(c))
	for name, value := range c {
		if value != nil {
			out[name] = fmt.Sprint(value)
		}
	}
	return out
}
