package gateway_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/dropstack/dropstack/internal/gateway"
)

func TestStagesInPaths(t *testing.T) {
	named := httpAPI(route("GET", "/a"))
	named.ID, named.Stage = "named", "prod"
	g := &gateway.Gateway{Invoker: &invokes{payload: `{"statusCode":200,"body":"let in"}`}, Log: slog.New(slog.DiscardHandler)}
	if err := g.Replace("drops-dev", []gateway.API{rest(route("GET", "/a"), route("GET", "/")), httpAPI(route("GET", "/a")), named, functionURL()}, nil, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id, path string
		want     int
		body     string
	}{
		{rest().ID, "/dev/a", 200, "let in"},
		{rest().ID, "/dev", 200, "let in"},
		{rest().ID, "/dev/", 200, "let in"},
		{rest().ID, "/dev/b", 403, `{"message":"Missing Authentication Token"}`},
		{rest().ID, "/a", 403, `{"message":"Forbidden"}`},
		{rest().ID, "/devil/a", 403, `{"message":"Forbidden"}`},
		{httpAPI().ID, "/a", 200, "let in"},
		{httpAPI().ID, "/$default/a", 404, `{"message":"Not Found"}`},
		{"named", "/prod/a", 200, "let in"},
		{"named", "/a", 404, `{"message":"Not Found"}`},
		{"gone", "/dev/a", 403, `{"message":"Forbidden"}`},
		{functionURL().ID, "/", 403, `{"message":"Forbidden"}`},
	} {
		if res := do(g.API(c.id), httptest.NewRequest("GET", c.path, nil)); res.Code != c.want || res.Body.String() != c.body {
			t.Errorf("%s%s: got %d %s, want %d %s", c.id, c.path, res.Code, res.Body, c.want, c.body)
		}
	}
	if first, _ := g.Handler("drops-dev", gateway.HTTP); first == nil || do(first, httptest.NewRequest("GET", "/a", nil)).Code != 200 {
		t.Error("the stack's first HTTP API does not serve it")
	}
}

func TestStagesTellWhichTheyAre(t *testing.T) {
	api := rest(route("GET", "/a"))
	api.WebACL = "arn"
	g := &gateway.Gateway{Invoker: &invokes{}, Log: slog.New(slog.DiscardHandler)}
	if err := g.Replace("drops-dev", []gateway.API{api}, nil, nil); err != nil {
		t.Fatal(err)
	}
	for _, h := range []any{g.API(api.ID), must(g.Handler("drops-dev", "")), must(g.Stage(api.ID, "dev"))} {
		of, ok := h.(interface{ Stage() (string, string) })
		if !ok {
			t.Fatalf("%T does not tell", h)
		}
		if id, stage := of.Stage(); g.WebACL(id, stage) != "arn" {
			t.Errorf("the stage %s of %s has no web ACL", stage, id)
		}
	}
	if got := g.WebACL(api.ID, "prod"); got != "" {
		t.Errorf("another stage has %q", got)
	}
}

func must(h http.Handler, ok bool) http.Handler {
	if !ok {
		panic("it is not there")
	}
	return h
}
