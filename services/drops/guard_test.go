package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dropstack/dropstack/services/drops/drop"
	"github.com/dropstack/dropstack/services/wire"
)

func TestLimitedViews(t *testing.T) {
	s := start(t)
	const views = 17
	code := s.share("a.bin", "\x00\x01secret", "max_views", fmt.Sprint(views))
	var served, gone atomic.Int64
	var last sync.Map
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			switch a := s.do("GET", "/raw/"+code, ""); a.status {
			case http.StatusFound:
				served.Add(1)
				last.Store("url", a.header.Get("Location"))
			case http.StatusGone:
				gone.Add(1)
			default:
				t.Errorf("got %d %s", a.status, a.body)
			}
		})
	}
	wg.Wait()
	if served.Load() != views || gone.Load() != 200-views {
		t.Errorf("got %d served, %d gone of 200 readers, want %d and %d", served.Load(), gone.Load(), views, 200-views)
	}
	at, _ := last.Load("url")
	for range 3 { // ranges of a counted view are no views
		if a := s.do("GET", at.(string), "", "Range", "bytes=2-"); a.status != 206 || a.body != "secret" {
			t.Errorf("with the token: got %d %q, want 206", a.status, a.body)
		}
	}
}

func TestLooksThatDoNotCountShowNoContent(t *testing.T) {
	s := start(t)
	a := s.do("POST", "/", "url=https%3A%2F%2Fexample.org%2Fsecret&oneshot=1", "Content-Type", form)
	code := strings.TrimSpace(a.body[strings.LastIndex(a.body, "/")+1:])
	s.owner.Store(false)
	for name, got := range map[string]answer{"HEAD": s.do("HEAD", "/raw/"+code, ""), "GET /drops": s.do("GET", "/drops/"+code, "")} {
		if got.status != 200 || strings.Contains(got.body+fmt.Sprint(got.header), "example.org/secret") {
			t.Errorf("%s: got %d %v %s", name, got.status, got.header, got.body)
		}
	}
	v, err := s.api.View(t.Context(), wire.ViewRequest{Code: code, Peek: true})
	if err != nil || v.State != wire.StateOK || v.Drop.Content != "" || v.Token != "" {
		t.Errorf("peek: got %+v, %v, want no target and no token", v, err)
	}
	if got := s.do("GET", "/raw/"+code, ""); got.status != 302 || got.header.Get("Location") != "https://example.org/secret" {
		t.Errorf("got %d to %s, want the one view", got.status, got.header.Get("Location"))
	}
	if v, err := s.api.View(t.Context(), wire.ViewRequest{Code: code}); err != nil || v.State != wire.StateGone {
		t.Errorf("second view: got %s, %v, want gone", v.State, err)
	}
}

func TestPassword(t *testing.T) {
	s := start(t)
	code := s.share("a.txt", "for your eyes", "password", "pw")
	s.owner.Store(false)
	ask := func(r wire.ViewRequest) wire.ViewReply {
		r.Code, r.SourceIP = code, "9.9.9.9"
		v, err := s.api.View(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if v := ask(wire.ViewRequest{}); v.State != wire.StateNeedsPassword || v.Drop != nil {
		t.Errorf("got %+v, want it to need a password and to tell nothing", v)
	}
	right := ask(wire.ViewRequest{Password: "pw"})
	if right.State != wire.StateOK || right.Unlock == "" || !strings.Contains(right.HTML, "for your eyes") {
		t.Fatalf("got %+v, want it open", right)
	}
	if v := ask(wire.ViewRequest{Unlock: right.Unlock}); v.State != wire.StateOK {
		t.Errorf("unlock token: got %s, want ok", v.State)
	}
	for path, want := range map[string]int{"/raw/" + code: 401, "/raw/" + code + "?t=" + right.Token: 200, "/thumb/" + code: 403} {
		if a := s.do("GET", path, ""); a.status != want {
			t.Errorf("%s: got %d, want %d", path, a.status, want)
		}
	}
	if a := s.do("GET", "/raw/"+code, "", "X-Drop-Password", "pw"); a.status != 200 || a.body != "for your eyes" || a.header.Get("Cache-Control") != "private, no-store" {
		t.Errorf("with the header: got %d %q %v", a.status, a.body, a.header)
	}
	for i := range 10 {
		if v := ask(wire.ViewRequest{Password: "no"}); v.State != wire.StateWrongPassword {
			t.Fatalf("attempt %d: got %s, want wrong", i+1, v.State)
		}
	}
	if v := ask(wire.ViewRequest{Password: "pw"}); v.State != wire.StateTooMany {
		t.Errorf("after ten wrong ones: got %s, want too many even for the right one", v.State)
	}
}

func TestActiveTypesNeverRun(t *testing.T) {
	s := start(t)
	big := strings.Repeat("x", drop.MaxNote)
	for name, content := range map[string]string{
		"a.svg":  `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`,
		"a.html": `<!doctype html><html><script>alert(1)</script></html>`,
		"b.html": `<!doctype html><html><script>alert(1)</script>` + big,
	} {
		a := s.do("GET", "/raw/"+s.share(name, content), "")
		if a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment") ||
			!strings.HasPrefix(a.header.Get("Content-Security-Policy"), "sandbox;") || a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: got %d %v, want a sandboxed attachment", name, a.status, a.header)
		}
	}
	a := s.do("GET", "/raw/"+s.share("a.js", "alert(1) // script"), "")
	if a.header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("script: got %s, want text/plain", a.header.Get("Content-Type"))
	}
}

func TestUpdate(t *testing.T) {
	s := start(t)
	code := s.share("a.md", "# one")
	a := s.do("PUT", "/drops/"+code, `{"text":"# two","title":"T","expire":"1h","max_views":5}`, "Content-Type", "application/json")
	s.events.Wait()
	v, err := s.api.View(t.Context(), wire.ViewRequest{Code: code})
	if a.status != 200 || err != nil || v.Drop.Version != 2 || v.Drop.Title != "T" || v.Drop.MaxViews != 5 || v.Drop.ExpiresAt == nil || !strings.Contains(v.HTML, "<h1>two</h1>") {
		t.Errorf("got %d %+v %s, %v, want the new text rendered", a.status, v.Drop, v.HTML, err)
	}
	for _, bad := range []string{`{"url":"https://example.org"}`, `{"privacy":"obscure"}`, `{"title":["x"]}`, `[`} {
		if a := s.do("PUT", "/drops/"+code, bad, "Content-Type", "application/json"); a.status != 400 {
			t.Errorf("%s: got %d, want 400", bad, a.status)
		}
	}
	l, err := s.api.List(t.Context(), wire.ListRequest{})
	if err != nil || len(l.Drops) != 1 || len(l.Tokens) != 1 || len(l.Activity) != 2 || l.Activity[0].What != "updated" {
		t.Errorf("got %+v, %v, want one drop and two lines of activity", l, err)
	}
}

func TestExpiryAndSweeps(t *testing.T) {
	s := start(t)
	code := s.share("a.jpg", photo(t))
	kept := s.share("b.txt", "kept")
	past := time.Now().Add(-time.Second)
	if _, _, err := s.store.Update(t.Context(), code, past.Add(-time.Minute), func(d *drop.Drop) error { d.ExpiresAt = past; return nil }); err != nil {
		t.Fatal(err)
	}
	if a := s.do("GET", "/raw/"+code, ""); a.status != 410 {
		t.Errorf("before the sweep: got %d, want 410", a.status)
	}
	if err := s.sweeper.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.sweeper.Collect(t.Context(), time.Now().Add(time.Hour)); err != nil { // the replaced original
		t.Fatal(err)
	}
	s.events.Wait()
	if keys := s.stored(); len(keys) != 2 {
		t.Errorf("got objects %v, want only the kept text and its rendering", keys)
	}
	if err := s.api.Blobs.Put(t.Context(), "drops-local", "uploads/orphan", "", 1, strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if err := s.sweeper.Orphans(t.Context()); err != nil {
		t.Fatal(err)
	}
	if keys := s.stored(); len(keys) != 3 {
		t.Errorf("a young orphan: got objects %v, want it kept", keys)
	}
	s.sweeper.OrphanAge = 0
	if err := s.sweeper.Orphans(t.Context()); err != nil {
		t.Fatal(err)
	}
	if keys := s.stored(); len(keys) != 2 {
		t.Errorf("an old orphan: got objects %v, want it gone and the rest kept", keys)
	}
	if a := s.do("GET", "/raw/"+kept, ""); a.body != "kept" {
		t.Errorf("the other drop: got %d %q", a.status, a.body)
	}
	if left, err := s.store.Outbox(t.Context(), time.Now().Add(time.Hour), 10); err != nil || len(left) != 0 {
		t.Errorf("got %v, %v in the outbox, want none", left, err)
	}
}

// flaky is a bus that is away at first.
type flaky struct {
	down atomic.Bool
	sent atomic.Int64
}

func (f *flaky) Publish(context.Context, string, wire.DropEvent) error {
	if f.down.Load() {
		return errors.New("the bus is away")
	}
	f.sent.Add(1)
	return nil
}

func TestEventsSurviveABusThatIsAway(t *testing.T) {
	s := start(t)
	away := &flaky{}
	away.down.Store(true)
	s.sweeper.Bus = away
	code := s.share("a.txt", "x")
	if left, err := s.store.Outbox(t.Context(), time.Now().Add(time.Hour), 10); err != nil || len(left) != 1 || left[0].Event.Code != code {
		t.Fatalf("got %+v, %v in the outbox, want the created event", left, err)
	}
	if _, err := s.sweeper.Flush(t.Context(), time.Now().Add(time.Hour)); err == nil {
		t.Error("flush while the bus is away: got no error")
	}
	away.down.Store(false)
	if n, err := s.sweeper.Flush(t.Context(), time.Now().Add(time.Hour)); err != nil || n != 1 || away.sent.Load() != 1 {
		t.Errorf("got %d sent, %v, want the one", n, err)
	}
	if n, err := s.sweeper.Flush(t.Context(), time.Now().Add(time.Hour)); err != nil || n != 0 {
		t.Errorf("again: got %d sent, %v, want none", n, err)
	}
}
