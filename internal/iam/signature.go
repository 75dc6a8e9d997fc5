package iam

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Signature Version 4, as AWS documents it under "Create a signed AWS API request".

const (
	algorithm  = "AWS4-HMAC-SHA256"
	timeFormat = "20060102T150405Z"
	// skew is how far the signature's time may be from ours.
	skew = 15 * time.Minute
	// maxExpires is how long a presigned request may be valid: seven days.
	maxExpires = 7 * 24 * time.Hour
	unsigned   = "UNSIGNED-PAYLOAD"
)

// signature is what a request says about its own signature.
type signature struct {
	keyID, date, region, service string
	signed                       []string // lower-case header names, sorted
	value                        []byte
	at                           time.Time
	presigned                    bool
	expires                      time.Duration // of a presigned request
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
		date, s.token, s.payload = headerDate(r), r.Header.Get("X-Amz-Security-Token"), r.Header.Get("X-Amz-Content-Sha256")
	case q.Get("X-Amz-Algorithm") == algorithm:
		credential, signed, value = q.Get("X-Amz-Credential"), q.Get("X-Amz-SignedHeaders"), q.Get("X-Amz-Signature")
		date, s.token = q.Get("X-Amz-Date"), q.Get("X-Amz-Security-Token")
		seconds, err := strconv.Atoi(q.Get("X-Amz-Expires"))
		if s.expires = time.Duration(seconds) * time.Second; err != nil || seconds < 1 || seconds > int(maxExpires/time.Second) {
			return nil, incomplete("X-Amz-Expires must be from 1 to 604800 seconds")
		}
		s.presigned = true
	default:
		return nil, errUnsigned
	}
	parts := strings.Split(credential, "/")
	if len(parts) != 5 || parts[4] != "aws4_request" || slices.Contains(parts, "") {
		return nil, incomplete("the credential is not of the form KEY/DATE/REGION/SERVICE/aws4_request")
	}
	s.keyID, s.date, s.region, s.service = parts[0], parts[1], parts[2], parts[3]
	var err error
	if s.value, err = hex.DecodeString(value); err != nil || len(s.value) != sha256.Size {
		return nil, incomplete("Signature is not 64 hexadecimal digits")
	}
	if s.at, err = time.Parse(timeFormat, date); err != nil || date[:len("20060102")] != s.date {
		return nil, incomplete("X-Amz-Date must be of the form YYYYMMDDThhmmssZ and of the credential's day")
	}
	s.signed = strings.Split(strings.ToLower(signed), ";")
	if !slices.Contains(s.signed, "host") || !slices.IsSorted(s.signed) {
		return nil, incomplete("SignedHeaders must be sorted and include host")
	}
	return s, s.covers(r)
}

// headerDate is X-Amz-Date, or Date for clients that have no other.
func headerDate(r *http.Request) string {
	if date := r.Header.Get("X-Amz-Date"); date != "" {
		return date
	}
	if at, err := http.ParseTime(r.Header.Get("Date")); err == nil {
		return at.UTC().Format(timeFormat)
	}
	return r.Header.Get("Date")
}

// covers checks that no header that says what is asked was left unsigned.
func (s *signature) covers(r *http.Request) error {
	for name := range r.Header {
		name = strings.ToLower(name)
		switch name {
		case "x-amz-user-agent", "x-amz-security-token": // the token is bound to its key
			continue
		}
		if strings.HasPrefix(name, "x-amz-") && !slices.Contains(s.signed, name) {
			return incomplete("the header " + name + " is not among the SignedHeaders")
		}
	}
	return nil
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

// hash is what stands for the body in what is signed. ok is false when the client
// declares a body that is not this one. The bodies of S3 stream: whoever reads
// them checks them.
func (s *signature) hash(body []byte) (hash string, ok bool) {
	if s.service == "s3" {
		if s.presigned {
			return unsigned, true
		}
		return s.payload, s.payload != ""
	}
	if s.payload == unsigned {
		return unsigned, true
	}
	sum := sha256.Sum256(body)
	hash = hex.EncodeToString(sum[:])
	return hash, s.payload == "" || s.payload == hash
}

// matches tells whether the signature is the one that secret makes. Clients differ
// in whether they normalise the path that they sign.
func (s *signature) matches(r *http.Request, secret, hash string) bool {
	key := s.key(secret)
	for _, path := range s.paths(r.URL) {
		if hmac.Equal(s.sign(key, s.canonical(r, path, hash)), s.value) {
			return true
		}
	}
	return false
}

// paths are the forms in which a client may have signed the path: as it was sent,
// encoded once more, and the same without dots and double slashes. For S3 it is
// encoded once and otherwise left alone, since keys may hold anything.
func (s *signature) paths(u *url.URL) []string {
	sent := u.EscapedPath()
	if sent == "" {
		sent = "/"
	}
	if s.service == "s3" {
		segments := strings.Split(sent, "/")
		for i, segment := range segments {
			if plain, err := url.PathUnescape(segment); err == nil {
				segments[i] = escape(plain, false)
			}
		}
		return []string{strings.Join(segments, "/"), sent}
	}
	list := []string{escape(sent, true)}
	if clean := path.Clean(sent); clean != sent {
		if strings.HasSuffix(sent, "/") && clean != "/" {
			clean += "/"
		}
		list = append(list, escape(clean, true))
	}
	return list
}

func (s *signature) canonical(r *http.Request, path, hash string) []byte {
	var b bytes.Buffer
	line := func(v string) { b.WriteString(v); b.WriteByte('\n') }
	line(r.Method)
	line(path)
	line(canonicalQuery(r.URL))
	for _, name := range s.signed {
		line(name + ":" + headerValue(r, name))
	}
	line("")
	line(strings.Join(s.signed, ";"))
	b.WriteString(hash)
	return b.Bytes()
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

// key is the signing key of the signature's scope.
func (s *signature) key(secret string) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{s.date, s.region, s.service, "aws4_request"} {
		key = mac(key, part)
	}
	return key
}

func (s *signature) sign(key, canonical []byte) []byte {
	scope := s.date + "/" + s.region + "/" + s.service + "/aws4_request"
	sum := sha256.Sum256(canonical)
	return mac(key, algorithm+"\n"+s.at.Format(timeFormat)+"\n"+scope+"\n"+hex.EncodeToString(sum[:]))
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = io.WriteString(h, text)
	return h.Sum(nil)
}
