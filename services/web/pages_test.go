package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/services/wire"
	"github.com/google/go-cmp/cmp"
)

func TestEachStateHasItsPage(t *testing.T) {
	for _, c := range []struct {
		state  string
		status int
		says   string
	}{
		{wire.StateNotFound, 404, "Nothing landed here"},
		{wire.StateGone, 410, "dried up"},
		{wire.StateNeedsPassword, 403, "has a password"},
		{wire.StateWrongPassword, 403, "doesn’t open this drop"},
		{wire.StateTooMany, 429, "Too many attempts"},
		{"somethingNew", 404, "Nothing landed here"},
		{wire.StateOK, 404, "Nothing landed here"}, // ok without a drop
	} {
		w := get(site(t, &fake{reply: wire.ViewReply{State: c.state}}), "/Abc1234")
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s: got %d, want %d and a page that says %q", c.state, w.Code, c.status, c.says)
		}
		if got := w.Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control %q, want no-store", c.state, got)
		}
		parse(t, w.Body.String())
	}
}

func TestServiceFailureIsNotTheVisitorsFault(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
	}{
		{errors.New("connection refused to 10.0.0.7"), 502},
		{fmt.Errorf("invoke: %w", errBusy), 503},
	} {
		h := site(t, &fake{err: c.err})
		for _, path := range []string{"/Abc1234", "/my", "/embed/Abc1234"} {
			w := get(h, path, ownerHeader, "1")
			if w.Code != c.status || strings.Contains(w.Body.String(), "10.0.0.7") {
				t.Errorf("GET %s: got %d %s, want %d without the cause", path, w.Code, w.Body, c.status)
			}
		}
		if w := do(h, "POST", "/Abc1234", "password=x", "Content-Type", "application/x-www-form-urlencoded"); w.Code != c.status {
			t.Errorf("POST: got %d, want %d", w.Code, c.status)
		}
	}
}

func TestOnlyCodesReachTheService(t *testing.T) {
	f := &fake{reply: ok(wire.Drop{Type: "file"})}
	h := site(t, f)
	for _, path := range []string{"/abc", "/Abc12345", "/Abc123_", "/Abc1234567890123z", "/Abc123%C3%A9", "/wp-login.php", "/a/b/c", "/Abc123%0a", "/embed/x"} {
		if w := get(h, path); w.Code != 404 {
			t.Errorf("GET %s: got %d, want 404", path, w.Code)
		}
	}
	if w := do(h, "POST", "/login", "password=x", "Content-Type", "application/x-www-form-urlencoded"); w.Code != 404 {
		t.Errorf("POST /login: got %d, want 404", w.Code)
	}
	if len(f.views) != 0 {
		t.Errorf("the service was asked: %+v", f.views)
	}
	for _, path := range []string{"/Abc1234", "/0123456789abcdef", "/Abc1234/photo.png"} {
		if w := get(h, path); w.Code != 200 {
			t.Errorf("GET %s: got %d, want 200", path, w.Code)
		}
	}
}

func TestWhatIsCounted(t *testing.T) {
	browser := "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1"
	for _, c := range []struct {
		name, method string
		header       []string
		want         wire.ViewRequest
	}{
		{"a person", "GET", []string{"User-Agent", browser}, wire.ViewRequest{}},
		{"a phone called CUBOT", "GET", []string{"User-Agent", "Mozilla/5.0 (Linux; Android 14; CUBOT NOTE 50)"}, wire.ViewRequest{}},
		{"no user agent", "GET", []string{"User-Agent", ""}, wire.ViewRequest{}},
		{"the owner", "GET", []string{ownerHeader, "1"}, wire.ViewRequest{Owner: true}},
		{"an owner header that is not the edge's", "GET", []string{ownerHeader, "true"}, wire.ViewRequest{}},
		{"HEAD", "HEAD", nil, wire.ViewRequest{Peek: true}},
		{"Slack", "GET", []string{"User-Agent", "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"}, wire.ViewRequest{Peek: true}},
		{"Twitter", "GET", []string{"User-Agent", "Twitterbot/1.0"}, wire.ViewRequest{Peek: true}},
		{"Facebook", "GET", []string{"User-Agent", "facebookexternalhit/1.1"}, wire.ViewRequest{Peek: true}},
		{"Discord", "GET", []string{"User-Agent", "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)"}, wire.ViewRequest{Peek: true}},
		{"Telegram", "GET", []string{"User-Agent", "TelegramBot (like TwitterBot)"}, wire.ViewRequest{Peek: true}},
		{"WhatsApp", "GET", []string{"User-Agent", "WhatsApp/2.23.20.0"}, wire.ViewRequest{Peek: true}},
		{"Teams", "GET", []string{"User-Agent", "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5"}, wire.ViewRequest{Peek: true}},
		{"prefetch", "GET", []string{"Sec-Purpose", "prefetch;prerender"}, wire.ViewRequest{Peek: true}},
		{"unlocked before", "GET", []string{"Cookie", "unlock=abc.DEF-1"}, wire.ViewRequest{Unlock: "abc.DEF-1"}},
	} {
		f := &fake{reply: ok(wire.Drop{Type: "file"})}
		w := do(site(t, f), c.method, "/Abc1234", "", c.header...)
		c.want.Code, c.want.SourceIP = "Abc1234", "192.0.2.7"
		if diff := cmp.Diff([]wire.ViewRequest{c.want}, f.views); w.Code != 200 || diff != "" {
			t.Errorf("%s: %d, asked (-want +got):\n%s", c.name, w.Code, diff)
		}
		if c.method == "HEAD" && w.Body.Len() > 0 {
			t.Errorf("HEAD was answered with %d bytes", w.Body.Len())
		}
	}
}

func TestLinksRedirect(t *testing.T) {
	for _, c := range []struct {
		name     string
		drop     wire.Drop
		agent    string
		status   int
		location string
	}{
		{"a link", wire.Drop{Content: "https://example.com/a?b=c#d"}, "Mozilla/5.0", 302, "https://example.com/a?b=c#d"},
		{"a link, unfurled", wire.Drop{Content: "https://example.com/"}, "Slackbot 1.0", 302, "https://example.com/"},
		{"a link with views left", wire.Drop{Content: "https://example.com/", MaxViews: 1}, "Mozilla/5.0", 302, "https://example.com/"},
		{"a limited link, unfurled", wire.Drop{Content: "https://example.com/", MaxViews: 1}, "Slackbot 1.0", 200, ""},
		{"script", wire.Drop{Content: "javascript:alert(1)"}, "Mozilla/5.0", 200, ""},
		{"data", wire.Drop{Content: "data:text/html,<script>alert(1)</script>"}, "Mozilla/5.0", 200, ""},
		{"no host", wire.Drop{Content: "https:///x"}, "Mozilla/5.0", 200, ""},
		{"another of our pages by path", wire.Drop{Content: "//evil.example"}, "Mozilla/5.0", 200, ""},
		{"header injection", wire.Drop{Content: "https://example.com/\r\nSet-Cookie: a=b"}, "Mozilla/5.0", 200, ""},
	} {
		c.drop.Type = wire.TypeLink
		w := get(site(t, &fake{reply: ok(c.drop)}), "/Abc1234", "User-Agent", c.agent)
		if got := w.Header().Get("Location"); w.Code != c.status || got != c.location {
			t.Errorf("%s: got %d %q, want %d %q", c.name, w.Code, got, c.status, c.location)
		}
		if c.drop.MaxViews > 0 && c.status == 200 && strings.Contains(w.Body.String(), "example.com") {
			t.Errorf("%s: the uncounted page tells the target", c.name)
		}
	}
}

func TestPasswordUnlocksByCookie(t *testing.T) {
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	reply := ok(wire.Drop{Type: "file", HasPassword: true})
	reply.Unlock = "v1.abc-DEF_123"
	f := &fake{reply: reply}
	w := do(site(t, f), "POST", "/Abc1234", "password=s3cr%C3%A9t", append(form, "X-Forwarded-Proto", "https")...)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/Abc1234" {
		t.Fatalf("got %d to %q, want 303 to the drop", w.Code, w.Header().Get("Location"))
	}
	want := "unlock=v1.abc-DEF_123; Path=/Abc1234; HttpOnly; Secure; SameSite=Lax"
	if got := w.Header().Get("Set-Cookie"); got != want {
		t.Errorf("cookie %q, want %q", got, want)
	}
	ask := []wire.ViewRequest{{Code: "Abc1234", Password: "s3crét", Peek: true, SourceIP: "192.0.2.7"}}
	if diff := cmp.Diff(ask, f.views); diff != "" {
		t.Errorf("the check must not use up a view (-want +got):\n%s", diff)
	}
	for body, status := range map[string]int{"": 422, "password=": 422, "password=" + strings.Repeat("x", maxForm): 422} {
		if w := do(site(t, f), "POST", "/Abc1234", body, form...); w.Code != status || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%d bytes: got %d, want %d and no cookie", len(body), w.Code, status)
		}
	}
	f.reply = wire.ViewReply{State: wire.StateWrongPassword, Unlock: "stray"}
	if w := do(site(t, f), "POST", "/Abc1234", "password=no", form...); w.Code != 403 || w.Header().Get("Set-Cookie") != "" {
		t.Errorf("wrong password: got %d, cookie %q", w.Code, w.Header().Get("Set-Cookie"))
	}
}

// The password page's form may end at a link drop's target, which Chromium
// holds against form-action.
func TestPasswordFormMayLeadAway(t *testing.T) {
	w := get(site(t, &fake{reply: wire.ViewReply{State: wire.StateNeedsPassword}}), "/Abc1234")
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' https: http:;") {
		t.Errorf("CSP %q", csp)
	}
	n, found := find(parse(t, w.Body.String()), "form", "method", "post", "action", "/Abc1234")
	if !found {
		t.Errorf("no form to the drop: %+v", n)
	}
}

func TestOwnerOnly(t *testing.T) {
	f := &fake{list: wire.ListReply{Drops: []wire.Drop{{Code: "Abc1234", Title: "Plans", Type: "file"}}, Tokens: []string{"t"}, Total: 1}}
	if w := get(site(t, f), "/my"); w.Code != 403 || len(f.lists) != 0 || strings.Contains(w.Body.String(), "Plans") {
		t.Errorf("a visitor got %d, asked %v", w.Code, f.lists)
	}
	w := get(site(t, f), "/my?q=+plan+&type=image&offset=48", ownerHeader, "1")
	want := []wire.ListRequest{{Offset: 48, Amount: pageOfDrops, Type: "image", Query: "plan"}}
	if diff := cmp.Diff(want, f.lists); w.Code != 200 || diff != "" {
		t.Errorf("%d, asked (-want +got):\n%s", w.Code, diff)
	}
	f.lists = nil
	get(site(t, f), "/my?type=nonsense&offset=-4&q="+strings.Repeat("x", 900), ownerHeader, "1")
	if l := f.lists[0]; l.Type != "" || l.Offset != 0 || len(l.Query) != 200 {
		t.Errorf("nonsense reached the service: %+v", l)
	}
}

func TestListPages(t *testing.T) {
	var list wire.ListReply
	for i := range pageOfDrops {
		list.Drops = append(list.Drops, wire.Drop{Code: fmt.Sprintf("Drop%03d", i), Type: "image", Title: "a", Thumbnail: i == 0})
		list.Tokens = append(list.Tokens, "t&"+fmt.Sprint(i))
	}
	list.Total = 3 * pageOfDrops
	nodes := parse(t, get(site(t, &fake{list: list}), "/my?type=image&offset=48&q=a", ownerHeader, "1").Body.String())
	for rel, want := range map[string]string{"prev": "/my?q=a&type=image", "next": "/my?offset=96&q=a&type=image"} {
		if n, _ := find(nodes, "a", "rel", rel); n.attr["href"] != want {
			t.Errorf("%s is %q, want %q", rel, n.attr["href"], want)
		}
	}
	if _, found := find(nodes, "img", "src", "http://content.localhost:8080/thumb/Drop000?t=t%260"); !found {
		t.Error("no thumbnail with its token")
	}
	list.Tokens = nil // a reply that is short of tokens shows no thumbnails
	if w := get(site(t, &fake{list: list}), "/my", ownerHeader, "1"); w.Code != 200 || strings.Contains(w.Body.String(), "<img") {
		t.Errorf("without tokens: %d", w.Code)
	}
}
