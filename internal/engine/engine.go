// Package engine opens the embedded engines, or reaches their outside twins:
// JetStream for queues, topics and control-plane state, an S3 store for objects.
//
// There are two JetStream servers. On the durable one every write is synced
// before it is acknowledged; the relaxed one carries telemetry and may lose the
// last moments before a power cut.
//
// Objects are files of the same name below DIR/objects/<bucket>, their metadata
// extended attributes, so the file system must have these. A key is a path: an
// object "a" and an object "a/b" cannot exist in one bucket, since "a" cannot be
// both a file and a directory. The later of the two is refused with
// fault.Invalid, or 409 over the S3 API. Buckets are not versioned.
//
// The data directory:
//
//	lock        the process that uses it
//	nats/       the durable streams
//	telemetry/  the relaxed streams
//	objects/    the buckets
//	run/        sockets, of this run only
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

// Config says where the engines keep their data.
type Config struct {
	Dir    string // the data directory; engines use sub-directories
	Region string // what S3 clients sign for; us-east-1 if empty
	Log    *slog.Logger
	// Accounts authenticates S3 requests.
	Accounts Accounts
	// OnObject is told of every change of an object; an error fails the request
	// that made it, though the change stays. It is called from many goroutines.
	// Optional.
	OnObject func(ObjectEvent) error
}

// Accounts finds the secret of an access key for the S3 API.
type Accounts interface {
	// Secret returns the secret of the access key that a request is signed with.
	// Token is the request's session token, empty when it has none. The error's
	// code is InvalidClientTokenId or ExpiredToken.
	Secret(accessKeyID, token string) (string, error)
}

// Engine is the opened engines. Its fields are set once by Open.
type Engine struct {
	Streams   jetstream.JetStream // synced before it answers
	Telemetry jetstream.JetStream // synced every few seconds
	Objects   *Objects

	stage *stage         // of Streams
	close []func() error // in the order of opening
}

// Open starts the engines in a data directory, which it makes if needed; hold its
// Lock first.
func Open(ctx context.Context, cfg Config) (_ *Engine, err error) {
	if cfg.Dir == "" || cfg.Log == nil || cfg.Accounts == nil {
		return nil, errors.New("engine: Dir, Log and Accounts are required")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return nil, err
	}
	e := &Engine{}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close())
		}
	}()
	// Functions run as users of their own and must be able to pass through to
	// what the platform hands them below it.
	if err := mkdir(cfg.Dir, 0o711); err != nil {
		return nil, fmt.Errorf("create the data directory: %w", err)
	}
	for _, sub := range []string{"nats", "telemetry", "objects", "run"} {
		if err := mkdir(filepath.Join(cfg.Dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("create the data directory: %w", err)
		}
	}
	e.stage = openStage(filepath.Join(cfg.Dir, "nats"), cfg.Log)
	e.close = append(e.close, e.stage.close) // after the server
	if e.Streams, err = e.streams(ctx, cfg, "nats", true); err != nil {
		return nil, err
	}
	if e.Telemetry, err = e.streams(ctx, cfg, "telemetry", false); err != nil {
		return nil, err
	}
	if e.Objects, err = openObjects(cfg); err != nil {
		return nil, err
	}
	e.close = append(e.close, e.Objects.shut)
	return e, nil
}

// Close stops the engines in reverse order and gives up the directory. What was
// acknowledged is on disk already.
func (e *Engine) Close() error {
	var errs []error
	for len(e.close) > 0 {
		last := len(e.close) - 1
		errs = append(errs, e.close[last]())
		e.close = e.close[:last]
	}
	return errors.Join(errs...)
}

// mkdir makes a directory and its parents with exactly this mode, whatever the
// umask, and leaves the mode of one that exists alone.
func mkdir(dir string, mode os.FileMode) error {
	if info, err := os.Stat(dir); err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s is not a directory", dir)
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(dir, mode); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return os.Chmod(dir, mode)
}
