package networktest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What a probe waits for. A row that must be blocked counts as blocked only when
// its attempt has failed: at once by an answer to that effect, or after bounded.
// A row that must be reachable gets patient, which only a broken engine uses up.
const (
	bounded = 1500 * time.Millisecond
	patient = 20 * time.Second
)

// listen serves name on a TCP address of the namespace (nil: the host's) until
// the test ends: a line with the name, then an echo.
func listen(t testing.TB, n *Namespace, addr netip.AddrPort, name string) {
	t.Helper()
	var l net.Listener
	open := func() (err error) {
		l, err = net.Listen("tcp4", addr.String())
		return err
	}
	if err := in(n, open); err != nil {
		t.Fatalf("listen as %s: %v", name, err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := fmt.Fprintln(c, name); err == nil {
					_, _ = io.Copy(c, c)
				}
			}()
		}
	}()
}

func in(n *Namespace, f func() error) error {
	if n == nil {
		return f()
	}
	return n.Do(f)
}

// connect dials from the namespace and reads whom it reached.
func connect(n *Namespace, to netip.AddrPort, wait time.Duration) (c net.Conn, name string, err error) {
	err = in(n, func() (err error) {
		c, err = (&net.Dialer{Timeout: wait}).DialContext(context.Background(), "tcp4", to.String())
		return err
	})
	if err != nil {
		return nil, "", err
	}
	_ = c.SetDeadline(time.Now().Add(wait))
	name, err = bufio.NewReaderSize(io.LimitReader(c, 64), 64).ReadString('\n')
	if err != nil {
		_ = c.Close()
		return nil, "", err
	}
	_ = c.SetDeadline(time.Time{})
	return c, strings.TrimSpace(name), nil
}

// tcp is a row: can whoever is in n reach name at the address?
func tcp(row string, n *Namespace, to netip.AddrPort, name string, want bool) Result {
	wait := bounded
	if want {
		wait = patient
	}
	c, got, err := connect(n, to, wait)
	r := Result{Row: row, Want: want, How: outcome(err)}
	if err == nil {
		_ = c.Close()
		r.Got = true
		if got != name {
			r.How = "answered by " + got
			r.Got = !want // a positive row that reaches somebody else fails; a negative one fails too
		}
	}
	return r
}

func outcome(err error) string {
	switch {
	case err == nil:
		return "answered"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT), isTimeout(err):
		return "timed out"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF):
		return "cut off"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "unreachable"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return "prohibited"
	}
	return err.Error()
}

func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}
