package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/services/wire"
	"golang.org/x/net/html"
)

// fake is a drops service that says what a test wants and keeps what it was asked.
type fake struct {
	reply wire.ViewReply
	list  wire.ListReply
	err   error
	views []wire.ViewRequest
	lists []wire.ListRequest
}

func (f *fake) View(_ context.Context, req wire.ViewRequest) (wire.ViewReply, error) {
	f.views = append(f.views, req)
	return f.reply, f.err
}

func (f *fake) List(_ context.Context, req wire.ListRequest) (wire.ListReply, error) {
	f.lists = append(f.lists, req)
	return f.list, f.err
}

// site is the pages in front of a fake.
func site(t *testing.T, f *fake) http.Handler {
	t.Helper()
	static, err := loadAssets()
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	return (&pages{Drops: f, Assets: static, Log: log}).handler()
}

func get(h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	return do(h, http.MethodGet, path, "", header...)
}

// do sends a request as from a browser on this machine; header is key, value, …
func do(h http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "127.0.0.1:8080"
	r.RemoteAddr = "192.0.2.7:5555"
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) Chrome/150.0 Safari/537.36")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// node is one element of a parsed page.
type node struct {
	tag  string
	attr map[string]string
	text string // of the text directly inside
}

// parse reads a page and fails on what a browser would have had to repair: an
// element left open, closed twice or nested against the rules.
func parse(t *testing.T, page string) []node {
	t.Helper()
	balanced(t, page)
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var nodes []node
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		e := node{tag: n.Data, attr: map[string]string{}}
		for _, a := range n.Attr {
			e.attr[a.Key] = a.Val
		}
		for c := range n.ChildNodes() {
			if c.Type == html.TextNode {
				e.text += c.Data
			}
		}
		nodes = append(nodes, e)
	}
	return nodes
}

var void = map[string]bool{"meta": true, "link": true, "input": true, "img": true, "br": true, "hr": true}

func balanced(t *testing.T, page string) {
	t.Helper()
	var open []string
	for z := html.NewTokenizer(strings.NewReader(page)); ; {
		switch z.Next() {
		case html.ErrorToken:
			if len(open) > 0 {
				t.Errorf("left open: %v", open)
			}
			return
		case html.StartTagToken:
			if name, _ := z.TagName(); !void[string(name)] {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				t.Errorf("</%s> closes nothing; open: %v", name, open)
				return
			}
			open = open[:len(open)-1]
		}
	}
}

func find(nodes []node, tag string, attrs ...string) (node, bool) {
next:
	for _, n := range nodes {
		if n.tag != tag {
			continue
		}
		for i := 0; i < len(attrs); i += 2 {
			if n.attr[attrs[i]] != attrs[i+1] {
				continue next
			}
		}
		return n, true
	}
	return node{}, false
}

func ok(d wire.Drop) wire.ViewReply {
	if d.Code == "" {
		d.Code = "Abc1234"
	}
	if d.Privacy == "" {
		d.Privacy = "PUBLIC"
	}
	return wire.ViewReply{State: wire.StateOK, Drop: &d, Token: "tok+en"}
}
