package console

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/dropstack/dropstack/internal/fault"
)

const (
	// maxCall bounds the body of a call, as the AWS endpoint does.
	maxCall = 8 << 20
	// presigned is how long a link to an object is good for.
	presigned = 15 * time.Minute
	unsigned  = "UNSIGNED-PAYLOAD"
)

// call passes a call on to the AWS endpoint, signed with the caller's access key, so
// that it is verified, authorised and recorded there as any other. /call/SERVICE/REST
// is /REST of the service.
func (s *Server) call(w http.ResponseWriter, r *http.Request) {
	service := r.PathValue("service")
	out, err := s.onward(w, r, service)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	// what an object or a function answers is shown by the pages, never as one
	w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'; frame-ancestors 'none'")
	s.AWS.ServeHTTP(w, out)
}

// onward is the request that goes to the AWS endpoint.
func (s *Server) onward(w http.ResponseWriter, r *http.Request, service string) (*http.Request, error) {
	keys, err := s.keysOf(callerOf(r.Context()))
	if err != nil {
		return nil, err
	}
	var body []byte
	if body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxCall)); err != nil {
		return nil, fault.Errorf(fault.TooLarge, "the body of a call is over %d bytes, or was cut off", maxCall)
	}
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/call/"+service)
	u, err := url.Parse(s.Endpoints.AWS + path)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "the path %s: %w", path, err)
	}
	u.RawQuery = r.URL.RawQuery
	out, err := http.NewRequestWithContext(r.Context(), r.Method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "%w", err)
	}
	for name, values := range r.Header {
		if goesOn(name) {
			out.Header[name] = values
		}
	}
	sum := unsigned
	if service != "s3" {
		digest := sha256.Sum256(body)
		sum = hex.EncodeToString(digest[:])
	}
	out.Header.Set("X-Amz-Content-Sha256", sum)
	if err := signer(service).SignHTTP(r.Context(), keys, out, sum, service, s.Region, time.Now()); err != nil {
		return nil, err
	}
	out.RemoteAddr, out.RequestURI, out.TLS = r.RemoteAddr, out.URL.RequestURI(), r.TLS
	return out, nil
}

// goesOn reports whether a header is for the service that is called.
func goesOn(name string) bool {
	switch name {
	case "Content-Type", "Accept", "Range", "If-Match", "If-None-Match", "User-Agent":
		return true
	case "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256":
		return false
	}
	return strings.HasPrefix(name, "X-Amz-")
}

// signer signs as a service expects it: S3 escapes paths once, others twice.
func signer(service string) *v4.Signer {
	return v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
}

func (s *Server) keysOf(c caller) (aws.Credentials, error) {
	secret, err := s.Authority.Secret(c.key, c.token)
	return aws.Credentials{AccessKeyID: c.key, SecretAccessKey: secret, SessionToken: c.token}, err
}

// presign answers a link by which a browser opens an object, for whoever has it.
func (s *Server) presign(w http.ResponseWriter, r *http.Request) {
	var in struct{ Bucket, Key string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&in); err != nil || in.Bucket == "" || in.Key == "" {
		s.refuse(w, r, fault.Errorf(fault.Invalid, "send {\"Bucket\": …, \"Key\": …}"))
		return
	}
	keys, err := s.keysOf(callerOf(r.Context()))
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	at := s.Endpoints.AWS + "/" + url.PathEscape(in.Bucket) + "/" + (&url.URL{Path: in.Key}).EscapedPath()
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, at, nil)
	if err != nil {
		s.refuse(w, r, fault.Errorf(fault.Invalid, "%w", err))
		return
	}
	q := req.URL.Query()
	q.Set("X-Amz-Expires", "900")
	req.URL.RawQuery = q.Encode()
	signed, _, err := signer("s3").PresignHTTP(r.Context(), keys, req, unsigned, "s3", s.Region, time.Now())
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"url": signed, "expires": time.Now().Add(presigned)})
}
