// Package engine opens the embedded engines: JetStream for queues, topics and
// control-plane state, an S3 store for objects.
//
// There are two JetStream servers. On the durable one every write is synced
// before it is acknowledged; the relaxed one carries telemetry. Both live in this
// process and listen on nothing. Below the data directory:
//
//	lock         held while a platform runs, with its process id
//	nats/        the durable server
//	telemetry/   the relaxed one
//	objects/     a directory per bucket, a file per object, its properties as
//	             extended attributes
//	run/         the S3 server's private socket
//
// An object's key is its path below the bucket, so a key "a" and a key "a/b"
// cannot exist together: the second to come is refused. The object store also
// makes its directory the process's working directory, because it names files
// relative to it; the rest of the process must use absolute paths.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/nats-io/nats.go/jetstream"
)

// Config says where the engines keep their data. All fields but OnObject are
// required.
type Config struct {
	Dir      string // absolute
	Region   string
	Log      *slog.Logger
	Accounts Accounts // authenticates S3 requests
	// OnObject is told of every change of an object, after it is on disk and before
	// whoever asked for it is answered; an error fails that request.
	OnObject func(ObjectEvent) error
}

// Accounts finds the secret of an access key for the S3 API.
type Accounts interface {
	// Account returns the secret key, the session token that must come with it
	// ("" for none) and whether it is the administrator's; false for an unknown key.
	Account(accessKeyID string) (secret, token string, admin, ok bool)
}

// Engine is the engines, opened.
type Engine struct {
	Streams   jetstream.JetStream // durable: acknowledged is synced
	Telemetry jetstream.JetStream // relaxed: a power cut loses the last two minutes
	Objects   *Objects

	durable, relaxed *streams
}

// Open starts every engine on cfg.Dir; hold its Lock first. Only one Engine can be
// open in a process.
func Open(_ context.Context, cfg Config) (_ *Engine, err error) {
	e := &Engine{}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close())
		}
	}()
	for _, name := range []string{"nats", "telemetry", "objects", "run"} {
		if err := os.MkdirAll(filepath.Join(cfg.Dir, name), 0o700); err != nil {
			return nil, fmt.Errorf("data directory: %w", err)
		}
	}
	if e.durable, err = openStreams("durable", filepath.Join(cfg.Dir, "nats"), true, cfg.Log); err != nil {
		return nil, err
	}
	if e.relaxed, err = openStreams("telemetry", filepath.Join(cfg.Dir, "telemetry"), false, cfg.Log); err != nil {
		return nil, err
	}
	e.Streams, e.Telemetry = e.durable.js, e.relaxed.js
	if e.Objects, err = openObjects(cfg); err != nil {
		return nil, fmt.Errorf("object store: %w", err)
	}
	return e, nil
}

// Close stops the engines; everything acknowledged is on disk already.
func (e *Engine) Close() error {
	var errs []error
	if e.Objects != nil {
		errs = append(errs, e.Objects.close())
	}
	for _, s := range []*streams{e.durable, e.relaxed} {
		if s != nil {
			s.close()
		}
	}
	return errors.Join(errs...)
}
