package engine

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// maxPayload bounds one message: an asynchronous event of 1 MB, a revision
// document, with room.
const maxPayload = 8 << 20

// streams is one embedded JetStream server and our connection to it.
type streams struct {
	server *server.Server
	conn   *nats.Conn
	js     jetstream.JetStream
}

func openStreams(name, dir string, sync bool, log *slog.Logger) (*streams, error) {
	srv, err := server.NewServer(&server.Options{
		ServerName: "dropstack-" + name, DontListen: true, NoSigs: true,
		JetStream: true, StoreDir: dir, SyncAlways: sync, MaxPayload: maxPayload,
	})
	if err != nil {
		return nil, fmt.Errorf("%s streams: %w", name, err)
	}
	srv.SetLoggerV2(natsLog{log.With("engine", name)}, false, false, false)
	srv.Start()
	s := &streams{server: srv}
	if !srv.ReadyForConnections(30 * time.Second) {
		s.close()
		return nil, fmt.Errorf("%s streams: the server did not start; its log says why", name)
	}
	s.conn, err = nats.Connect("", nats.InProcessServer(srv), nats.MaxReconnects(-1))
	if err == nil {
		s.js, err = jetstream.New(s.conn, jetstream.WithDefaultTimeout(30*time.Second))
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("%s streams: %w", name, err)
	}
	return s, nil
}

func (s *streams) close() {
	if s.conn != nil {
		s.conn.Close()
	}
	s.server.Shutdown()
	s.server.WaitForShutdown()
}

// natsLog passes the server's log on: its notices are our debug messages.
type natsLog struct{ log *slog.Logger }

func (l natsLog) Noticef(format string, v ...any) { l.print(slog.LevelDebug, format, v) }
func (l natsLog) Warnf(format string, v ...any)   { l.print(slog.LevelWarn, format, v) }
func (l natsLog) Errorf(format string, v ...any)  { l.print(slog.LevelError, format, v) }
func (l natsLog) Fatalf(format string, v ...any)  { l.print(slog.LevelError, format, v) }
func (l natsLog) Debugf(format string, v ...any)  { l.print(slog.LevelDebug, format, v) }
func (l natsLog) Tracef(string, ...any)           {}

func (l natsLog) print(level slog.Level, format string, v []any) {
	l.log.Log(context.Background(), level, fmt.Sprintf(format, v...))
}
