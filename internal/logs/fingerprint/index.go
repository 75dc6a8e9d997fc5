package fingerprint

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/wire"
)

const (
	bucketName = "error-groups"
	// linger is how long what was counted waits to be written.
	linger = 5 * time.Second
	// maxGroups of all functions; of more, those not seen for longest go.
	maxGroups = 5000
)

// Records is what the index needs of the log store.
type Records interface {
	// Subscribe has fn called with records as they are stored.
	Subscribe(fn func([]logs.Record)) (cancel func())
	Batches(ctx context.Context, s logs.Selection) iter.Seq2[logs.Batch, error]
}

// Index has the groups. Open it before use; its methods may be called at the same time.
type Index struct {
	State   jetstream.JetStream // of the durable server
	Records Records
	Log     *slog.Logger

	kv     jetstream.KeyValue
	cancel func()
	end    chan struct{}
	ended  chan struct{}

	mu     sync.Mutex
	finder Finder
	groups map[string]*Group
	dirty  map[string]bool
}

// Open reads the groups and begins to count.
func (x *Index) Open(ctx context.Context) (err error) {
	x.kv, err = x.State.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: bucketName, Storage: jetstream.FileStorage})
	if err != nil {
		return fmt.Errorf("open the groups of errors: %w", err)
	}
	x.groups, x.dirty = map[string]*Group{}, map[string]bool{}
	w, err := x.kv.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return fmt.Errorf("read the groups of errors: %w", err)
	}
	defer func() { _ = w.Stop() }()
	for e := range w.Updates() {
		if e == nil { // that was all
			break
		}
		g := &Group{}
		if err := json.Unmarshal(e.Value(), g); err != nil {
			return fmt.Errorf("read the group of errors %s: %w", e.Key(), err)
		}
		x.groups[g.ID] = g
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	x.end, x.ended = make(chan struct{}), make(chan struct{})
	x.cancel = x.Records.Subscribe(x.take)
	go x.keep()
	return nil
}

// Close writes what was counted.
func (x *Index) Close() error {
	x.cancel()
	close(x.end)
	<-x.ended
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return x.write(ctx)
}

func (x *Index) keep() {
	defer close(x.ended)
	ticker := time.NewTicker(linger)
	defer ticker.Stop()
	for {
		select {
		case <-x.end:
			return
		case <-ticker.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), linger)
		if err := x.write(ctx); err != nil {
			x.Log.Error("groups of errors are not written", "err", err)
		}
		cancel()
	}
}

// write writes the groups that have changed.
func (x *Index) write(ctx context.Context) error {
	x.mu.Lock()
	docs := map[string][]byte{}
	for id := range x.dirty {
		if g := x.groups[id]; g != nil {
			doc, err := json.Marshal(g)
			if err != nil {
				x.mu.Unlock()
				return err
			}
			docs[id] = doc
		}
	}
	x.dirty = map[string]bool{}
	x.mu.Unlock()
	var errs []error
	for id, doc := range docs {
		if _, err := x.kv.Put(ctx, id, doc); err != nil {
			errs = append(errs, fmt.Errorf("store the group of errors %s: %w", id, err))
			x.mu.Lock()
			x.dirty[id] = true
			x.mu.Unlock()
		}
	}
	return errors.Join(errs...)
}

// take counts the errors in records that have been stored.
func (x *Index) take(records []logs.Record) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range records {
		for _, o := range x.finder.Find(&records[i]) {
			x.count(&o)
		}
	}
}

// count takes an error in; the lock is held.
func (x *Index) count(o *Occurrence) {
	id := o.ID()
	g := x.groups[id]
	if g == nil {
		x.crowd()
		g = &Group{ID: id, Function: o.Function, Type: o.Type, Message: Mask(o.Message), State: Open}
		x.groups[id] = g
	}
	g.count(o)
	x.dirty[id] = true
}

// crowd makes room for one more; the lock is held.
func (x *Index) crowd() {
	if len(x.groups) < maxGroups {
		return
	}
	var oldest *Group
	for _, g := range x.groups {
		if oldest == nil || g.Last.Before(oldest.Last.Time) {
			oldest = g
		}
	}
	delete(x.groups, oldest.ID)
	if err := x.kv.Delete(context.Background(), oldest.ID); err != nil {
		x.Log.Warn("a group of errors is not removed", "id", oldest.ID, "err", err)
	}
}

// ListInput says which groups are wanted; the zero value wants all that are open.
type ListInput struct {
	Function string    `json:"function,omitempty"`
	Start    wire.Time `json:"start,omitzero"`     // seen since
	State    string    `json:"state,omitempty"`    // Open, Resolved, Ignored or "all"; "": Open
	NewSince string    `json:"newSince,omitempty"` // first seen in a later version than this
	Limit    int       `json:"limit,omitempty"`    // 1-1,000; 0: 100
}

// ListOutput is the groups, those seen last first.
type ListOutput struct {
	Errors []Group `json:"errors"`
	More   bool    `json:"more,omitempty"` // than Limit
}

// List returns groups.
func (x *Index) List(_ context.Context, in ListInput) (ListOutput, error) {
	state := cmp.Or(in.State, Open)
	if state != "all" {
		if err := checkState(state); err != nil {
			return ListOutput{}, err
		}
	}
	if in.Limit < 0 || in.Limit > 1000 {
		return ListOutput{}, fault.Errorf(fault.Invalid, "limit %d is not between 1 and 1000", in.Limit)
	}
	out := ListOutput{Errors: []Group{}}
	x.mu.Lock()
	for _, g := range x.groups {
		if (state == "all" || g.State == state) && (in.Function == "" || g.Function == in.Function) &&
			!g.Last.Before(in.Start.Time) && (in.NewSince == "" || g.newSince(in.NewSince)) {
			out.Errors = append(out.Errors, g.copy())
		}
	}
	x.mu.Unlock()
	slices.SortFunc(out.Errors, func(a, b Group) int {
		return cmp.Or(b.Last.Compare(a.Last.Time), strings.Compare(a.ID, b.ID))
	})
	if limit := cmp.Or(in.Limit, 100); len(out.Errors) > limit {
		out.Errors, out.More = out.Errors[:limit], true
	}
	return out, nil
}

func (g *Group) copy() Group {
	c := *g
	c.Hours, c.Sample.Stack = slices.Clone(g.Hours), slices.Clone(g.Sample.Stack)
	return c
}

// GetInput names a group by its ID, or by the beginning of it that no other has.
type GetInput struct {
	ID string `json:"id"`
}

// Get returns a group.
func (x *Index) Get(_ context.Context, in GetInput) (Group, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	g, err := x.find(in.ID)
	if err != nil {
		return Group{}, err
	}
	return g.copy(), nil
}

func (x *Index) find(id string) (*Group, error) {
	if g := x.groups[id]; g != nil {
		return g, nil
	}
	var found *Group
	for _, g := range x.groups {
		if len(id) >= 4 && strings.HasPrefix(g.ID, id) {
			if found != nil {
				return nil, fault.Errorf(fault.Invalid, "several groups of errors have IDs that begin with %s", id)
			}
			found = g
		}
	}
	if found == nil {
		return nil, fault.Errorf(fault.NotFound, "no group of errors has the ID %q; `dropstack logs errors` lists them", id)
	}
	return found, nil
}

// UpdateInput says what somebody has decided about a group.
type UpdateInput struct {
	ID    string `json:"id"`
	State string `json:"state"` // Open, Resolved or Ignored
}

func checkState(state string) error {
	if state == Open || state == Resolved || state == Ignored {
		return nil
	}
	return fault.Errorf(fault.Invalid, "state %q: there are %s, %s and %s", state, Open, Resolved, Ignored)
}

// Update changes the state of a group. It is on disk when it is answered.
func (x *Index) Update(ctx context.Context, in UpdateInput) (Group, error) {
	if err := checkState(in.State); err != nil {
		return Group{}, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	g, err := x.find(in.ID)
	if err != nil {
		return Group{}, err
	}
	next := g.copy()
	next.State, next.Changed, next.Regressed = in.State, wire.Now(), false
	doc, err := json.Marshal(next)
	if err != nil {
		return Group{}, err
	}
	if _, err := x.kv.Put(context.WithoutCancel(ctx), g.ID, doc); err != nil {
		return Group{}, fault.Errorf(fault.Unavailable, "store the group of errors %s: %w", g.ID, err)
	}
	*g = next
	return g.copy(), nil
}

// RebuildInput says from when on the log is to be read again.
type RebuildInput struct {
	Start wire.Time `json:"start"`
}

// RebuildOutput is how many errors there were.
type RebuildOutput struct {
	Found int `json:"found"`
}

// Rebuild counts the errors of the last hours again, from the log: at most a week's.
// What the groups have counted before stays, as do their states.
func (x *Index) Rebuild(ctx context.Context, in RebuildInput) (RebuildOutput, error) {
	start := in.Start.Truncate(time.Hour)
	if oldest := time.Now().Add(-week * time.Hour).Truncate(time.Hour); start.Before(oldest) {
		start = oldest.Add(time.Hour)
	}
	x.mu.Lock()
	defer x.mu.Unlock() // what comes meanwhile waits to be counted
	now := time.Now()
	var found []Occurrence
	var finder Finder
	for b, err := range x.Records.Batches(ctx, logs.Selection{Start: start, End: now}) {
		if err != nil {
			return RebuildOutput{}, fmt.Errorf("read the log for errors: %w", err)
		}
		if !strings.HasPrefix(b.Group(), functionGroup) {
			continue
		}
		message, request, stream, kind := b.Column(logs.FieldMessage), b.Column(logs.FieldRequest), b.Column(logs.FieldStream), b.Column(logs.FieldType)
		for i := range b.Len() {
			if at := b.Time(i); at < start.UnixNano() || at >= now.UnixNano() {
				continue
			}
			r := logs.Record{Time: time.Unix(0, b.Time(i)).UTC(), Group: b.Group()}
			r.Message, _ = message.At(i)
			r.Request, _ = request.At(i)
			r.Stream, _ = stream.At(i)
			if v, ok := kind.At(i); ok {
				r.Fields = []logs.Field{{Name: logs.FieldType, Value: v}}
			}
			found = append(found, finder.Find(&r)...)
		}
	}
	found = append(found, finder.Flush()...)
	for id, g := range x.groups {
		kept := g.Hours[:0:0]
		for _, h := range g.Hours {
			if h.Start < start.Unix() {
				kept = append(kept, h)
			} else {
				g.Count -= h.Count
				x.dirty[id] = true
			}
		}
		g.Hours = kept
	}
	for i := range found {
		x.count(&found[i])
	}
	return RebuildOutput{Found: len(found)}, nil
}
