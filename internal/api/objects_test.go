package api_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
)

// TestWhatObjectRequestsNeed: the operation and the permissions of every kind of
// request, as AWS documents them under "Actions, resources, and condition keys for
// Amazon S3".
func TestWhatObjectRequestsNeed(t *testing.T) {
	for request, want := range map[string]string{
		"GET /":                                "ListBuckets s3:ListAllMyBuckets *",
		"PUT /b":                               "CreateBucket s3:CreateBucket arn:aws:s3:::b",
		"PUT /b/":                              "CreateBucket s3:CreateBucket arn:aws:s3:::b",
		"DELETE /b":                            "DeleteBucket s3:DeleteBucket arn:aws:s3:::b",
		"HEAD /b":                              "HeadBucket s3:ListBucket arn:aws:s3:::b",
		"GET /b?list-type=2&prefix=a%2F":       "ListObjects s3:ListBucket arn:aws:s3:::b s3:prefix=a/",
		"GET /b?uploads":                       "ListMultipartUploads s3:ListBucketMultipartUploads arn:aws:s3:::b",
		"GET /b?versions":                      "ListObjectVersions s3:ListBucketVersions arn:aws:s3:::b",
		"GET /b?location":                      "GetBucketLocation s3:GetBucketLocation arn:aws:s3:::b",
		"PUT /b?policy":                        "PutBucketPolicy s3:PutBucketPolicy arn:aws:s3:::b",
		"DELETE /b?policy":                     "DeleteBucketPolicy s3:DeleteBucketPolicy arn:aws:s3:::b",
		"GET /b?notification":                  "GetBucketNotification s3:GetBucketNotification arn:aws:s3:::b",
		"PUT /b?notification":                  "PutBucketNotification s3:PutBucketNotification arn:aws:s3:::b",
		"GET /b?tagging":                       "GetBucketTagging s3:GetBucketTagging arn:aws:s3:::b",
		"DELETE /b?lifecycle":                  "PutLifecycleConfiguration s3:PutLifecycleConfiguration arn:aws:s3:::b",
		"GET /b?encryption":                    "GetEncryptionConfiguration s3:GetEncryptionConfiguration arn:aws:s3:::b",
		"GET /b/k":                             "GetObject s3:GetObject arn:aws:s3:::b/k",
		"HEAD /b/a/k%20x":                      "GetObject s3:GetObject arn:aws:s3:::b/a/k x",
		"GET /b/k?versionId=1":                 "GetObject s3:GetObjectVersion arn:aws:s3:::b/k",
		"GET /b/k?tagging":                     "GetObjectTagging s3:GetObjectTagging arn:aws:s3:::b/k",
		"GET /b/k?attributes":                  "GetObjectAttributes s3:GetObjectAttributes arn:aws:s3:::b/k",
		"GET /b/k?uploadId=1":                  "ListParts s3:ListMultipartUploadParts arn:aws:s3:::b/k",
		"PUT /b/k":                             "PutObject s3:PutObject arn:aws:s3:::b/k",
		"PUT /b/k?partNumber=1&uploadId=":      "PutObject s3:PutObject arn:aws:s3:::b/k",
		"POST /b/k?uploads":                    "PutObject s3:PutObject arn:aws:s3:::b/k",
		"POST /b/k?uploadId=1":                 "PutObject s3:PutObject arn:aws:s3:::b/k",
		"GET //b.localhost:4566/k/l":           "GetObject s3:GetObject arn:aws:s3:::b/k/l",
		"PUT //b.c.s3.amazonaws.com/":          "CreateBucket s3:CreateBucket arn:aws:s3:::b.c",
		"GET //s3.us-east-1.amazonaws.com/b/k": "GetObject s3:GetObject arn:aws:s3:::b/k",
		"GET //localhost:4566/b/k":             "GetObject s3:GetObject arn:aws:s3:::b/k",
		"DELETE /b/k":                          "DeleteObject s3:DeleteObject arn:aws:s3:::b/k",
		"DELETE /b/k?versionId=1":              "DeleteObject s3:DeleteObjectVersion arn:aws:s3:::b/k",
		"DELETE /b/k?uploadId=1":               "AbortMultipartUpload s3:AbortMultipartUpload arn:aws:s3:::b/k",
		"PUT /b/k from /c/d%2Fe":               "CopyObject s3:PutObject arn:aws:s3:::b/k; s3:GetObject arn:aws:s3:::c/d/e",
		"PUT /b/k from c/d?versionId=2":        "CopyObject s3:PutObject arn:aws:s3:::b/k; s3:GetObject arn:aws:s3:::c/d",
		"POST /b":                              "PostObject s3:PutObject arn:aws:s3:::b/*",
		"POST /b?delete <Delete><Object><Key>x</Key></Object><Object><Key>y</Key><VersionId>1</VersionId></Object></Delete>": "DeleteObjects s3:DeleteObject arn:aws:s3:::b/x; s3:DeleteObjectVersion arn:aws:s3:::b/y",
	} {
		line, body, _ := strings.Cut(request, " <")
		if body != "" {
			body = "<" + body
		}
		line, from, _ := strings.Cut(line, " from ")
		method, target, _ := strings.Cut(line, " ")
		if !strings.Contains(target, "//") {
			target = "//127.0.0.1:4566" + target
		}
		r, err := http.NewRequest(method, "http:"+target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if from != "" {
			r.Header.Set("X-Amz-Copy-Source", from)
		}
		got, err := api.ObjectNeeds(r)
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", request, got, err, want)
		}
		if left, err := io.ReadAll(r.Body); err != nil || string(left) != body {
			t.Errorf("%s: the store reads %q, %v", request, left, err)
		}
	}
	for _, body := range []string{"", "<Delete></Delete>", "<Delete"} {
		r, err := http.NewRequest(http.MethodPost, "http://127.0.0.1/b?delete", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := api.ObjectNeeds(r); fault.CodeOf(err) != "MalformedXML" {
			t.Errorf("%q: got %v", body, err)
		}
	}
}

// TestObjectRequests: what is denied never reaches the store; what changes buckets
// is recorded with what the store answered.
func TestObjectRequests(t *testing.T) {
	reached := 0
	store := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached++
		if r.URL.Path == "/taken" {
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, "<Error><Code>BucketAlreadyExists</Code><Message>it is there</Message></Error>")
			return
		}
		w.Header().Set("Location", r.URL.Path)
	})
	objects := &api.Objects{Store: store}
	w := serve(t, &api.Server{Objects: objects})
	objects.Caller = w.keys
	admin, function := client(w.url, w.keys.Admin()).S3(), client(w.url, w.function).S3()

	out, err := admin.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("new")})
	if err != nil || aws.ToString(out.Location) != "/new" {
		t.Errorf("got %+v, %v", out, err)
	}
	if events := w.trail.take(); len(events) != 1 || events[0].EventName != "CreateBucket" || events[0].RequestParameters["bucketName"] != "new" {
		t.Errorf("recorded %+v", events)
	}
	_, err = admin.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("taken")})
	if codeOf(err) != "BucketAlreadyExists" {
		t.Errorf("got %v", err)
	}
	if events := w.trail.take(); len(events) != 1 || events[0].ErrorCode != "BucketAlreadyExists" {
		t.Errorf("recorded %+v", events)
	}
	if _, err = admin.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("new"), Key: aws.String("k"), Body: strings.NewReader("x")}); err != nil {
		t.Error(err)
	}
	if events := w.trail.take(); len(events) != 0 {
		t.Errorf("an object's upload was recorded: %+v", events)
	}
	before := reached
	_, err = function.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("new"), Key: aws.String("k"), Body: strings.NewReader("x")})
	if codeOf(err) != "AccessDenied" || !strings.Contains(err.Error(), "s3:PutObject on resource: arn:aws:s3:::new/k") || reached != before {
		t.Errorf("got %v, and the store was asked %d times", err, reached-before)
	}
	if events := w.trail.take(); len(events) != 1 || events[0].ErrorCode != "AccessDeniedException" || events[0].EventName != "PutObject" {
		t.Errorf("recorded %+v", events)
	}
	w.trail.closed = true
	if _, err = admin.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("new")}, func(o *s3.Options) { o.RetryMaxAttempts = 1 }); codeOf(err) != "ServiceUnavailable" || reached != before {
		t.Errorf("a trail that is closed: got %v", err)
	}
}

// TestPoliciesOfBuckets: they allow what the caller's own do not, and deny what
// those allow.
func TestPoliciesOfBuckets(t *testing.T) {
	text := ""
	stored := 0
	objects := &api.Objects{
		Store:  http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stored++ }),
		Policy: func(context.Context, string) (string, error) { return text, nil },
	}
	w := serve(t, &api.Server{Objects: objects})
	objects.Caller = w.keys
	get := func(c iam.Credentials, key string) string {
		_, err := client(w.url, c).S3().GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("b"), Key: &key})
		return codeOf(err)
	}
	if got := get(w.function, "open/k"); got != "AccessDenied" {
		t.Errorf("without a policy: got %q", got)
	}
	text = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/open/*"},
		{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/shut/*"}]}`
	for _, tt := range []struct {
		who       iam.Credentials
		key, want string
	}{
		{w.function, "open/k", ""}, {w.function, "k", "AccessDenied"}, {w.keys.Admin(), "k", ""}, {w.keys.Admin(), "shut/k", "AccessDenied"},
	} {
		if got := get(tt.who, tt.key); got != tt.want {
			t.Errorf("%s by %s: got %q, want %q", tt.key, tt.who.AccessKeyID[:4], got, tt.want)
		}
	}
	before := stored
	_, err := client(w.url, w.keys.Admin()).S3().PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{
		Bucket: aws.String("b"), Policy: aws.String(`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*","Condition":{"Odd":{"a":"b"}}}]}`),
	})
	if codeOf(err) != "MalformedPolicy" || stored != before {
		t.Errorf("a policy with an operator that there is not: got %v", err)
	}
}

func codeOf(err error) string {
	var known smithy.APIError
	if errors.As(err, &known) {
		return known.ErrorCode()
	}
	return ""
}
