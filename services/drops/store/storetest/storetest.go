// Package storetest judges implementations of store.Store.
package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dropstack/dropstack/services/drops/drop"
	"github.com/dropstack/dropstack/services/drops/store"
	"github.com/dropstack/dropstack/services/wire"
	"github.com/google/go-cmp/cmp"
)

// start is a whole millisecond, the precision that stores keep.
var start = time.Date(2030, 1, 2, 3, 4, 5, 6e6, time.UTC)

// Run judges stores. fresh makes an empty database and returns a function that
// opens one more handle of it, as another process would.
func Run(t *testing.T, fresh func(t *testing.T) func() store.Store) {
	for name, test := range map[string]func(*testing.T, func() store.Store){
		"a drop comes back as it was":              roundTrip,
		"insert is all or nothing":                 insertAtomic,
		"views are exact under concurrency":        viewsExact,
		"views end with expiry and deletion":       viewsEnd,
		"update bumps the version and announces":   update,
		"delete leaves a tombstone and garbage":    deleting,
		"list pages, filters and hides":            list,
		"due finds what is over":                   due,
		"a step is applied once":                   steps,
		"activity is idempotent and newest first":  activity,
		"attempts are limited in a window":         attempts,
		"prune forgets tombstones after their day": prune,
		"handles see each other":                   handles,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

func sample(code string) drop.Drop {
	return drop.Drop{
		Code: code, Version: 1, Type: wire.TypeImage, Variant: "v", Title: "A cat 100%", Name: "cat.jpg", Media: "image/jpeg",
		Size: 1 << 40, SHA256: "abc", Bucket: "b", Key: "uploads/" + code, Target: "", Obscure: true,
		PasswordHash: "$x", DeleteKeyHash: "dk", CreatedAt: start, UpdatedAt: start, ExpiresAt: start.Add(time.Hour),
		MaxViews: 3, Width: 4, Height: 5, Duration: 1500 * time.Millisecond, ThumbKey: "t" + code, HTMLKey: "h" + code,
	}
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func insert(t *testing.T, s store.Store, drops ...drop.Drop) []store.Message {
	t.Helper()
	return must[[]store.Message](t)(s.Insert(t.Context(), drops...))
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

func roundTrip(t *testing.T, open func() store.Store) {
	s, want := open(), sample("aaaaaaa")
	ms := insert(t, s, want)
	got := must[drop.Drop](t)(s.Get(t.Context(), "aaaaaaa"))
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	_, err := s.Get(t.Context(), "AAAAAAA")
	wantErr(t, "a code of other case", err, store.ErrNotFound)
	out := must[[]store.Message](t)(s.Outbox(t.Context(), start, 10))
	if d := cmp.Diff(ms, out); d != "" {
		t.Errorf("outbox differs from what Insert returned: %s", d)
	}
	if len(out) != 1 || out[0].Topic != wire.TopicDropCreated || out[0].Event.Code != "aaaaaaa" || out[0].Event.Title != "" {
		t.Errorf("got outbox %+v, want one created event that keeps the title of a protected drop to itself", out)
	}
	if early := must[[]store.Message](t)(s.Outbox(t.Context(), start.Add(-time.Millisecond), 10)); len(early) != 0 {
		t.Errorf("got %d messages before their time, want none", len(early))
	}
	if err := s.Sent(t.Context(), out...); err != nil {
		t.Fatal(err)
	}
	if out = must[[]store.Message](t)(s.Outbox(t.Context(), start, 10)); len(out) != 0 {
		t.Errorf("got %d messages after Sent, want none", len(out))
	}
	for key, want := range map[string]bool{"uploads/aaaaaaa": true, "taaaaaaa": true, "haaaaaaa": true, "other": false, "": false} {
		if owned := must[bool](t)(s.Owns(t.Context(), "b", key)); owned != want {
			t.Errorf("Owns(%q): got %v, want %v", key, owned, want)
		}
	}
}

func insertAtomic(t *testing.T, open func() store.Store) {
	s := open()
	insert(t, s, sample("aaaaaaa"))
	again := sample("aaaaaaa")
	again.Key = "uploads/again"
	_, err := s.Insert(t.Context(), sample("bbbbbbb"), again)
	wantErr(t, "a taken code", err, store.ErrCodeTaken)
	thief := sample("ccccccc")
	thief.Key = "uploads/aaaaaaa"
	_, err = s.Insert(t.Context(), thief)
	wantErr(t, "a taken object", err, store.ErrKeyTaken)
	for _, code := range []string{"bbbbbbb", "ccccccc"} {
		_, err = s.Get(t.Context(), code)
		wantErr(t, code, err, store.ErrNotFound)
	}
	if out := must[[]store.Message](t)(s.Outbox(t.Context(), start, 10)); len(out) != 1 {
		t.Errorf("got %d messages, want only the one of the successful insert", len(out))
	}
}

func viewsExact(t *testing.T, open func() store.Store) {
	stores := []store.Store{open(), open(), open(), open()}
	d := sample("aaaaaaa")
	d.MaxViews = 17
	insert(t, stores[0], d)
	var served, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			switch _, err := stores[i%len(stores)].View(t.Context(), d, start); {
			case err == nil:
				served.Add(1)
			case errors.Is(err, store.ErrGone):
				refused.Add(1)
			default:
				t.Errorf("view: %v", err)
			}
		})
	}
	wg.Wait()
	if served.Load() != 17 || refused.Load() != 183 {
		t.Errorf("got %d served and %d refused of 200 concurrent readers, want 17 and 183", served.Load(), refused.Load())
	}
}

func viewsEnd(t *testing.T, open func() store.Store) {
	s, d := open(), sample("aaaaaaa")
	d.MaxViews = 0
	insert(t, s, d)
	got := must[drop.Drop](t)(s.View(t.Context(), d, start.Add(time.Minute)))
	if got.Views != 1 || !got.ViewedAt.Equal(start.Add(time.Minute)) {
		t.Errorf("got %d views at %v, want 1 at the time of the view", got.Views, got.ViewedAt)
	}
	_, err := s.View(t.Context(), d, d.ExpiresAt)
	wantErr(t, "a view at the moment of expiry", err, store.ErrGone)
	must[drop.Drop](t)(s.View(t.Context(), d, d.ExpiresAt.Add(-time.Millisecond)))
	if _, _, err := s.Delete(t.Context(), d.Code, start); err != nil {
		t.Fatal(err)
	}
	_, err = s.View(t.Context(), d, start)
	wantErr(t, "a view after deletion", err, store.ErrGone)
}

func update(t *testing.T, open func() store.Store) {
	s, now := open(), start.Add(time.Second)
	insert(t, s, sample("aaaaaaa"))
	d, m, err := s.Update(t.Context(), "aaaaaaa", now, func(d *drop.Drop) error {
		d.Title, d.Key, d.HTMLKey = "new", "uploads/new", ""
		return nil
	})
	if err != nil || d.Version != 2 || d.Title != "new" || !d.UpdatedAt.Equal(now) {
		t.Fatalf("got %+v, %v, want version 2 with the new title", d, err)
	}
	if m.Topic != wire.TopicDropUpdated || m.Event.Version != 2 || m.ID == 0 {
		t.Errorf("got message %+v, want the updated event of version 2", m)
	}
	if diff := cmp.Diff(d, must[drop.Drop](t)(s.Get(t.Context(), "aaaaaaa"))); diff != "" {
		t.Error(diff)
	}
	if got, want := garbage(t, s, now), []string{"haaaaaaa", "uploads/aaaaaaa"}; !slices.Equal(got, want) {
		t.Errorf("got garbage %v, want the replaced %v", got, want)
	}
	refusal := errors.New("no")
	_, _, err = s.Update(t.Context(), "aaaaaaa", now, func(d *drop.Drop) error { d.Title = "x"; return refusal })
	wantErr(t, "a refused change", err, refusal)
	if got := must[drop.Drop](t)(s.Get(t.Context(), "aaaaaaa")); got.Title != "new" || got.Version != 2 {
		t.Errorf("got %q version %d after a refused change, want nothing changed", got.Title, got.Version)
	}
	_, _, err = s.Update(t.Context(), "zzzzzzz", now, func(*drop.Drop) error { return nil })
	wantErr(t, "an unknown drop", err, store.ErrNotFound)
	_, _, err = s.Update(t.Context(), "aaaaaaa", start.Add(time.Hour), func(*drop.Drop) error { return nil })
	wantErr(t, "an expired drop", err, store.ErrGone)
}

func garbage(t *testing.T, s store.Store, now time.Time) []string {
	t.Helper()
	var keys []string
	for _, o := range must[[]store.Object](t)(s.Garbage(t.Context(), now, 100)) {
		keys = append(keys, o.Key)
	}
	slices.Sort(keys)
	return keys
}

func deleting(t *testing.T, open func() store.Store) {
	s := open()
	insert(t, s, sample("aaaaaaa"))
	_, m, err := s.Delete(t.Context(), "aaaaaaa", start)
	if err != nil || m.Topic != wire.TopicDropDeleted {
		t.Fatalf("got %+v, %v, want the deleted event", m, err)
	}
	d := must[drop.Drop](t)(s.Get(t.Context(), "aaaaaaa"))
	if !d.Expired(start) || d.Key != "" || d.Title != "" || d.PasswordHash != "" {
		t.Errorf("got tombstone %+v, want it deleted and empty", d)
	}
	if got, want := garbage(t, s, start), []string{"haaaaaaa", "taaaaaaa", "uploads/aaaaaaa"}; !slices.Equal(got, want) {
		t.Errorf("got garbage %v, want %v", got, want)
	}
	if !must[bool](t)(s.Owns(t.Context(), "b", "uploads/aaaaaaa")) {
		t.Error("garbage is not owned; the orphan sweep and the collector would fight over it")
	}
	_, _, err = s.Delete(t.Context(), "aaaaaaa", start)
	wantErr(t, "deleting twice", err, store.ErrGone)
	_, _, err = s.Delete(t.Context(), "zzzzzzz", start)
	wantErr(t, "deleting the unknown", err, store.ErrNotFound)
	if err := s.Collected(t.Context(), must[[]store.Object](t)(s.Garbage(t.Context(), start, 100))...); err != nil {
		t.Fatal(err)
	}
	if got := garbage(t, s, start); len(got) != 0 {
		t.Errorf("got garbage %v after Collected, want none", got)
	}
}

func list(t *testing.T, open func() store.Store) {
	s := open()
	for i := range 5 {
		d := sample(fmt.Sprintf("aaaaaa%d", i))
		d.CreatedAt = start.Add(time.Duration(i) * time.Second)
		d.Title = fmt.Sprintf("Cat_%d of 100%%", i)
		switch i {
		case 1:
			d.Type = wire.TypeNote
		case 2:
			d.ExpiresAt = start.Add(time.Minute)
		case 3:
			d.Views = d.MaxViews
		}
		insert(t, s, d)
	}
	for name, c := range map[string]struct {
		q     store.Query
		want  []string
		total int
	}{
		"all":               {store.Query{Amount: 10, Now: start}, []string{"aaaaaa4", "aaaaaa2", "aaaaaa1", "aaaaaa0"}, 4},
		"after an expiry":   {store.Query{Amount: 10, Now: start.Add(time.Minute)}, []string{"aaaaaa4", "aaaaaa1", "aaaaaa0"}, 3},
		"second page":       {store.Query{Offset: 1, Amount: 2, Now: start}, []string{"aaaaaa2", "aaaaaa1"}, 4},
		"one type":          {store.Query{Amount: 10, Type: wire.TypeNote, Now: start}, []string{"aaaaaa1"}, 1},
		"words":             {store.Query{Amount: 10, Words: "100% cAt_0", Now: start}, []string{"aaaaaa0"}, 1},
		"wildcards are not": {store.Query{Amount: 10, Words: "Cat%4", Now: start}, nil, 0},
	} {
		drops, total, err := s.List(t.Context(), c.q)
		var got []string
		for _, d := range drops {
			got = append(got, d.Code)
		}
		if err != nil || total != c.total || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v of %d, %v, want %v of %d", name, got, total, err, c.want, c.total)
		}
	}
}

func due(t *testing.T, open func() store.Store) {
	s := open()
	expired, used, fresh, forever := sample("expired"), sample("usedup1"), sample("freshly"), sample("forever")
	expired.ExpiresAt = start.Add(time.Second)
	for _, d := range []*drop.Drop{&used, &fresh, &forever} {
		d.ExpiresAt = time.Time{}
	}
	used.Views, used.ViewedAt = 3, start.Add(time.Second-drop.ViewGrace)
	fresh.Views, fresh.ViewedAt = 3, start
	forever.MaxViews = 0
	insert(t, s, expired, used, fresh, forever)
	got := must[[]string](t)(s.Due(t.Context(), start.Add(time.Second), 10))
	slices.Sort(got)
	if want := []string{"expired", "usedup1"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
