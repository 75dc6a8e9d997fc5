package api

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/fault"
)

// maxDelete bounds the body of a DeleteObjects: a thousand keys.
const maxDelete = 2 << 20

// objectCall is what an S3 request is: its operation, which policies know by
// another name, and what its caller needs.
type objectCall struct {
	name        string
	bucket, key string
	control     bool // about buckets, not about what is in them
	needs       []Need
}

// subresources are the parts of buckets and objects that a query names, with what
// policies call them: GetBucketTagging is s3:GetBucketTagging, GetBucketLifecycle…
// s3:GetLifecycleConfiguration. %s is Bucket or Object.
var subresources = []struct {
	query string
	read  string
	write string // also to delete, where drop is empty
	drop  string
}{
	{"acl", "Get%sAcl", "Put%sAcl", ""},
	{"tagging", "Get%sTagging", "Put%sTagging", "Delete%sTagging"},
	{"policy", "GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"},
	{"policyStatus", "GetBucketPolicyStatus", "", ""},
	{"location", "GetBucketLocation", "", ""},
	{"versioning", "GetBucketVersioning", "PutBucketVersioning", ""},
	{"notification", "GetBucketNotification", "PutBucketNotification", ""},
	{"lifecycle", "GetLifecycleConfiguration", "PutLifecycleConfiguration", ""},
	{"cors", "GetBucketCORS", "PutBucketCORS", ""},
	{"encryption", "GetEncryptionConfiguration", "PutEncryptionConfiguration", ""},
	{"website", "GetBucketWebsite", "PutBucketWebsite", "DeleteBucketWebsite"},
	{"logging", "GetBucketLogging", "PutBucketLogging", ""},
	{"replication", "GetReplicationConfiguration", "PutReplicationConfiguration", ""},
	{"accelerate", "GetAccelerateConfiguration", "PutAccelerateConfiguration", ""},
	{"requestPayment", "GetBucketRequestPayment", "PutBucketRequestPayment", ""},
	{"publicAccessBlock", "GetBucketPublicAccessBlock", "PutBucketPublicAccessBlock", ""},
	{"ownershipControls", "GetBucketOwnershipControls", "PutBucketOwnershipControls", ""},
	{"object-lock", "GetBucketObjectLockConfiguration", "PutBucketObjectLockConfiguration", ""},
	{"retention", "GetObjectRetention", "PutObjectRetention", ""},
	{"legal-hold", "GetObjectLegalHold", "PutObjectLegalHold", ""},
	{"attributes", "GetObjectAttributes", "", ""},
	{"torrent", "GetObjectTorrent", "", ""},
	{"analytics", "GetAnalyticsConfiguration", "PutAnalyticsConfiguration", ""},
	{"inventory", "GetInventoryConfiguration", "PutInventoryConfiguration", ""},
	{"metrics", "GetMetricsConfiguration", "PutMetricsConfiguration", ""},
	{"intelligent-tiering", "GetIntelligentTieringConfiguration", "PutIntelligentTieringConfiguration", ""},
}

// objectOperation tells what an S3 request asks for: the bucket is named by the
// host or by the first part of the path.
func objectOperation(r *http.Request, region string) (objectCall, error) {
	bucket, key := engine.VirtualBucket(r.Host, region), strings.TrimPrefix(r.URL.Path, "/")
	if bucket == "" {
		bucket, key, _ = strings.Cut(key, "/")
	}
	c := objectCall{bucket: bucket, key: key, control: key == ""}
	q := r.URL.Query()
	switch {
	case bucket == "":
		c.control = false // of no bucket
		return c.is("ListBuckets", "s3:ListAllMyBuckets"), nil
	case r.Method == http.MethodPost && q.Has("delete") && key == "":
		return c.deletesMany(r)
	}
	for _, sub := range subresources {
		if q.Has(sub.query) {
			return c.subresource(r.Method, sub.read, sub.write, sub.drop), nil
		}
	}
	if key == "" {
		return c.onBucket(r.Method, q), nil
	}
	return c.onObject(r, q), nil
}

// is names the operation and the action that its caller needs on what the path
// names.
func (c objectCall) is(name, action string) objectCall {
	c.name = name
	c.needs = append(c.needs, Need{Action: action, Resource: c.resource()})
	return c
}

func (c objectCall) resource() string {
	switch {
	case c.bucket == "":
		return "*"
	case c.key == "":
		return arn.Bucket(c.bucket)
	}
	return arn.Bucket(c.bucket) + "/" + c.key
}

func (c objectCall) subresource(method, read, write, drop string) objectCall {
	name := read
	switch method {
	case http.MethodPut, http.MethodPost:
		name = write
	case http.MethodDelete:
		name = drop
		if drop == "" {
			name = write
		}
	}
	what := "Object"
	if c.key == "" {
		what = "Bucket"
	}
	name = strings.Replace(name, "%s", what, 1)
	return c.is(name, "s3:"+name)
}

func (c objectCall) onBucket(method string, q url.Values) objectCall {
	switch method {
	case http.MethodPut:
		return c.is("CreateBucket", "s3:CreateBucket")
	case http.MethodDelete:
		return c.is("DeleteBucket", "s3:DeleteBucket")
	case http.MethodPost: // a form of a browser: its policy is signed, its key is in the form
		c.control = false
		c.name = "PostObject"
		c.needs = []Need{{Action: "s3:PutObject", Resource: arn.Bucket(c.bucket) + "/*"}}
		return c
	}
	c.control = false
	conditions := map[string][]string{}
	for _, name := range []string{"prefix", "delimiter", "max-keys"} {
		if q.Has(name) {
			conditions["s3:"+name] = []string{q.Get(name)}
		}
	}
	switch {
	case method == http.MethodHead:
		c = c.is("HeadBucket", "s3:ListBucket")
	case q.Has("uploads"):
		c = c.is("ListMultipartUploads", "s3:ListBucketMultipartUploads")
	case q.Has("versions"):
		c = c.is("ListObjectVersions", "s3:ListBucketVersions")
	default:
		c = c.is("ListObjects", "s3:ListBucket")
	}
	c.needs[0].Conditions = conditions
	return c
}

func (c objectCall) onObject(r *http.Request, q url.Values) objectCall {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		if q.Has("uploadId") {
			return c.is("ListParts", "s3:ListMultipartUploadParts")
		}
		if q.Get("versionId") != "" {
			return c.is("GetObject", "s3:GetObjectVersion")
		}
		return c.is("GetObject", "s3:GetObject")
	case http.MethodDelete:
		if q.Has("uploadId") {
			return c.is("AbortMultipartUpload", "s3:AbortMultipartUpload")
		}
		if q.Get("versionId") != "" {
			return c.is("DeleteObject", "s3:DeleteObjectVersion")
		}
		return c.is("DeleteObject", "s3:DeleteObject")
	case http.MethodPost:
		if q.Has("restore") {
			return c.is("RestoreObject", "s3:RestoreObject")
		}
		if q.Has("select") {
			return c.is("SelectObjectContent", "s3:GetObject")
		}
	}
	c = c.is("PutObject", "s3:PutObject") // also its parts
	if from := r.Header.Get("X-Amz-Copy-Source"); from != "" {
		c.name = "CopyObject"
		if text, err := url.PathUnescape(from); err == nil {
			from = text
		}
		from, _, _ = strings.Cut(strings.TrimPrefix(from, "/"), "?")
		c.needs = append(c.needs, Need{Action: "s3:GetObject", Resource: arn.Bucket(from)})
	}
	if r.Header.Get("X-Amz-Tagging") != "" {
		c.needs = append(c.needs, Need{Action: "s3:PutObjectTagging", Resource: c.resource()})
	}
	if r.Header.Get("X-Amz-Acl") != "" {
		c.needs[0].Conditions = map[string][]string{"s3:x-amz-acl": {r.Header.Get("X-Amz-Acl")}}
	}
	return c
}

// deletesMany reads which objects a DeleteObjects names, and leaves the body to
// the store. A caller needs to be allowed all of them: unlike AWS, which answers
// for each, nothing is deleted if one is denied.
func (c objectCall) deletesMany(r *http.Request) (objectCall, error) {
	c.name, c.control = "DeleteObjects", false
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxDelete))
	if err != nil {
		return c, fault.Coded(fault.TooLarge, "MaxMessageLengthExceeded", "the list of objects is over %d bytes, or was cut off", maxDelete)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var list struct {
		Object []struct{ Key, VersionId string }
	}
	if err := xml.Unmarshal(body, &list); err != nil || len(list.Object) == 0 {
		return c, fault.Coded(fault.Invalid, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema.")
	}
	for _, o := range list.Object {
		action := "s3:DeleteObject"
		if o.VersionId != "" {
			action = "s3:DeleteObjectVersion"
		}
		c.needs = append(c.needs, Need{Action: action, Resource: arn.Bucket(c.bucket) + "/" + o.Key})
	}
	return c, nil
}
