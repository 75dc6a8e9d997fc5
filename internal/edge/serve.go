package edge

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Serve answers requests on l until ctx ends, then lets those in flight finish
// within the grace period. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error { return s.serve(ctx, l, nil) }

// ServeTLS is Serve with TLS, and HTTP/2 for clients that have it.
func (s *Server) ServeTLS(ctx context.Context, l net.Listener, config *tls.Config) error {
	return s.serve(ctx, l, config)
}

func (s *Server) serve(ctx context.Context, l net.Listener, config *tls.Config) error {
	srv := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: s.Limits.head(),
		IdleTimeout:       s.Limits.idle(),
		MaxHeaderBytes:    3 * MaxHeaders,                                      // beyond our own limit, for an answer in our own words
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug), // noise of clients
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.WithoutCancel(ctx), listenerKey{}, l.Addr())
		},
		TLSConfig: config,
		// Streams that clients reset go on counting until their handlers have
		// returned, so that opening and resetting them gains nothing.
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: s.Limits.streams(), WriteByteTimeout: s.Limits.stall(), SendPingTimeout: s.Limits.idle()},
	}
	own := door{l, s}
	done := make(chan error, 1)
	go func() {
		if config != nil {
			done <- srv.ServeTLS(own, "", "")
			return
		}
		done <- srv.Serve(own)
	}()
	select {
	case err := <-done:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	grace := s.Grace
	if grace == 0 {
		grace = 30 * time.Second
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	s.sockets.close()
	err := srv.Shutdown(late)
	if err != nil {
		s.Log.Warn("requests cut off at shutdown", "after", grace)
		err = srv.Close()
	}
	<-done
	s.sockets.wait(late)
	return err
}
