package osls

import (
	"net/http"
	"strings"
)

// useNotes goes through the doors of a REST API.
func useNotes(s *stack) {
	const api = "ServiceEndpoint"
	json := func(more http.Header) http.Header {
		h := http.Header{"Content-Type": {"application/json"}}
		for name, values := range more {
			h[name] = values
		}
		return h
	}
	got := s.answers(api, request{method: "GET", path: "/notes/7"}, 200, map[string]any{"stage": s.cli.stage, "resource": "/notes/{id}", "id": "7"})
	if v := got.header.Get("X-Version"); v != "one" {
		s.Errorf("X-Version is %q, want one", v)
	}
	preflight := s.answers(api, request{method: "OPTIONS", path: "/notes/7", header: http.Header{"Origin": {"https://app.example.com"}, "Access-Control-Request-Method": {"GET"}}}, 200, nil)
	if v := preflight.header.Get("Access-Control-Allow-Origin"); v != "*" {
		s.Errorf("a preflight request is answered with origin %q, want *", v)
	}

	// a token's authorizer, then a body that has to be as its schema says
	note := request{method: "POST", path: "/notes", header: json(nil), body: `{"text":"hi"}`}
	refused := s.answers(api, note, 401, map[string]any{"message": "Unauthorized"})
	if v := refused.header.Get("X-Door"); v != "closed" {
		s.Errorf("the answer that the stack declares has X-Door %q, want closed", v)
	}
	for token, want := range map[string]struct {
		body   string
		status int
		answer map[string]any
	}{
		"no ticket":     {`{"text":"hi"}`, 401, map[string]any{"message": "Unauthorized"}},
		"ticket torn":   {`{"text":"hi"}`, 401, map[string]any{"message": "Unauthorized"}},
		"ticket forged": {`{"text":"hi"}`, 403, nil},
		"ticket ann":    {`{"text":"hi"}`, 200, map[string]any{"who": "ann"}},
		"ticket bob":    {`{"text":""}`, 400, map[string]any{"message": "Invalid request body"}},
	} {
		note.header, note.body = json(http.Header{"Authorization": {token}}), want.body
		s.answers(api, note, want.status, want.answer)
	}

	// a request's authorizer
	file := request{method: "PUT", path: "/files/a/b.txt?why=work", header: http.Header{"X-Who": {"cid"}}}
	s.answers(api, file, 200, map[string]any{"proxy": "a/b.txt", "who": "cid!"})
	file.path = "/files/a/b.txt?why=fun"
	s.answers(api, file, 403, nil)
	file.path = "/files/a/b.txt"
	s.answers(api, file, 401, nil)

	// keys: their values are in what the command shows
	key := "notes-" + s.cli.stage + "-0123456789abcdef"
	if s.cli != own { // which shows no secrets
		s.do([]string{"info"}, "notes-"+s.cli.stage+"-reader: "+key)
	}
	members := request{method: "GET", path: "/members"}
	s.answers(api, members, 403, map[string]any{"message": "Forbidden"})
	members.header = http.Header{"X-Api-Key": {key}}
	s.answers(api, members, 200, map[string]any{"key": key})
	members.header = http.Header{"X-Api-Key": {strings.Repeat("x", 30)}}
	s.answers(api, members, 403, map[string]any{"message": "Forbidden"})

	s.answers(api, request{method: "POST", path: "/later", header: json(nil), body: `{"in":"time"}`}, 200, nil)
	s.logged("notes", `later {"in":"time"}`)
	s.answers(api, request{method: "GET", path: "/nowhere"}, 403, map[string]any{"message": "Missing Authentication Token"})
	for _, line := range []string{"line GET /notes/{id} 200", "line POST /notes 401", "line GET /members 403"} {
		s.loggedIn("/aws/api-gateway/"+s.name, line, soon)
	}
}
