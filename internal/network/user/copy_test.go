package user

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// A flow of datagrams lives as long as one comes within idle, either way.
func TestIdleRelayEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		function, in := net.Pipe()
		out, outside := net.Pipe()
		start := time.Now()
		type bytes struct{ sent, received int64 }
		done := make(chan bytes)
		go func() {
			sent, received := relay(t.Context(), in, out, time.Minute)
			done <- bytes{sent, received}
		}()
		b := make([]byte, 16)
		for _, way := range []struct{ from, to net.Conn }{{function, outside}, {outside, function}, {function, outside}} {
			time.Sleep(59 * time.Second)
			if _, err := way.from.Write([]byte("ping")); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(way.to, b[:4]); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := <-done, (bytes{8, 4}); got != want {
			t.Errorf("bytes: got %+v, want %+v", got, want)
		}
		if got, want := time.Since(start), 3*59*time.Second+time.Minute; got != want {
			t.Errorf("ended after %v, want %v", got, want)
		}
		for _, c := range []net.Conn{function, outside} {
			if _, err := c.Read(b); err != io.EOF {
				t.Errorf("an end: got %v, want EOF", err)
			}
		}
	})
}
