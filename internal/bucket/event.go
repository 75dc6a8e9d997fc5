package bucket

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/engine"
)

// event is what a function gets, in S3's format 2.1: always one record.
type event struct {
	Records [1]eventRecord `json:"Records"`
}

type eventRecord struct {
	EventVersion      string            `json:"eventVersion"`
	EventSource       string            `json:"eventSource"`
	AWSRegion         string            `json:"awsRegion"`
	EventTime         string            `json:"eventTime"`
	EventName         string            `json:"eventName"` // without s3:
	UserIdentity      principal         `json:"userIdentity"`
	RequestParameters map[string]string `json:"requestParameters"`
	ResponseElements  map[string]string `json:"responseElements"`
	S3                entity            `json:"s3"`
}

type principal struct {
	PrincipalID string `json:"principalId"`
}

type entity struct {
	SchemaVersion   string `json:"s3SchemaVersion"`
	ConfigurationID string `json:"configurationId"`
	Bucket          struct {
		Name          string    `json:"name"`
		OwnerIdentity principal `json:"ownerIdentity"`
		ARN           string    `json:"arn"`
	} `json:"bucket"`
	Object object `json:"object"`
}

// object has neither size nor ETag when it was deleted; an empty one has size 0.
type object struct {
	Key       string `json:"key"`
	Size      *int64 `json:"size,omitempty"`
	ETag      string `json:"eTag,omitempty"`
	VersionID string `json:"versionId,omitempty"`
	Sequencer string `json:"sequencer"`
}

const timestamp = "2006-01-02T15:04:05.000Z"

func (n *Notifications) event(to Notification, e engine.ObjectEvent) ([]byte, error) {
	id := digest("request", to, e)
	r := eventRecord{
		EventVersion:      "2.1",
		EventSource:       "aws:s3",
		AWSRegion:         n.Region,
		EventTime:         e.At.UTC().Format(timestamp),
		EventName:         e.Name,
		UserIdentity:      principal{"AWS:" + arn.Account},
		RequestParameters: map[string]string{"sourceIPAddress": "127.0.0.1"},
		ResponseElements: map[string]string{
			"x-amz-request-id": fmt.Sprintf("%X", id[:8]),
			"x-amz-id-2":       base64.StdEncoding.EncodeToString(id[:]),
		},
	}
	r.S3.SchemaVersion = "1.0"
	r.S3.ConfigurationID = to.ID
	r.S3.Bucket.Name = e.Bucket
	r.S3.Bucket.OwnerIdentity = principal{arn.Account}
	r.S3.Bucket.ARN = arn.Bucket(e.Bucket)
	r.S3.Object = object{Key: formKey(e.Key), VersionID: e.VersionID, Sequencer: n.sequencer(e.At.UnixNano())}
	if !strings.HasPrefix(e.Name, "ObjectRemoved:") {
		r.S3.Object.Size = &e.Size
		r.S3.Object.ETag = strings.Trim(e.ETag, `"`)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(event{[1]eventRecord{r}})
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// formKey encodes a key as S3 does in events: as in a form, but with its slashes.
func formKey(key string) string {
	return strings.ReplaceAll(url.QueryEscape(key), "%2F", "/")
}

// sequencer orders the events of a key: of two, the later one has the greater
// string. It follows the clock, to go on after a restart, but never goes back.
func (n *Notifications) sequencer(at int64) string {
	for {
		last := n.last.Load()
		next := max(at, last+1)
		if n.last.CompareAndSwap(last, next) {
			return fmt.Sprintf("%016X", uint64(next))
		}
	}
}

// invocationID is a UUID (version 8) made of what the event is about.
func invocationID(to Notification, e engine.ObjectEvent) string {
	b := digest("invocation", to, e)
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

func digest(what string, to Notification, e engine.ObjectEvent) [sha256.Size]byte {
	return sha256.Sum256([]byte(strings.Join([]string{
		what, to.Stack, to.ID, to.Function, e.Name, e.Bucket, e.VersionID, e.ETag, strconv.FormatInt(e.At.UnixNano(), 10), e.Key,
	}, "\x00")))
}
