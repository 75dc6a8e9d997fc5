package edge

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// ServeQUIC answers HTTP/3 on a UDP socket until ctx ends, then lets requests in flight
// finish within the grace period. It closes the socket. Clients come because
// distributions with HTTP3 say in Alt-Svc that it is there; connections are bounded by
// their streams and by silence, not by the limits of an address.
func (s *Server) ServeQUIC(ctx context.Context, conn net.PacketConn, config *tls.Config) error {
	defer conn.Close()
	srv := &http3.Server{
		Handler: s, TLSConfig: http3.ConfigureTLSConfig(config), MaxHeaderBytes: 3 * MaxHeaders, IdleTimeout: s.Limits.idle(),
		QUICConfig: &quic.Config{
			MaxIncomingStreams: int64(s.Limits.streams()), HandshakeIdleTimeout: s.Limits.head(), MaxIdleTimeout: s.Limits.stall(),
		},
		ConnContext: func(ctx context.Context, c *quic.Conn) context.Context {
			return context.WithValue(ctx, listenerKey{}, c.LocalAddr())
		},
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(conn) }()
	select {
	case err := <-done:
		return fmt.Errorf("serve %s: %w", conn.LocalAddr(), err)
	case <-ctx.Done():
	}
	grace := s.Grace
	if grace == 0 {
		grace = 30 * time.Second
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := srv.Shutdown(late)
	if err != nil {
		s.Log.Warn("requests cut off at shutdown", "after", grace)
		err = srv.Close()
	}
	<-done
	return err
}

// alternative tells a client of HTTPS that HTTP/3 is to be had, for a day.
func (v *visit) alternative(h http.Header) {
	if port := v.server.HTTP3Port; port != 0 && v.in.TLS != nil && v.in.ProtoMajor < 3 && v.site.HTTP3 {
		h["Alt-Svc"] = []string{`h3=":` + strconv.Itoa(port) + `"; ma=86400`}
	}
}
