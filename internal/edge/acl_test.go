package edge_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/waf"
)

// stages are origins whose APIs tell which they are.
type stages struct{ origins }

type stageOf struct {
	http.Handler
	api string
}

func (s stageOf) Stage() (api, stage string) { return s.api, "dev" }

func (s stages) Handler(stack, kind string) (http.Handler, bool) {
	h, ok := s.origins.Handler(stack, kind)
	return stageOf{h, strings.TrimSuffix(stack, ":dev")}, ok
}

func (s stages) Stage(id, stage string) (http.Handler, bool) { return s.Handler(id+":"+stage, "") }

func (s stages) API(id string) http.Handler { return stageOf{s.origins.API(id), id} }

// asked writes down which web ACLs decide, and blocks by the one called no.
type asked struct{ acls []string }

func (a *asked) Decide(_ context.Context, q *waf.Request) waf.Verdict {
	a.acls = append(a.acls, q.ACL)
	return waf.Verdict{Block: q.ACL == "no", Rule: q.ACL + "/rule", Labels: []string{q.ACL}}
}

func TestTheWebACLOfAStageIsAskedHoweverItIsReached(t *testing.T) {
	o := stages{origins{"web": named("web"), "free": named("free"), "free:dev": named("free"), "web:dev": named("web"), "api:web": named("web"), "api:free": named("free")}}
	decider := &asked{}
	s, _ := server(t, nil,
		edge.Distribution{Stack: "a", ID: "stack", Aliases: []string{"stack.example"}, WebACL: "front", Behaviours: []edge.Behaviour{{Path: "*", Origin: "web"}}},
		edge.Distribution{
			Stack: "b", ID: "api", Aliases: []string{"api.example"}, Origins: []edge.Origin{{ID: "o", API: "web"}, {ID: "f", API: "free"}},
			Behaviours: []edge.Behaviour{{Path: "/free", Origin: "f"}, {Path: "*", Origin: "o"}},
		})
	if err := s.Replace("c", []edge.Distribution{
		{
			Stack: "c", ID: "group", Aliases: []string{"group.example"}, Origins: []edge.Origin{{ID: "f", API: "free"}, {ID: "o", Stack: "web"}},
			Groups: []edge.OriginGroup{{ID: "both", Members: []string{"f", "o"}, Statuses: []int{500}}}, Behaviours: []edge.Behaviour{{Path: "*", Origin: "both"}},
		},
		{Stack: "c", ID: "off", Aliases: []string{"off.example"}, Disabled: true, WebACL: "off", Behaviours: []edge.Behaviour{{Path: "*", Origin: "web"}}},
	}); err != nil {
		t.Fatal(err)
	}
	s.Origins, s.Firewall = o, decider
	s.ACLOf = func(api, stage string) string {
		return map[string]string{"web dev": "no", "free dev": ""}[api+" "+stage]
	}
	for _, c := range []struct {
		url    string
		status int
		acls   []string
	}{
		{"http://web.execute-api.us-east-1.localhost/dev/x", 403, []string{"front", "no"}},
		{"http://web.localhost/x", 403, []string{"front", "no"}},
		{"http://localhost/restapis/web/dev/_user_request_/x", 403, []string{"front", "no"}},
		{"http://group.example/x", 403, []string{"no"}},
		{"http://stack.example/x", 403, []string{"front", "no"}},
		{"http://api.example/x", 403, []string{"no"}},
		{"http://api.example/free", 200, nil},
		{"http://free.execute-api.us-east-1.localhost/dev/x", 200, nil},
	} {
		decider.acls = nil
		w := do(s, httptest.NewRequest("GET", c.url, nil))
		if diff := cmp.Diff(c.acls, decider.acls); diff != "" || w.Code != c.status {
			t.Errorf("%s: %d, web ACLs -want +got:\n%s", c.url, w.Code, diff)
		}
	}
}
