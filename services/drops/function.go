package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/dropstack/dropstack/services/drops/api"
	"github.com/dropstack/dropstack/services/drops/blob"
	"github.com/dropstack/dropstack/services/drops/bus"
	"github.com/dropstack/dropstack/services/drops/httpevent"
	"github.com/dropstack/dropstack/services/drops/lock"
	"github.com/dropstack/dropstack/services/drops/process"
	"github.com/dropstack/dropstack/services/drops/store/sqlite"
	"github.com/dropstack/dropstack/services/wire"
)

// routes says which function answers which route of the HTTP API.
var routes = map[string]string{
	"POST /": "createDrop", "PUT /{name}": "createDrop", "POST /files": "createDrop", "POST /notes": "createDrop", "POST /links": "createDrop",
	"GET /drops": "readDrop", "GET /drops/{code}": "readDrop",
	"PUT /drops/{code}": "updateDrop", "DELETE /drops/{code}": "deleteDrop",
	"GET /raw/{code}": "content", "HEAD /raw/{code}": "content", "GET /raw/{code}/{name}": "content", "HEAD /raw/{code}/{name}": "content",
	"GET /thumb/{code}": "content", "HEAD /thumb/{code}": "content",
}

// subscriptions says which functions hear of which topic.
var subscriptions = map[string][]string{
	wire.TopicDropCreated: {process.Thumbnail, process.Metadata, process.RenderText, process.Activity},
	wire.TopicDropUpdated: {process.RenderText, process.Activity},
	wire.TopicDropDeleted: {process.Activity},
}

// service is the domain with its connections.
type service struct {
	api     *api.API
	steps   *process.Steps
	sweeper *process.Sweeper
	store   *sqlite.Store
}

type parts struct {
	dir    string
	bucket string
	blobs  blob.Store
	bus    process.Publisher
}

func open(ctx context.Context, p parts, getenv func(string) string, log *slog.Logger) (*service, error) {
	age := 24 * time.Hour
	if s := getenv("ORPHAN_AGE"); s != "" {
		var err error
		if age, err = time.ParseDuration(s); err != nil || age < 0 {
			return nil, fmt.Errorf("ORPHAN_AGE=%q is not a duration such as 24h", s)
		}
	}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	key, err := lock.LoadKey(p.dir)
	if err != nil {
		return nil, err
	}
	db, err := sqlite.Open(ctx, p.dir)
	if err != nil {
		return nil, err
	}
	s := &service{store: db, steps: &process.Steps{Store: db, Blobs: p.blobs, Log: log}}
	s.sweeper = &process.Sweeper{Store: db, Blobs: p.blobs, Bus: p.bus, Bucket: p.bucket, OrphanAge: age, Log: log}
	s.api = &api.API{
		Store: db, Blobs: p.blobs, Sweeper: s.sweeper, Steps: s.steps, Key: key, Bucket: p.bucket, Log: log,
		UploadToken: getenv("UPLOAD_TOKEN"), ContentOrigin: getenv("CONTENT_ORIGIN"),
	}
	return s, nil
}

// http returns the handler of an HTTP function, nil when name is none.
func (s *service) http(name string) httpevent.Handler {
	switch name {
	case "createDrop":
		return s.api.Create
	case "readDrop":
		return s.api.Read
	case "updateDrop":
		return s.api.Update
	case "deleteDrop":
		return s.api.Delete
	case "content":
		return s.api.Content
	}
	return nil
}

// function returns the handler that _HANDLER names.
func function(ctx context.Context, getenv func(string) string, log *slog.Logger) (any, error) {
	p, err := platform(getenv)
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, p, getenv, log)
	if err != nil {
		return nil, err
	}
	name := getenv("_HANDLER")
	if h := s.http(name); h != nil {
		return h, nil
	}
	switch name {
	case "viewDrop":
		return s.api.View, nil
	case "listDrops":
		return s.api.List, nil
	case "deleteExpiredDrops":
		return func(ctx context.Context, _ json.RawMessage) error { return s.sweeper.Expire(ctx) }, nil
	case "sweepOrphans":
		return func(ctx context.Context, _ json.RawMessage) error { return s.sweeper.Orphans(ctx) }, nil
	case process.Thumbnail, process.Metadata, process.RenderText, process.Activity:
		return func(ctx context.Context, e events.SNSEvent) error { return s.heard(ctx, name, getenv, e) }, nil
	}
	return nil, errors.Join(fmt.Errorf("_HANDLER=%q is no function of this program", name), s.store.Close())
}

// heard runs a step for each record of an SNS event.
func (s *service) heard(ctx context.Context, step string, getenv func(string) string, e events.SNSEvent) error {
	for _, r := range e.Records {
		var d wire.DropEvent
		if err := json.Unmarshal([]byte(r.SNS.Message), &d); err != nil {
			return fmt.Errorf("message %s is no drop event: %w", r.SNS.MessageID, err)
		}
		topic := ""
		for name, arn := range arns(getenv) {
			if arn == r.SNS.TopicArn {
				topic = name
			}
		}
		if err := s.steps.Run(ctx, step, topic, d); err != nil {
			return err
		}
	}
	return nil
}

func arns(getenv func(string) string) map[string]string {
	return map[string]string{
		wire.TopicDropCreated: getenv("TOPIC_CREATED"),
		wire.TopicDropUpdated: getenv("TOPIC_UPDATED"),
		wire.TopicDropDeleted: getenv("TOPIC_DELETED"),
	}
}

// platform connects to S3 and SNS by the variables that Lambda sets. It reads no
// file and asks nobody, which keeps cold starts short.
func platform(getenv func(string) string) (parts, error) {
	p := parts{dir: getenv("DROPSTACK_MOUNT"), bucket: getenv("BUCKET")}
	if p.dir == "" {
		p.dir = getenv("DATA_DIR")
	}
	for name, value := range map[string]string{"BUCKET": p.bucket, "DATA_DIR": p.dir, "AWS_REGION": getenv("AWS_REGION")} {
		if value == "" {
			return p, fmt.Errorf("the environment has no %s", name)
		}
	}
	c := aws.Config{
		Region: getenv("AWS_REGION"),
		Credentials: aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider(
			getenv("AWS_ACCESS_KEY_ID"), getenv("AWS_SECRET_ACCESS_KEY"), getenv("AWS_SESSION_TOKEN"))),
	}
	endpoint := getenv("AWS_ENDPOINT_URL")
	if endpoint != "" {
		c.BaseEndpoint = &endpoint
	}
	p.blobs = blob.S3{Client: s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = endpoint != "" })}
	p.bus = bus.SNS{Client: sns.NewFromConfig(c), ARNs: arns(getenv)}
	return p, nil
}
