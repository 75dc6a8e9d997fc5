package api

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/iam/policy"
)

// Objects is Amazon S3. What a request may do is decided here; the object store
// behind it verifies the signature, as bodies stream and are signed in chunks.
type Objects struct {
	Store http.Handler
	// Caller tells whose access key a request names, without proof: who borrows
	// somebody's key id gets no further than the store's signature check.
	Caller interface {
		Claimed(r *http.Request) (iam.Principal, error)
	}
	// Notifications are served here: the store has none.
	Notifications *Notifications
	// Policy is the policy of a bucket, "" if it has none.
	Policy func(ctx context.Context, bucket string) (string, error)

	parsed policy.Cache
}

// objectsService is what permissions and records call it.
var objectsService = &Service{Scope: "s3"}

// serveObjects passes a request on if its caller may make it.
func (s *Server) serveObjects(w http.ResponseWriter, r *http.Request) {
	scope, signed := iam.Scope(r)
	c := &call{w: w, r: r, id: uuid.NewString(), at: r.Context(), scope: scope, service: objectsService}
	if r.Method == http.MethodOptions { // a browser asks before it signs
		s.Objects.Store.ServeHTTP(w, r)
		return
	}
	if !signed {
		s.serveStranger(c)
		return
	}
	who, err := s.Objects.Caller.Claimed(r)
	if err != nil {
		s.failObjects(c, err)
		return
	}
	c.who = who
	c.at = iam.With(c.at, who, requestOf(c, s.Region))
	o, err := objectOperation(r, s.Region)
	if err != nil {
		s.failObjects(c, err)
		return
	}
	c.operation, c.in = o.name, &objectParameters{BucketName: o.bucket, Key: o.key}
	if err := s.Objects.askPolicy(c.at, &o); err != nil {
		s.failObjects(c, err)
		return
	}
	kept := &keptAnswer{header: http.Header{}}
	err = s.perform(c, Operation{
		need: func(context.Context, any) []Need { return o.needs },
		data: !o.control,
		do: func(ctx context.Context, _ any) (any, error) {
			if !o.control {
				s.Objects.Store.ServeHTTP(w, r.WithContext(ctx))
				return nil, nil
			}
			if err := s.onBucket(ctx, kept, c, o); err != nil {
				return nil, err
			}
			kept.WriteHeader(http.StatusOK)
			return nil, kept.fault()
		},
	})
	switch {
	case kept.status != 0 && (err == nil || fault.KindOf(err) != fault.Unavailable):
		kept.release(w)
	case err != nil:
		s.failObjects(c, err)
	}
}

// serveStranger passes on what a bucket's policy allows everybody. The store has to
// agree: it has a policy of the same text.
func (s *Server) serveStranger(c *call) {
	c.at = iam.With(c.at, iam.Anonymous, requestOf(c, s.Region))
	o, err := objectOperation(c.r, s.Region)
	if err == nil && o.name == "PostObject" {
		err = fault.Coded(fault.Invalid, "NotImplemented", "Uploads by a browser's form are not available; sign the URL of a PUT.")
	}
	if err == nil {
		err = s.Objects.askPolicy(c.at, &o)
	}
	for i := 0; err == nil && i < len(o.needs); i++ {
		n := o.needs[i]
		err = s.Authority.AuthorizeWith(c.at, n.Action, n.Resource, n.Conditions, n.Policies...)
	}
	if err != nil {
		s.failObjects(c, err)
		return
	}
	s.Objects.Store.ServeHTTP(c.w, c.r)
}

// askPolicy has the bucket's policy decide too, over what is asked of that bucket.
func (b *Objects) askPolicy(ctx context.Context, o *objectCall) error {
	if o.bucket == "" || b.Policy == nil {
		return nil
	}
	text, err := b.Policy(ctx, o.bucket)
	if err != nil || text == "" {
		return err
	}
	document, err := b.parsed.Parse(policy.Resource, text)
	if err != nil {
		return fmt.Errorf("policy of bucket %s: %w", o.bucket, err)
	}
	own := arn.Bucket(o.bucket)
	for i := range o.needs {
		if r := o.needs[i].Resource; r == own || strings.HasPrefix(r, own+"/") {
			o.needs[i].Policies = []policy.Document{document}
		}
	}
	return nil
}

// onBucket answers a call of the control plane, from the store or by ourselves.
func (s *Server) onBucket(ctx context.Context, w http.ResponseWriter, c *call, o objectCall) error {
	put := o.name == "PutBucketPolicy"
	if !put && !strings.HasSuffix(o.name, "BucketNotification") {
		s.Objects.Store.ServeHTTP(w, c.r.WithContext(ctx))
		return nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, c.r.Body, maxConfiguration))
	if err != nil {
		return fault.Coded(fault.TooLarge, "EntityTooLarge", "the configuration is over %d bytes, or was cut off", maxConfiguration)
	}
	if _, _, _, err := s.Authority.Verify(c.r, body); err != nil {
		return err
	}
	if !put {
		return s.Objects.Notifications.serve(ctx, w, c.r, o.bucket, body)
	}
	if _, err := s.Objects.parsed.Parse(policy.Resource, string(body)); err != nil {
		return fault.Coded(fault.Invalid, "MalformedPolicy", "%w", err)
	}
	c.r.Body = io.NopCloser(bytes.NewReader(body))
	s.Objects.Store.ServeHTTP(w, c.r.WithContext(ctx))
	return nil
}

// maxConfiguration bounds what describes a bucket's notifications, or its policy.
const maxConfiguration = 1 << 20

// objectParameters are what a record says of a call.
type objectParameters struct {
	BucketName string `json:"bucketName"`
	Key        string `json:"key,omitempty"`
}

// keptAnswer is the store's answer to a call of the control plane, which waits for
// its record.
type keptAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (k *keptAnswer) Header() http.Header { return k.header }

func (k *keptAnswer) WriteHeader(status int) {
	if k.status == 0 {
		k.status = status
	}
}

func (k *keptAnswer) Write(p []byte) (int, error) {
	k.WriteHeader(http.StatusOK)
	return k.body.Write(p)
}

// fault is what the store answered, as an error to be recorded.
func (k *keptAnswer) fault() error {
	if k.status < 300 {
		return nil
	}
	var e struct{ Code, Message string }
	if xml.Unmarshal(k.body.Bytes(), &e) != nil || e.Code == "" {
		e.Code = http.StatusText(k.status)
	}
	return fault.Coded(fault.Invalid, e.Code, "%s", e.Message)
}

func (k *keptAnswer) release(w http.ResponseWriter) {
	for name, values := range k.header {
		w.Header()[name] = values
	}
	w.WriteHeader(k.status)
	_, _ = w.Write(k.body.Bytes()) // a caller that has left needs no answer
}

// failObjects answers an error as S3 does.
func (s *Server) failObjects(c *call, err error) {
	f := failureOf(err, c.id)
	if f.ours {
		s.Log.Error("call failed", "service", "s3", "operation", c.operation, "path", c.r.URL.Path, "request", c.id, "err", err)
	}
	if code, ok := objectCodes[f.code]; ok {
		f.code = code
	}
	doc, err := xml.Marshal(struct {
		XMLName                            xml.Name `xml:"Error"`
		Code, Message, Resource, RequestId string
	}{Code: f.code, Message: f.message, Resource: c.r.URL.Path, RequestId: c.id})
	if err != nil {
		panic(err) // strings always marshal
	}
	c.w.Header().Set("Content-Type", "application/xml")
	c.w.Header().Set("X-Amz-Request-Id", c.id)
	c.w.WriteHeader(f.status)
	_, _ = c.w.Write(doc)
}

// objectCodes are S3's names for errors that every service has.
var objectCodes = map[string]string{
	"AccessDeniedException": "AccessDenied", "UnrecognizedClientException": "InvalidAccessKeyId", "ExpiredTokenException": "ExpiredToken",
	"ServiceUnavailableException": "ServiceUnavailable", "InternalFailure": "InternalError", "ValidationException": "InvalidRequest",
}
