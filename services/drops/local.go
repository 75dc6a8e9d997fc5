package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/dropstack/dropstack/services/drops/blob"
	"github.com/dropstack/dropstack/services/drops/bus"
	"github.com/dropstack/dropstack/services/drops/httpevent"
	"github.com/dropstack/dropstack/services/wire"
)

// local runs the service as a plain HTTP server: objects in a directory, events
// and schedules in the process.
func local(ctx context.Context, args []string, getenv func(string) string, log *slog.Logger) (err error) {
	or := func(name, value string) string {
		if v := getenv(name); v != "" {
			return v
		}
		return value
	}
	flags := flag.NewFlagSet("drops", flag.ContinueOnError)
	address := flags.String("listen", net.JoinHostPort("127.0.0.1", or("PORT", "8081")), "address to listen on")
	dir := flags.String("data", or("DATA_DIR", filepath.Join(os.TempDir(), "drops")), "directory for the database and the objects")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s, server, events, err := serving(ctx, *dir, getenv, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.store.Close()) }()
	defer events.Wait()
	l, err := net.Listen("tcp", *address)
	if err != nil {
		return err
	}
	log.Info("listening", "url", "http://"+l.Addr().String(), "data", *dir)
	web := &http.Server{Handler: server.Mux(), ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- web.Serve(l) }()
	ticks, hours := time.NewTicker(10*time.Minute), time.NewTicker(time.Hour)
	defer ticks.Stop()
	defer hours.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-ticks.C:
			report(log, s.sweeper.Expire(ctx))
		case <-hours.C:
			report(log, s.sweeper.Orphans(ctx))
		case <-ctx.Done():
			bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			return web.Shutdown(bounded)
		}
	}
}

func report(log *slog.Logger, err error) {
	if err != nil {
		log.Error("schedule", "err", err)
	}
}

// serving builds the service on a directory.
func serving(ctx context.Context, dir string, getenv func(string) string, log *slog.Logger) (*service, *httpevent.Server, *bus.Local, error) {
	const bucket = "drops-local"
	objects := blob.Dir(filepath.Join(dir, "objects"))
	events := &bus.Local{Log: log, Consumers: map[string][]func(context.Context, wire.DropEvent) error{}}
	s, err := open(ctx, parts{dir: dir, bucket: bucket, blobs: objects, bus: events}, getenv, log)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("open %s: %w", dir, err)
	}
	for topic, steps := range subscriptions {
		for _, step := range steps {
			events.Consumers[topic] = append(events.Consumers[topic], func(ctx context.Context, e wire.DropEvent) error {
				return s.steps.Run(ctx, step, topic, e)
			})
		}
	}
	server := &httpevent.Server{Routes: map[string]httpevent.Handler{}, Blobs: objects, Bucket: bucket, Owner: loopback, Log: log}
	for route, name := range routes {
		server.Routes[route] = s.http(name)
	}
	return s, server, events, nil
}

// loopback takes whoever is on this machine for the owner.
func loopback(r *http.Request) bool {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && addr.Addr().Unmap().IsLoopback()
}
