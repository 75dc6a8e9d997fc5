package gateway_test

import (
	"log/slog"
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
