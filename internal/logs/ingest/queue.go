package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/fault"
)

const (
	queueName = "log-imports"
	// queueWithin bounds how long a change of an object waits for the queue.
	queueWithin = 30 * time.Second
	ackWait     = 30 * time.Second
	// patience is how long an object is tried that cannot be imported for a reason
	// which may pass.
	patience = 3 * 24 * time.Hour
)

// queue opens the stream of objects that are to be imported.
func (im *Importer) queue(ctx context.Context) (jetstream.Stream, error) {
	im.opening.Lock()
	defer im.opening.Unlock()
	if im.opened != nil {
		return im.opened, nil
	}
	s, err := im.Streams.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: queueName, Subjects: []string{queueName + ".>"}, Retention: jetstream.WorkQueuePolicy,
		Storage: jetstream.FileStorage, Duplicates: 15 * time.Minute,
	})
	if err != nil {
		return nil, fmt.Errorf("open the queue of log imports: %w", err)
	}
	im.opened = s
	return s, nil
}

// OnObject queues an object that is to be imported. It answers once that is on disk;
// an error means that the change must not be acknowledged.
func (im *Importer) OnObject(e engine.ObjectEvent) error {
	if !strings.HasPrefix(e.Name, "ObjectCreated:") {
		return nil
	}
	s, wanted := im.source(e.Bucket, e.Key)
	if !wanted || im.Own != nil && im.Own(e.Bucket, e.Key) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), queueWithin)
	defer cancel()
	if _, err := im.queue(ctx); err != nil {
		return fault.Errorf(fault.Unavailable, "%w", err)
	}
	doc, err := json.Marshal(Input{Bucket: e.Bucket, Key: e.Key, Format: s.Format, Group: s.Group})
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(e.Bucket + "/" + e.Key))
	id := hex.EncodeToString(sum[:16])
	if _, err := im.Streams.Publish(ctx, queueName+"."+id, doc, jetstream.WithMsgID(id+"#"+strings.Trim(e.ETag, `"`))); err != nil {
		return fault.Errorf(fault.Unavailable, "queue the import of %s/%s: %w", e.Bucket, e.Key, err)
	}
	return nil
}

// Run imports what is queued, one object after the other, until ctx ends. What it is
// importing then is imported after the next start.
func (im *Importer) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := im.work(ctx); err != nil && ctx.Err() == nil {
			im.Log.Error("log imports are not worked off; trying again", "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}
	return nil
}

func (im *Importer) work(ctx context.Context) error {
	s, err := im.queue(ctx)
	if err != nil {
		return err
	}
	consumer, err := s.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: queueName, AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxDeliver: -1, MaxAckPending: 10_000,
	})
	if err != nil {
		return fmt.Errorf("open the consumer of log imports: %w", err)
	}
	for ctx.Err() == nil {
		batch, err := consumer.Fetch(1, jetstream.FetchContext(ctx))
		if err != nil {
			return err
		}
		for msg := range batch.Messages() {
			im.handle(ctx, msg)
		}
		if err := batch.Error(); err != nil {
			return err
		}
	}
	return nil
}

// handle imports one object.
func (im *Importer) handle(ctx context.Context, msg jetstream.Msg) {
	defer beat(msg)()
	var in Input
	if err := json.Unmarshal(msg.Data(), &in); err != nil {
		im.Log.Error("a queued log import cannot be read", "err", err)
		_ = msg.Ack()
		return
	}
	log := im.Log.With("bucket", in.Bucket, "key", in.Key)
	out, err := im.Import(ctx, in)
	meta, metaErr := msg.Metadata()
	switch {
	case err == nil:
		if out.Imported {
			log.Info("log imported", "format", out.Format, "lines", out.Lines, "skipped", out.Skipped)
		}
		if out.Skipped > 0 {
			log.Warn("lines of a log were not imported", "skipped", out.Skipped, "first", out.Problem)
		}
		_ = msg.Ack()
	case ctx.Err() != nil: // it comes again
		_ = msg.Nak()
	case fault.KindOf(err) == fault.Invalid, fault.KindOf(err) == fault.NotFound, fault.KindOf(err) == fault.TooLarge, metaErr == nil && time.Since(meta.Timestamp) > patience:
		log.Error("a log cannot be imported", "err", err)
		_ = msg.Ack()
	default:
		delay := time.Second
		if metaErr == nil {
			delay = min(5*time.Minute, time.Second<<min(meta.NumDelivered-1, 9))
		}
		log.Warn("a log import is put off", "again", delay, "err", err)
		_ = msg.NakWithDelay(delay)
	}
}

// beat keeps a message from being delivered again while it is worked on.
func beat(msg jetstream.Msg) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(ackWait / 3)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				_ = msg.InProgress()
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}
