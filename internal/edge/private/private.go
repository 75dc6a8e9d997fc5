// Package private checks the signatures of private content: CloudFront's signed URLs
// and signed cookies, whoever has made them.
//
// A signature covers a policy: which resources, until when, from when, for whom. The
// canned policy is for one URL until one moment and is not sent along; a custom one
// is. What a request carries of all this is taken out of it before anybody else, the
// cache included, gets to see it.
package private

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha1" // CloudFront's default, which all of its signers use
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Keys are the public keys of those who may sign, by id.
type Keys map[string]crypto.PublicKey

// ParseKey reads a public key: RSA of 2048 bits or more, or ECDSA on P-256.
func ParseKey(text string) (crypto.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "PUBLIC KEY" && block.Type != "RSA PUBLIC KEY" {
		return nil, errors.New(`it is not a public key in PEM; it begins with "-----BEGIN PUBLIC KEY-----", as openssl pkey -pubout prints it`)
	}
	var key any
	var err error
	if block.Type == "RSA PUBLIC KEY" {
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	} else {
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	}
	if err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < 2048 {
			return nil, fmt.Errorf("RSA keys need 2048 bits; it has %d", k.N.BitLen())
		}
		return k, nil
	case *ecdsa.PublicKey:
		if k.Curve.Params().Name != "P-256" {
			return nil, fmt.Errorf("ECDSA keys must be on the curve P-256; it is on %s", k.Curve.Params().Name)
		}
		return k, nil
	}
	return nil, errors.New("it is neither an RSA nor an ECDSA key")
}

// Refusal is why a request may not have what it asks for, as CloudFront says it.
type Refusal struct{ Code, Message string }

func (r *Refusal) Error() string { return r.Code + ": " + r.Message }

var (
	missingKey         = &Refusal{"MissingKey", "Missing Key-Pair-Id query parameter or cookie value"}
	missingSignature   = &Refusal{"MissingSignature", "Missing Signature query parameter or cookie value"}
	missingPolicy      = &Refusal{"MissingPolicy", "Missing Policy or Expires query parameter or cookie value"}
	unknownKey         = &Refusal{"InvalidKey", "Unknown Key"}
	malformedPolicy    = &Refusal{"MalformedPolicy", "Malformed Policy"}
	malformedSignature = &Refusal{"MalformedSignature", "Could not unencode Signature"}
	denied             = &Refusal{"AccessDenied", "Access denied"}
)

// Claim is what a request carries to show that it may have what it asks for.
type Claim struct {
	expires, policy, signature, key, algorithm string
}

// set takes a parameter of a signed URL; the names of cookies begin with "CloudFront-"
// besides. It says whether it was one.
func (c *Claim) set(name, value string) bool {
	switch name {
	case "Expires":
		c.expires = value
	case "Policy":
		c.policy = value
	case "Signature":
		c.signature = value
	case "Key-Pair-Id":
		c.key = value
	case "Hash-Algorithm":
		c.algorithm = value
	default:
		return false
	}
	return true
}

// Take finds the claim of a request, that of the URL before that of cookies, and
// returns the request without any of it.
func Take(r *http.Request) (Claim, *http.Request) {
	var byURL, byCookie Claim
	out := r.WithContext(r.Context())
	u := *r.URL
	out.URL = &u
	u.RawQuery = keep(r.URL.RawQuery, "&", func(pair string) bool {
		name, value, _ := strings.Cut(pair, "=")
		plain, err := url.QueryUnescape(value)
		if err != nil {
			plain = value
		}
		return !byURL.set(name, plain)
	})
	if lines := r.Header["Cookie"]; len(lines) > 0 {
		found := false
		rest := keep(strings.Join(lines, "; "), ";", func(pair string) bool {
			name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			name, ours := strings.CutPrefix(name, "CloudFront-")
			taken := ours && byCookie.set(name, strings.Trim(value, `"`))
			found = found || taken
			return !taken
		})
		if found {
			out.Header = r.Header.Clone()
			out.Header.Del("Cookie")
			if rest = strings.TrimSpace(rest); rest != "" {
				out.Header.Set("Cookie", rest)
			}
		}
	}
	if byURL.key != "" || byURL.signature != "" { // "Policy" alone may be anybody's parameter
		return byURL, out
	}
	return byCookie, out
}

// keep is the parts of a list that are wanted, as they were written.
func keep(list, separator string, wanted func(part string) bool) string {
	if list == "" {
		return ""
	}
	var out []string
	for part := range strings.SplitSeq(list, separator) {
		if wanted(part) {
			out = append(out, part)
		}
	}
	return strings.Join(out, separator)
}

// Judge says whether the claim lets a client have one of the URLs, which are ways to
// write the same thing. They are whole, from "http" to the query, without the claim.
func (k Keys) Judge(c Claim, urls []string, client netip.Addr, now time.Time) *Refusal {
	switch {
	case c.key == "":
		return missingKey
	case c.signature == "":
		return missingSignature
	case c.policy == "" && c.expires == "":
		return missingPolicy
	}
	key, ok := k[c.key]
	if !ok {
		return unknownKey
	}
	signature, err := decode(c.signature)
	if err != nil {
		return malformedSignature
	}
	if c.policy != "" {
		return c.custom(key, signature, urls, client, now)
	}
	expires, err := strconv.ParseInt(c.expires, 10, 64)
	if err != nil {
		return malformedPolicy
	}
	for _, u := range urls {
		canned := `{"Statement":[{"Resource":"` + u + `","Condition":{"DateLessThan":{"AWS:EpochTime":` + c.expires + `}}}]}`
		if c.verifies(key, []byte(canned), signature) {
			if now.Unix() >= expires {
				return denied
			}
			return nil
		}
	}
	return denied
}

// custom judges by the policy that has been sent along.
func (c *Claim) custom(key crypto.PublicKey, signature []byte, urls []string, client netip.Addr, now time.Time) *Refusal {
	doc, err := decode(c.policy)
	if err != nil {
		return malformedPolicy
	}
	if !c.verifies(key, doc, signature) {
		return denied
	}
	p, err := parsePolicy(doc)
	if err != nil {
		return malformedPolicy
	}
	if !p.allows(urls, client, now) {
		return denied
	}
	return nil
}

// verifies says whether the key's owner has signed the document.
func (c *Claim) verifies(key crypto.PublicKey, doc, signature []byte) bool {
	var hash crypto.Hash
	var sum []byte
	switch strings.ToUpper(c.algorithm) {
	case "", "SHA1":
		s := sha1.Sum(doc)
		hash, sum = crypto.SHA1, s[:]
	case "SHA256":
		s := sha256.Sum256(doc)
		hash, sum = crypto.SHA256, s[:]
	default:
		return false
	}
	switch k := key.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(k, hash, sum, signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, sum, signature)
	}
	return false
}

// decode is CloudFront's base64, which has "-_~" for what URLs do not like.
func decode(text string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "=", "~", "/").Replace(text))
}
