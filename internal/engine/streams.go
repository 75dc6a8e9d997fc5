package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"
)

const (
	// maxPayload is the largest message: an invocation's 6 MB and its envelope.
	maxPayload = 8 << 20
	// maxMemory bounds memory streams, which nothing durable uses.
	maxMemory = 256 << 20
	// startTimeout is generous: recovery reads every stream's index.
	startTimeout = time.Minute
)

// streams starts a JetStream server in this process and connects to it without
// a socket.
func (e *Engine) streams(ctx context.Context, cfg Config, name string, durable bool) (jetstream.JetStream, error) {
	dir := filepath.Join(cfg.Dir, name)
	room, err := storeLimit(dir)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if !durable {
		// logs reserve their two gigabytes; a small disk must not keep the platform down
		room = max(room, minTelemetry)
	}
	srv, err := server.NewServer(&server.Options{
		ServerName: "dropstack-" + name, DontListen: true, NoSigs: true,
		JetStream: true, StoreDir: dir, SyncAlways: durable,
		JetStreamMaxStore: room, JetStreamMaxMemory: maxMemory, MaxPayload: maxPayload,
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	srv.SetLoggerV2(natsLog{cfg.Log.With("engine", name)}, false, false, false)
	srv.Start()
	e.close = append(e.close, func() error {
		srv.Shutdown()
		srv.WaitForShutdown()
		return nil
	})
	timeout := startTimeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline))
	}
	if !srv.ReadyForConnections(timeout) {
		return nil, fmt.Errorf("start %s: not ready after %s", name, timeout)
	}
	if !srv.JetStreamEnabled() {
		return nil, fmt.Errorf("start %s: the streams in %s cannot be opened; the log says why", name, dir)
	}
	conn, err := nats.Connect("", nats.InProcessServer(srv), nats.Name("dropstack"), nats.MaxReconnects(-1))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", name, err)
	}
	e.close = append(e.close, func() error {
		conn.Close()
		return nil
	})
	// Without a limit what a full disk leaves unacknowledged would be kept for good.
	js, err := jetstream.New(conn, jetstream.WithPublishAsyncTimeout(ackLimit))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", name, err)
	}
	return js, nil
}

// ackLimit is how long a publication that nobody stands and waits for may go without an
// acknowledgement.
const ackLimit = 30 * time.Second

// minTelemetry is what streams of telemetry may reserve on any disk, in bytes.
const minTelemetry = 3 << 30

// storeLimit is how much the streams in dir may take: what they have and three
// quarters of what is free. The limit refuses writes while some disk is left; a
// full disk would stop the whole server. The server's own default forgets what
// the streams have already.
func storeLimit(dir string) (int64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	var used int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			used += info.Size()
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("measure %s: %w", dir, err)
	}
	free := int64(stat.Bavail) * int64(stat.Bsize)
	return max(used+free/4*3, 1), nil
}

// natsLog hands the server's log on. What it calls notices are details to us.
type natsLog struct{ log *slog.Logger }

func (l natsLog) Noticef(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l natsLog) Debugf(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l natsLog) Tracef(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l natsLog) Warnf(format string, v ...any)   { l.log.Warn(fmt.Sprintf(format, v...)) }
func (l natsLog) Errorf(format string, v ...any)  { l.log.Error(fmt.Sprintf(format, v...)) }
func (l natsLog) Fatalf(format string, v ...any)  { l.log.Error(fmt.Sprintf(format, v...)) }
