package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/services/abuse/access"
	"github.com/dropstack/dropstack/services/abuse/detect"
	"github.com/dropstack/dropstack/services/abuse/state"
	"github.com/dropstack/dropstack/services/abuse/verdict"
)

// watcher judges batches of records and has the clients that went too far banned. What
// it remembers is in a journal of the directory.
type watcher struct {
	dir    string
	set    settings
	writer verdict.Writer
	log    *slog.Logger
	keep   time.Duration // how long a batch that comes again is known

	known    *state.Journal[known]
	detector *detect.Detector
	pending  map[string]verdict.Ban // that could not be made yet, by client
	batches  map[string]batch
}

// known is one of a client, a ban that could not be made yet, and a batch.
type known struct {
	Client *detect.Client `json:"client,omitempty"`
	Ban    *verdict.Ban   `json:"ban,omitempty"`
	Batch  *batch         `json:"batch,omitempty"`
}

// batch is how far a batch has been counted. It comes again if not all of it was done.
type batch struct {
	Count int       `json:"count"`
	At    time.Time `json:"at"`
}

// Keys of the journal.
const (
	clientKey = "client "
	banKey    = "ban "
	batchKey  = "batch "
)

func newWatcher(dir, name string, set settings, w verdict.Writer, keep time.Duration, log *slog.Logger) *watcher {
	return &watcher{
		dir: dir, set: set, writer: w, keep: keep, log: log,
		known: &state.Journal[known]{Path: filepath.Join(dir, name+".journal")},
	}
}

// judge takes a batch with a name. What has been counted of it before is not counted
// again. An error means that it should come again.
func (w *watcher) judge(ctx context.Context, name string, records []access.Record) (err error) {
	unlock, err := state.Lock(w.dir)
	if err != nil {
		return fmt.Errorf("lock what is remembered: %w", err)
	}
	defer unlock()
	if err := w.load(); err != nil {
		return fmt.Errorf("read what is remembered: %w", err)
	}
	now := time.Now().UTC()
	before := slices.Collect(maps.Keys(w.pending))
	for _, r := range records[min(w.batches[name].Count, len(records)):] {
		if w.writer.Held(detect.ClientOf(r.Client), r.Time) {
			continue
		}
		if v, over := w.detector.Add(r); over {
			w.find(v, now)
		}
	}
	for _, v := range w.detector.Outliers() {
		w.find(v, now)
	}
	failed := w.ban(ctx)
	w.batches[name] = batch{max(len(records), w.batches[name].Count), now}
	if err := w.save(name, before, now); err != nil {
		failed = errors.Join(failed, fmt.Errorf("write what is to be remembered: %w", err))
	}
	return failed
}

// load reads what is remembered, unless this process was the last to write it.
func (w *watcher) load() error {
	all, again, err := w.known.Load()
	if err != nil || !again {
		return err
	}
	clients := map[netip.Prefix]*detect.Client{}
	w.pending, w.batches = map[string]verdict.Ban{}, map[string]batch{}
	for key, k := range all {
		switch {
		case k.Client != nil:
			if p, err := netip.ParsePrefix(strings.TrimPrefix(key, clientKey)); err == nil {
				clients[p] = k.Client
			}
		case k.Ban != nil:
			w.pending[strings.TrimPrefix(key, banKey)] = *k.Ban
		case k.Batch != nil:
			w.batches[strings.TrimPrefix(key, batchKey)] = *k.Batch
		}
	}
	w.detector = detect.New(w.set.rules, clients)
	return nil
}

// find makes a verdict a ban to be made. Of an old log the ban began then.
func (w *watcher) find(v detect.Verdict, now time.Time) {
	length := w.set.banFor
	if late := now.Sub(v.At); late > time.Minute {
		length -= late
	}
	if length <= 0 {
		w.log.Info("a ban would be over", "client", v.Client.String(), "reason", v.Reason, "at", v.At)
		return
	}
	w.pending[v.Client.String()] = verdict.Ban{Client: v.Client, Reason: v.Reason, For: length, Shadow: w.set.shadow, Request: v.Request}
}

// ban has pending bans made. Those that fail for now stay.
func (w *watcher) ban(ctx context.Context) error {
	var failed []error
	for client, b := range w.pending {
		made, err := w.writer.Ban(ctx, b)
		switch {
		case errors.Is(err, verdict.ErrRefused):
			w.log.Warn("client not banned", "client", client, "reason", b.Reason, "err", err)
		case err != nil:
			failed = append(failed, fmt.Errorf("ban %s: %w", client, err))
			continue
		default:
			w.log.Info("client banned", "client", client, "reason", b.Reason, "until", made.Until, "times", made.Times, "shadow", b.Shadow)
		}
		delete(w.pending, client)
	}
	return errors.Join(failed...)
}

// save writes what a batch has changed.
func (w *watcher) save(name string, before []string, now time.Time) error {
	b := w.batches[name]
	put, drop := map[string]known{batchKey + name: {Batch: &b}}, []string(nil)
	for client, c := range w.detector.Forget() {
		if key := clientKey + client.String(); c != nil {
			put[key] = known{Client: c}
		} else {
			drop = append(drop, key)
		}
	}
	for client, b := range w.pending {
		put[banKey+client] = known{Ban: &b}
	}
	for _, client := range before {
		if _, still := w.pending[client]; !still {
			drop = append(drop, banKey+client)
		}
	}
	for old, b := range w.batches {
		if now.Sub(b.At) > w.keep {
			delete(w.batches, old)
			drop = append(drop, batchKey+old)
		}
	}
	return w.known.Save(put, drop)
}
