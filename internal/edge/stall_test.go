package edge_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are in memory, so that time is the
// bubble's.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error {
	select {
	case <-p.done:
	default:
		close(p.done)
	}
	return nil
}

func (p pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func overPipes(t *testing.T, test func(t *testing.T, dial func() net.Conn, o *taker, objects *store)) {
	synctest.Test(t, func(t *testing.T) {
		o := &taker{}
		s, objects := taking(t, o, 0)
		l := pipes{make(chan net.Conn), make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx, l) }()
		test(t, func() net.Conn {
			client, conn := net.Pipe()
			l.conns <- conn
			return client
		}, o, objects)
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

func TestStalledUploadIsGivenUp(t *testing.T) {
	overPipes(t, func(t *testing.T, dial func() net.Conn, o *taker, objects *store) {
		c, start := dial(), time.Now()
		defer c.Close()
		fmt.Fprintf(c, "PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		if took := time.Since(start); res.StatusCode != 408 || took < 50*time.Second || took > time.Minute || !strings.Contains(string(text), "1m0s") {
			t.Errorf("got %d %s after %v", res.StatusCode, text, took)
		}
		if len(o.calls) != 0 || len(objects.keys()) != 0 {
			t.Errorf("%d calls, %d objects", len(o.calls), len(objects.keys()))
		}
	})
}

func TestSlowUploadIsNot(t *testing.T) {
	overPipes(t, func(t *testing.T, dial func() net.Conn, o *taker, objects *store) {
		c := dial()
		defer c.Close()
		fmt.Fprintf(c, "PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
		for range 100 { // 50 minutes
			time.Sleep(30 * time.Second)
			c.Write(make([]byte, 10_000))
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || res.StatusCode != 200 || len(objects.keys()) != 1 {
			t.Errorf("got %+v, %v, %d objects", res, err, len(objects.keys()))
		}
	})
}

func TestUploadThatTricklesIsGivenUp(t *testing.T) {
	overPipes(t, func(t *testing.T, dial func() net.Conn, o *taker, objects *store) {
		c, start := dial(), time.Now()
		fmt.Fprintf(c, "PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
		var sending sync.WaitGroup
		sending.Go(func() {
			for range 100 {
				time.Sleep(time.Second)
				if _, err := c.Write([]byte("x")); err != nil {
					return
				}
			}
		})
		defer sending.Wait()
		defer c.Close()
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || res.StatusCode != 408 || len(objects.keys()) != 0 {
			t.Errorf("got %+v, %v, %d objects", res, err, len(objects.keys()))
		}
		if took := time.Since(start); took < 55*time.Second || took > 65*time.Second {
			t.Errorf("after %v, want a minute", took)
		}
	})
}

func TestConnectionServesAgainAfterAWhile(t *testing.T) {
	overPipes(t, func(t *testing.T, dial func() net.Conn, _ *taker, _ *store) {
		c := dial()
		defer c.Close()
		answers := bufio.NewReader(c)
		for i := range 3 {
			fmt.Fprintf(c, "PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
			if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
				t.Fatalf("%d: got %q, %v", i, line, err)
			}
			answers.ReadString('\n')
			c.Write([]byte("x"))
			res, err := http.ReadResponse(answers, nil)
			if err != nil || res.StatusCode != 200 {
				t.Fatalf("%d: got %+v, %v", i, res, err)
			}
			io.Copy(io.Discard, res.Body)
			time.Sleep(100 * time.Second) // more than stall, less than keep-alive
		}
	})
}

func TestClientThatTakesNothingIsGivenUp(t *testing.T) {
	overPipes(t, func(t *testing.T, dial func() net.Conn, _ *taker, _ *store) {
		c := dial()
		defer c.Close()
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		time.Sleep(61 * time.Second)
		if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("got %d bytes, %v; want the connection closed", n, err)
		}
	})
}
