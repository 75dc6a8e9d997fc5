package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/dropstack/dropstack/services/abuse/access"
	"github.com/dropstack/dropstack/services/abuse/state"
	"github.com/dropstack/dropstack/services/abuse/verdict"
)

// How long a batch may come again, and be known: from a stream it is tried again at
// once, a notification of a bucket within hours.
const (
	keepBatches = 15 * time.Minute
	keepObjects = 48 * time.Hour
)

// function returns the handler that _HANDLER names.
func function(getenv func(string) string, log *slog.Logger) (any, error) {
	set, err := readSettings(getenv)
	if err != nil {
		return nil, err
	}
	dir := getenv("DROPSTACK_MOUNT")
	if dir == "" {
		dir = getenv("DATA_DIR")
	}
	if dir == "" {
		return nil, errors.New("the environment has no DATA_DIR, where what is known of clients is kept")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	writer, err := newWriter(dir, getenv)
	if err != nil {
		return nil, err
	}
	switch name := getenv("_HANDLER"); name {
	case "watch":
		return watch(newWatcher(dir, name, set, writer, keepBatches, log)), nil
	case "scan":
		return scan(newWatcher(dir, name, set, writer, keepObjects, log), objects(getenv)), nil
	case "expire":
		return func(ctx context.Context, _ json.RawMessage) error {
			unlock, err := state.Lock(dir)
			if err != nil {
				return err
			}
			defer unlock()
			return writer.Expire(ctx)
		}, nil
	default:
		return nil, fmt.Errorf("_HANDLER=%q is no function of this program", name)
	}
}

// newWriter bans by IP sets where there are some, else by the platform.
func newWriter(dir string, getenv func(string) string) (verdict.Writer, error) {
	client := &verdict.Client{Endpoint: getenv("AWS_ENDPOINT_URL"), Region: getenv("AWS_REGION"), HTTP: &http.Client{Timeout: 10 * time.Second}}
	client.Keys = aws.Credentials{
		AccessKeyID: getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: getenv("AWS_SESSION_TOKEN"),
	}
	sets := &verdict.IPSets{Client: client, Bans: &state.Journal[verdict.Entry]{Path: filepath.Join(dir, "bans.journal")}}
	for name, into := range map[string]**verdict.Set{"IP_SET": &sets.V4, "IP_SET_V6": &sets.V6} {
		text := getenv(name)
		if text == "" {
			continue
		}
		set, err := verdict.ParseSet(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		*into = &set
		if set.Scope == "CLOUDFRONT" {
			client.Region = "us-east-1" // where those sets are
		}
	}
	switch {
	case sets.V4 == nil && sets.V6 == nil && client.Endpoint == "":
		return nil, errors.New("nobody to ask for bans: set IP_SET to NAME/ID/SCOPE of an IP set of AWS WAF")
	case sets.V4 == nil && sets.V6 == nil:
		return &verdict.Platform{Client: client}, nil
	case client.Endpoint == "":
		client.Endpoint = "https://wafv2." + client.Region + ".amazonaws.com"
	}
	return sets, nil
}

// watch judges records of the stream. Each is a line of the real-time log.
func watch(w *watcher) func(context.Context, events.KinesisEvent) error {
	return func(ctx context.Context, e events.KinesisEvent) error {
		if len(e.Records) == 0 {
			return nil
		}
		records, bad := make([]access.Record, 0, len(e.Records)), 0
		var last error
		for _, k := range e.Records {
			r, err := w.set.format.Parse(string(k.Kinesis.Data))
			if err != nil {
				bad, last = bad+1, err
				continue
			}
			records = append(records, r)
		}
		if bad > 0 {
			w.log.Warn("records that say nothing", "count", bad, "err", last)
		}
		// a batch that comes again begins with the same record
		sum := sha256.Sum256(e.Records[0].Kinesis.Data)
		return w.judge(ctx, hex.EncodeToString(sum[:12]), records)
	}
}

// scan judges the objects of the standard log that a bucket tells of.
func scan(w *watcher, client *s3.Client) func(context.Context, events.S3Event) error {
	return func(ctx context.Context, e events.S3Event) error {
		for _, r := range e.Records {
			if err := w.object(ctx, client, r.S3); err != nil {
				return err
			}
		}
		return nil
	}
}

func (w *watcher) object(ctx context.Context, client *s3.Client, at events.S3Entity) error {
	bucket := at.Bucket.Name
	key, err := url.QueryUnescape(at.Object.Key)
	if err != nil {
		return fmt.Errorf("key %q: %w", at.Object.Key, err)
	}
	out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return fmt.Errorf("read %s/%s: %w", bucket, key, err)
	}
	defer out.Body.Close()
	var records []access.Record
	bad, err := access.Read(out.Body, func(r access.Record) { records = append(records, r) })
	if err != nil {
		return fmt.Errorf("read %s/%s: %w", bucket, key, err)
	}
	if bad > 0 {
		w.log.Warn("lines that say nothing", "bucket", bucket, "key", key, "count", bad)
	}
	return w.judge(ctx, bucket+"/"+key+" "+aws.ToString(out.ETag), records)
}

// objects is a client of S3, by the variables that Lambda sets.
func objects(getenv func(string) string) *s3.Client {
	c := aws.Config{
		Region: getenv("AWS_REGION"),
		Credentials: credentials.NewStaticCredentialsProvider(
			getenv("AWS_ACCESS_KEY_ID"), getenv("AWS_SECRET_ACCESS_KEY"), getenv("AWS_SESSION_TOKEN")),
	}
	endpoint := getenv("AWS_ENDPOINT_URL")
	if endpoint != "" {
		c.BaseEndpoint = &endpoint
	}
	return s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = endpoint != "" })
}
