package api

import (
	"bufio"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
)

// Tunnel answers AWS's own host names, for clients that cannot be told another
// endpoint: as a proxy (HTTPS_PROXY) and as a TLS listener that such names lead
// to. Both take a client that trusts the installation's certificate authority.
type Tunnel struct {
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	Handler     http.Handler // the endpoint
}

// config is how TLS is spoken. HTTP/1.1 is what every client has.
func (t *Tunnel) config() *tls.Config {
	return &tls.Config{GetCertificate: t.Certificate, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
}

// Over has TLS spoken on a listener that AWS's names lead to.
func (t *Tunnel) Over(l net.Listener) net.Listener { return tls.NewListener(l, t.config()) }

// connect answers CONNECT NAME:443 with ourselves in the name's place. It is a
// proxy to nowhere else.
func (t *Tunnel) connect(w http.ResponseWriter, r *http.Request) error {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil || port != "443" || !arn.ServiceHost(strings.ToLower(host)) {
		return fault.Coded(fault.Denied, "AccessDeniedException",
			"This proxy answers for AWS's services alone, at port 443, not for %q; name other hosts in NO_PROXY.", r.Host)
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	if _, err := conn.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n")); err != nil {
		return errors.Join(err, conn.Close())
	}
	one := &oneConn{conn: tls.Server(&readAhead{conn, buffered.Reader}, t.config()), done: make(chan struct{})}
	srv := &http.Server{Handler: t.Handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	err = srv.Serve(one) // until the connection closes
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// readAhead is a connection of which some bytes have been read.
type readAhead struct {
	net.Conn
	r *bufio.Reader
}

func (c *readAhead) Read(p []byte) (int, error) { return c.r.Read(p) }

// oneConn is a listener with one connection, which ends when that has.
type oneConn struct {
	conn net.Conn
	take sync.Once
	end  sync.Once
	done chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	var c net.Conn
	l.take.Do(func() { c = &counted{l.conn, l} })
	if c != nil {
		return c, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	l.end.Do(func() { close(l.done) })
	return nil
}

func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }

// counted tells its listener that it is closed.
type counted struct {
	net.Conn
	l *oneConn
}

func (c *counted) Close() error {
	err := c.Conn.Close()
	return errors.Join(err, c.l.Close())
}
