package iam

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

// Signature Version 4, as AWS documents it under "Create a signed AWS API request".

const (
	algorithm  = "AWS4-HMAC-SHA256"
	timeFormat = "20060102T150405Z"
	// skew is how far the signature's time may be from ours.
	skew = 15 * time.Minute
	// maxExpires is how long a presigned request may be valid: seven days.
	maxExpires = 7 * 24 * time.Hour
)

// signature is what a request says about its own signature.
type signature struct {
	keyID, date, region, service string
	signed                       []string // lower-case header names, sorted
	value                        []byte
	at                           time.Time
	expires                      time.Duration // of a presigned request, else 0
	token                        string
	payload                      string // hash as the client declares it
}

// Scope tells which service a request is signed for, without verifying it.
func Scope(r *http.Request) (service string, ok bool) {
	credential := ""
	if v := r.Header.Get("Authorization"); strings.HasPrefix(v, algorithm) {
		credential = fields(v)["Credential"]
	} else if r.URL.RawQuery != "" {
		credential = r.URL.Query().Get("X-Amz-Credential")
	}
	parts := strings.Split(credential, "/")
	if len(parts) < 5 || parts[len(parts)-1] != "aws4_request" {
		return "", false
	}
	return parts[len(parts)-2], true
}

// Verify checks a request's signature over its method, path, query, signed headers
// and body, its time and its session token. It answers who signed it, and for
// which service and region.
func (k *Authority) Verify(r *http.Request, body []byte) (who Principal, service, region string, err error) {
	s, err := parse(r)
	if err != nil {
		return who, "", "", err
	}
	keys, who, ok := k.find(s.keyID)
	if !ok || subtle.ConstantTimeCompare([]byte(s.token), []byte(keys.SessionToken)) != 1 {
		return Principal{}, s.service, s.region, fault.Coded(fault.Unauthenticated, "UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	if err := s.inTime(time.Now()); err != nil {
		return Principal{}, s.service, s.region, err
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	if s.payload != "" && s.payload != "UNSIGNED-PAYLOAD" && s.payload != hash {
		return Principal{}, s.service, s.region, mismatch("the body is not the one that was signed")
	}
	if s.payload == "UNSIGNED-PAYLOAD" {
		hash = s.payload
	}
	if !hmac.Equal(s.sign(keys.SecretAccessKey, s.canonical(r, hash)), s.value) {
		return Principal{}, s.service, s.region, mismatch("check the secret access key and how the request was signed")
	}
	return who, s.service, s.region, nil
}

// Claimed tells whose key a request says that it was signed with. The signature is
// not verified: S3's is the object store's to check, since bodies stream.
func (k *Authority) Claimed(r *http.Request) (Principal, error) {
	s, err := parse(r)
	if err != nil {
		return Principal{}, err
	}
	keys, who, ok := k.find(s.keyID)
	if !ok || subtle.ConstantTimeCompare([]byte(s.token), []byte(keys.SessionToken)) != 1 {
		return Principal{}, fault.Coded(fault.Unauthenticated, "UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	return who, nil
}

func mismatch(why string) error {
	return fault.Coded(fault.Unauthenticated, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided: %s.", why)
}

func incomplete(what string) error {
	return fault.Coded(fault.Unauthenticated, "IncompleteSignature", "The request's signature is not complete: %s.", what)
}

// parse reads the signature from the Authorization header or the query.
func parse(r *http.Request) (*signature, error) {
	q := r.URL.Query()
	var credential, signed, value, date string
	s := &signature{}
	header := r.Header.Get("Authorization")
	switch {
	case strings.HasPrefix(header, algorithm):
		f := fields(header)
		credential, signed, value = f["Credential"], f["SignedHeaders"], f["Signature"]
		date, s.token, s.payload = r.Header.Get("X-Amz-Date"), r.Header.Get("X-Amz-Security-Token"), r.Header.Get("X-Amz-Content-Sha256")
	case q.Get("X-Amz-Algorithm") == algorithm:
		credential, signed, value = q.Get("X-Amz-Credential"), q.Get("X-Amz-SignedHeaders"), q.Get("X-Amz-Signature")
		date, s.token = q.Get("X-Amz-Date"), q.Get("X-Amz-Security-Token")
		d, err := time.ParseDuration(q.Get("X-Amz-Expires") + "s")
		if err != nil || d <= 0 || d > maxExpires {
			return nil, incomplete("X-Amz-Expires must be from 1 to 604800 seconds")
		}
		s.expires = d
	default:
		return nil, fault.Coded(fault.Unauthenticated, "MissingAuthenticationToken", "The request is not signed; sign it with an access key of this installation.")
	}
	parts := strings.Split(credential, "/")
	if len(parts) != 5 || parts[4] != "aws4_request" {
		return nil, incomplete("the credential is not of the form KEY/DATE/REGION/SERVICE/aws4_request")
	}
	s.keyID, s.date, s.region, s.service = parts[0], parts[1], parts[2], parts[3]
	var err error
	if s.value, err = hex.DecodeString(value); err != nil || len(s.value) != sha256.Size {
		return nil, incomplete("Signature is not 64 hexadecimal digits")
	}
	if s.at, err = time.Parse(timeFormat, date); err != nil || !strings.HasPrefix(date, s.date) {
		return nil, incomplete("X-Amz-Date must be of the form YYYYMMDDThhmmssZ and of the credential's day")
	}
	s.signed = strings.Split(strings.ToLower(signed), ";")
	if !slices.Contains(s.signed, "host") || !slices.IsSorted(s.signed) {
		return nil, incomplete("SignedHeaders must be sorted and include host")
	}
	return s, nil
}

// fields splits "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…".
func fields(header string) map[string]string {
	f := map[string]string{}
	for part := range strings.SplitSeq(strings.TrimPrefix(header, algorithm), ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		f[k] = v
	}
	return f
}

func (s *signature) inTime(now time.Time) error {
	late := now.Sub(s.at)
	limit := skew
	if s.expires > 0 {
		limit = s.expires
	}
	if late > limit || late < -skew {
		return fault.Coded(fault.Unauthenticated, "SignatureDoesNotMatch", "Signature expired or not yet valid: it was made at %s and it is now %s.", s.at.Format(timeFormat), now.UTC().Format(timeFormat))
	}
	return nil
}

func (s *signature) canonical(r *http.Request, hash string) []byte {
	var b bytes.Buffer
	line := func(v string) { b.WriteString(v); b.WriteByte('\n') }
	line(r.Method)
	line(canonicalPath(r))
	line(canonicalQuery(r.URL))
	for _, name := range s.signed {
		line(name + ":" + headerValue(r, name))
	}
	line("")
	line(strings.Join(s.signed, ";"))
	b.WriteString(hash)
	return b.Bytes()
}

// canonicalPath is the path as it was sent, encoded once more: every service but
// S3 signs it so.
func canonicalPath(r *http.Request) string {
	path := r.URL.EscapedPath()
	if path == "" {
		return "/"
	}
	return escape(path, true)
}

func canonicalQuery(u *url.URL) string {
	q := u.Query()
	q.Del("X-Amz-Signature")
	var pairs []string
	for k, values := range q {
		for _, v := range values {
			pairs = append(pairs, escape(k, false)+"="+escape(v, false))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// escape encodes all but the unreserved characters of RFC 3986.
func escape(s string, slash bool) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0, slash && c == '/':
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String()
}

func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length": // the server has taken it out of the headers
		if r.ContentLength >= 0 {
			return strconv.FormatInt(r.ContentLength, 10)
		}
	}
	values := slices.Clone(r.Header.Values(name))
	for i, v := range values {
		values[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(values, ",")
}

func (s *signature) sign(secret string, canonical []byte) []byte {
	scope := s.date + "/" + s.region + "/" + s.service + "/aws4_request"
	sum := sha256.Sum256(canonical)
	text := algorithm + "\n" + s.at.Format(timeFormat) + "\n" + scope + "\n" + hex.EncodeToString(sum[:])
	key := []byte("AWS4" + secret)
	for _, part := range []string{s.date, s.region, s.service, "aws4_request", text} {
		mac := hmac.New(sha256.New, key)
		_, _ = io.WriteString(mac, part)
		key = mac.Sum(nil)
	}
	return key
}
