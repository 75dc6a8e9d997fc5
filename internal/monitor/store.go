package monitor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
)

func monitorKey(name string) string  { return "monitor." + name }
func stateKey(name string) string    { return "state." + name }
func locationKey(name string) string { return "location." + name }
func windowKey(id string) string     { return "window." + id }

// Load opens what is stored.
func (m *Monitors) Load(ctx context.Context) (err error) {
	if m.monitors, err = m.Streams.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: "monitors", Description: "what is watched, from where, and how it stands", Storage: jetstream.FileStorage,
	}); err != nil {
		return fmt.Errorf("open the monitors: %w", err)
	}
	if m.incidents, err = m.Streams.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: "incidents", Description: "of monitors", Storage: jetstream.FileStorage,
	}); err != nil {
		return fmt.Errorf("open the incidents: %w", err)
	}
	m.results, m.wake, m.ended = make(chan Result, 64), make(chan struct{}, 1), make(chan struct{})
	m.slots = make(chan struct{}, maxHere)
	m.watches, m.declared = map[string]*watch{}, map[string][]string{}
	m.windows, m.asked = map[string]*Window{}, map[string]check{}
	m.locations = map[string]*location{Here: {Location: Location{Name: Here}}}
	m.began, m.written = time.Now(), time.Now()
	docs, err := all(ctx, m.monitors, ">")
	if err != nil {
		return fmt.Errorf("read the monitors: %w", err)
	}
	var list []Monitor
	for key, doc := range docs {
		kind, id, _ := strings.Cut(key, ".")
		switch kind {
		case "monitor":
			var one Monitor
			err = json.Unmarshal(doc, &one)
			list = append(list, one)
		case "location":
			l := &location{}
			err = json.Unmarshal(doc, &l.Location)
			m.locations[id] = l
		case "window":
			w := &Window{}
			err = json.Unmarshal(doc, w)
			m.windows[id] = w
		}
		if err != nil {
			return fmt.Errorf("key %s of bucket monitors: %w", key, err)
		}
	}
	for i := range list {
		if err := m.watch(ctx, list[i]); err != nil {
			return err
		}
	}
	return nil
}

// watch begins to watch a monitor from where it was left.
func (m *Monitors) watch(ctx context.Context, one Monitor) error {
	w := &watch{Monitor: one, standing: standing{State: Unknown}}
	if err := get(ctx, m.monitors, stateKey(one.Name), &w.standing); err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
		return fmt.Errorf("how monitor %s stands: %w", one.Name, err)
	}
	if w.Incident != "" {
		i := &Incident{}
		err := get(ctx, m.incidents, incidentKey(one.Name, w.Incident), i)
		switch {
		case err == nil:
			w.incident = i
		case errors.Is(err, jetstream.ErrKeyNotFound):
			w.Incident, w.State = "", Unknown
		default:
			return fmt.Errorf("the incident of monitor %s: %w", one.Name, err)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	w.counted = now
	m.places(w, now)
	m.watches[one.Name] = w
	m.level(w, w.State)
	return nil
}

// incidentKey is the key of an incident; of "" for the ID, of all of a monitor.
func incidentKey(monitor, id string) string { return monitor + "." + cmp.Or(id, ">") }

// putIncident writes an incident. When it is a new one, the oldest go.
func (m *Monitors) putIncident(ctx context.Context, i *Incident) error {
	if err := put(ctx, m.incidents, incidentKey(i.Monitor, i.ID), i); err != nil {
		return err
	}
	if len(i.Timeline) > 1+len(i.Evidence) {
		return nil
	}
	docs, err := all(ctx, m.incidents, incidentKey(i.Monitor, ""))
	if err != nil || len(docs) <= keepIncidents {
		return err
	}
	keys := make([]string, 0, len(docs))
	for key := range docs {
		keys = append(keys, key)
	}
	slices.Sort(keys) // by time, which IDs begin with
	for _, key := range keys[:len(keys)-keepIncidents] {
		if err := m.incidents.Purge(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// incidentsOf reads the incidents of a monitor, or of all for "", the newest first.
func (m *Monitors) incidentsOf(ctx context.Context, monitor string) ([]Incident, error) {
	filter := ">"
	if monitor != "" {
		filter = incidentKey(monitor, "")
	}
	docs, err := all(ctx, m.incidents, filter)
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "read the incidents: %w", err)
	}
	list := make([]Incident, 0, len(docs))
	for key, doc := range docs {
		var i Incident
		if err := json.Unmarshal(doc, &i); err != nil {
			return nil, fmt.Errorf("key %s of bucket incidents: %w", key, err)
		}
		list = append(list, i)
	}
	slices.SortFunc(list, func(a, b Incident) int {
		return cmp.Or(b.Opened.Compare(a.Opened), cmp.Compare(a.ID, b.ID))
	})
	return list, nil
}

func put(ctx context.Context, kv jetstream.KeyValue, key string, v any) error {
	doc, err := json.Marshal(v)
	if err == nil {
		_, err = kv.Put(ctx, key, doc)
	}
	if err != nil {
		return fault.Errorf(fault.Unavailable, "store %s: %w", key, err)
	}
	return nil
}

func get(ctx context.Context, kv jetstream.KeyValue, key string, into any) error {
	entry, err := kv.Get(ctx, key)
	if err != nil {
		return err
	}
	return json.Unmarshal(entry.Value(), into)
}

// all reads what is stored under keys.
func all(ctx context.Context, kv jetstream.KeyValue, keys string) (map[string][]byte, error) {
	watcher, err := kv.Watch(ctx, keys, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, err
	}
	defer func() { _ = watcher.Stop() }()
	docs := map[string][]byte{}
	for {
		select {
		case entry, open := <-watcher.Updates():
			if !open {
				return nil, errors.New("the watch ended")
			}
			if entry == nil {
				return docs, nil
			}
			docs[entry.Key()] = entry.Value()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
