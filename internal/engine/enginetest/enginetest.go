// Package enginetest gives tests of rooms a JetStream of their own.
package enginetest

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Streams starts a JetStream server in the process, which ends with the test.
// Inside a synctest bubble use it outside the bubble only.
func Streams(t testing.TB) jetstream.JetStream {
	t.Helper()
	return StreamsIn(t, t.TempDir())
}

// StreamsIn is Streams over a directory, to start twice on the same data.
func StreamsIn(t testing.TB, dir string) jetstream.JetStream {
	t.Helper()
	srv, err := server.NewServer(&server.Options{
		DontListen: true, JetStream: true, StoreDir: dir, SyncAlways: true,
		NoSigs: true, NoLog: true, MaxPayload: 8 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("the JetStream server did not start")
	}
	conn, err := nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return js
}
