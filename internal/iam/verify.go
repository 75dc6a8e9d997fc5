package iam

import (
	"net/http"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

// Verify checks a request's signature over its method, path, query, signed headers
// and body, its time and its session token. It answers who signed it, and for
// which service and region. For S3 the body is not looked at: its hash is signed
// as the client declares it, and whoever reads the body compares.
//
// The error has the code that clients of the request's protocol know.
func (a *Authority) Verify(r *http.Request, body []byte) (who Principal, service, region string, err error) {
	s, err := parse(r)
	if err != nil {
		service, _ = Scope(r)
		return Principal{}, service, "", dialect(r, service, err)
	}
	who, err = a.verify(s, r, body)
	if err != nil {
		return Principal{}, s.service, s.region, dialect(r, s.service, err)
	}
	if who.Type == TypeUser && s.token == "" {
		a.touch(r.Context(), s.keyID, s.service, s.region)
	}
	return who, s.service, s.region, nil
}

// Claimed tells whose key a request says that it was signed with. The signature is
// not verified: S3's is the object store's to check, since bodies stream.
func (a *Authority) Claimed(r *http.Request) (Principal, error) {
	s, err := parse(r)
	if err == nil {
		_, who, found := a.find(s.keyID, s.token)
		if err = found; err == nil {
			return who, nil
		}
	}
	service, _ := Scope(r)
	return Principal{}, dialect(r, service, err)
}

func (a *Authority) verify(s *signature, r *http.Request, body []byte) (Principal, error) {
	keys, who, err := a.find(s.keyID, s.token)
	if err != nil {
		return Principal{}, err
	}
	if err := s.inTime(time.Now()); err != nil {
		return Principal{}, err
	}
	hash, ok := s.hash(body)
	if !ok {
		return Principal{}, mismatch("the body is not the one that was signed")
	}
	if !s.matches(r, keys.SecretAccessKey, hash) {
		return Principal{}, mismatch("check the secret access key and how the request was signed")
	}
	return who, nil
}

func (s *signature) inTime(now time.Time) error {
	late := now.Sub(s.at)
	limit := skew
	if s.presigned {
		limit = s.expires
	}
	if late > limit || late < -skew {
		return coded("RequestTimeTooSkewed", "Signature expired or not yet valid: it was made at %s and it is now %s.", s.at.Format(timeFormat), now.UTC().Format(timeFormat))
	}
	return nil
}

var errUnsigned = coded("MissingAuthenticationToken", "The request is not signed; sign it with an access key of this installation.")

func mismatch(why string) error {
	return coded("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided: %s.", why)
}

func incomplete(what string) error {
	return coded("IncompleteSignature", "The request's signature is not complete: %s.", what)
}

func coded(code, format string, args ...any) error {
	return fault.Coded(fault.Unauthenticated, code, format, args...)
}

// Protocols call the same things differently. The codes in this package are those
// of AWS Query.
var (
	jsonCodes = map[string]string{
		"InvalidClientTokenId":       "UnrecognizedClientException",
		"SignatureDoesNotMatch":      "InvalidSignatureException",
		"RequestTimeTooSkewed":       "InvalidSignatureException",
		"ExpiredToken":               "ExpiredTokenException",
		"IncompleteSignature":        "IncompleteSignatureException",
		"MissingAuthenticationToken": "MissingAuthenticationTokenException",
	}
	queryCodes = map[string]string{"RequestTimeTooSkewed": "SignatureDoesNotMatch"}
	s3Codes    = map[string]string{
		"InvalidClientTokenId":       "InvalidAccessKeyId",
		"IncompleteSignature":        "AuthorizationHeaderMalformed",
		"MissingAuthenticationToken": "AccessDenied",
	}
)

// dialect gives an error the code of the request's protocol.
func dialect(r *http.Request, service string, err error) error {
	code := fault.CodeOf(err)
	codes := jsonCodes
	switch {
	case service == "s3":
		codes = s3Codes
	case r.Header.Get("X-Amz-Target") != "":
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"), r.URL.Query().Has("Action"):
		codes = queryCodes
	}
	if other, ok := codes[code]; ok {
		return fault.Coded(fault.Unauthenticated, other, "%w", err)
	}
	return err
}
