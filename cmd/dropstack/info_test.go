package main

import (
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/gateway"
)

// TestInfoTellsWhereEachAPIAnswers has a stack of three APIs, one of which has the
// stack's own name.
func TestInfoTellsWhereEachAPIAnswers(t *testing.T) {
	rest := gateway.API{ID: "rest", Kind: gateway.REST, Stage: "dev"}
	first, second := gateway.API{ID: "one", Kind: gateway.HTTP, Stage: "$default"}, gateway.API{ID: "two", Kind: gateway.HTTP, Stage: "$default"}
	for name, c := range map[string]struct {
		apis []gateway.API
		want string
	}{
		"a REST API":  {[]gateway.API{rest}, "http://s-dev.localhost:8080"},
		"beside HTTP": {[]gateway.API{rest, first, second}, "http://rest.execute-api.us-east-1.localhost:8080/dev http://s-dev.localhost:8080 http://two.execute-api.us-east-1.localhost:8080"},
	} {
		var out strings.Builder
		(&cli{stdout: &out}).printInfo(api.Info{
			Revision:  &deploy.Revision{Stack: "s-dev", Region: "us-east-1", APIs: c.apis},
			Endpoints: api.Endpoints{HTTP: "http://127.0.0.1:8080"},
		})
		var got []string
		for line := range strings.Lines(out.String()) {
			if url, ok := strings.CutPrefix(line, "endpoint:"); ok {
				got = append(got, strings.TrimSpace(url))
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
