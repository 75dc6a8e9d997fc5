package user

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// half is a connection whose directions close one by one.
type half interface {
	net.Conn
	CloseWrite() error
	Abort() // resets it; also interrupts what blocks on it
}

// outer is the outside end of a TCP flow.
type outer struct{ *net.TCPConn }

// Abort closes the connection with a reset.
func (c outer) Abort() {
	_ = c.SetLinger(0) // closed by now if it fails
	_ = c.Close()
}

var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// splice copies both ways until both have ended, each end passed on as it comes:
// the end of one direction closes that direction, a reset resets everything, and
// so does the end of ctx. It closes both and returns the bytes that in and out
// have sent.
func splice(ctx context.Context, in, out half) (sent, received int64) {
	abort := sync.OnceFunc(func() {
		in.Abort()
		out.Abort()
	})
	stop := context.AfterFunc(ctx, abort)
	defer stop()
	var up sync.WaitGroup
	up.Go(func() {
		var err error
		if sent, err = pump(out, in); err != nil {
			abort()
		}
	})
	received, err := pump(in, out)
	if err != nil {
		abort()
	}
	up.Wait()
	_ = in.Close() // both directions have ended
	_ = out.Close()
	return sent, received
}

// pump copies until from ends and passes the end on.
func pump(to, from half) (n int64, err error) {
	b := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(b)
	for {
		r, rerr := from.Read(b[:])
		if r > 0 {
			w, werr := to.Write(b[:r])
			n += int64(w)
			if werr != nil {
				return n, werr
			}
		}
		switch {
		case errors.Is(rerr, io.EOF):
			return n, to.CloseWrite()
		case rerr != nil:
			return n, rerr
		}
	}
}

// relay copies datagrams both ways until none has come for idle, one end fails
// or ctx ends. It closes both and returns the bytes that in and out have sent.
func relay(ctx context.Context, in, out net.Conn, idle time.Duration) (sent, received int64) {
	end := sync.OnceFunc(func() {
		_ = in.Close()
		_ = out.Close()
	})
	defer end()
	stop := context.AfterFunc(ctx, end)
	defer stop()
	timer := time.AfterFunc(idle, end)
	defer timer.Stop()
	carry := func(to, from net.Conn, n *atomic.Int64) {
		defer end()
		b := buffers.Get().(*[64 << 10]byte)
		defer buffers.Put(b)
		for {
			r, err := from.Read(b[:])
			if err != nil {
				return
			}
			timer.Reset(idle)
			if _, err := to.Write(b[:r]); err != nil {
				return
			}
			n.Add(int64(r))
		}
	}
	var up, down atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() { carry(out, in, &up) })
	carry(in, out, &down)
	wg.Wait()
	return up.Load(), down.Load()
}
