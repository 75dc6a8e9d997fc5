package gateway_test

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/logs"
)

// book keeps what is appended.
type book struct {
	mu      sync.Mutex
	records []logs.Record
}

func (b *book) Append(r logs.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records = append(b.records, r)
}

func TestAccessLog(t *testing.T) {
	agent := `cur"l` + "\t8"
	for name, c := range map[string]struct {
		format, path, key string
		auth              bool
		want              string // pattern
	}{
		"common log format": {
			format: `$context.identity.sourceIp $context.identity.caller $context.identity.user [$context.requestTime]"$context.httpMethod $context.resourcePath $context.protocol" $context.status $context.responseLength $context.requestId`,
			path:   "/a/7",
			want:   `192\.0\.2\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\]"GET /a/\{id\} HTTP/1\.1" 200 6 [0-9a-f-]{36}`,
		},
		"JSON": {
			format: `{"ip":"$context.identity.sourceIp","agent":"$context.identity.userAgent","status":$context.status,"path":"$context.path","took":"$context.responseLatency","lambda":"$context.integration.requestId"}`,
			path:   "/a/7",
			want:   `\{"ip":"192\.0\.2\.1","agent":"cur\\"l\\t8","status":200,"path":"/dev/a/7","took":"\d+","lambda":"inv-1"\}`,
		},
		"what failed": {
			format: `$context.status,$context.error.responseType,$context.error.message,$context.error.messageString,$context.resourcePath,$context.integration.status`,
			path:   "/nowhere",
			want:   `403,MISSING_AUTHENTICATION_TOKEN,Missing Authentication Token,"Missing Authentication Token",-,-`,
		},
		"who was let in": {
			format: `<log id="$context.apiId" stage="$context.stage" who="$context.authorizer.principalId" age="$context.authorizer.age" none="$context.authorizer.none" status="$context.authorizer.status"/>`,
			path:   "/auth", auth: true,
			want: `<log id="` + rest().ID + `" stage="dev" who="user-1" age="36" none="-" status="200"/>`,
		},
		"a key": {
			format: `$context.identity.apiKeyId $context.identity.apiKey $method.request.header.x-api-key $context.accountId $context.nothing costs $5`,
			path:   "/closed", key: partnerKey.Value,
			want: `key1 - - 000000000000 - costs \$5`,
		},
	} {
		get, auth, closed := route("GET", "/a/{id}"), guardedRoute("GET", "/auth", "auth"), route("GET", "/closed")
		closed.KeyRequired, get.Function, closed.Function = true, "backend", "backend"
		api := rest(get, auth, closed)
		api.Authorizers = []gateway.Authorizer{{Name: "auth", Kind: gateway.AuthorizerToken, Function: "auth", Identity: []string{"method.request.header.Authorization"}}}
		api.AccessLog = &gateway.AccessLog{Group: "/aws/api-gateway/drops-dev", Format: c.format}
		fn := &lambdas{answers: map[string]func([]byte) (string, string){"auth": func([]byte) (string, string) {
			return policyAnswer("Allow", "*", `,"context":{"age":36}`), ""
		}}}
		lines := &book{}
		h := open(t, &gateway.Gateway{Invoker: fn, Logs: lines}, api, allKeys, usagePlan(gateway.UsagePlan{}))
		r := httptest.NewRequest("GET", c.path, nil)
		r.Header.Set("User-Agent", agent)
		r.Header.Set("X-Api-Key", c.key)
		r.Header.Set("Authorization", "t")
		do(h, r)
		if len(lines.records) != 1 {
			t.Fatalf("%s: %d lines", name, len(lines.records))
		}
		got := lines.records[0]
		if !regexp.MustCompile("^" + c.want + "$").MatchString(got.Message) {
			t.Errorf("%s: got %s, want %s", name, got.Message, c.want)
		}
		if got.Group != "/aws/api-gateway/drops-dev" || !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(got.Stream) {
			t.Errorf("%s: in %s, %s", name, got.Group, got.Stream)
		}
		if strings.Contains(got.Message, partnerKey.Value) {
			t.Errorf("%s: the key's value is in the line", name)
		}
	}
}

func TestAccessLogOfAnHTTPAPI(t *testing.T) {
	lines := &book{}
	api := httpAPI(route("GET", "/v2/{id}"))
	// the framework's format
	api.AccessLog = &gateway.AccessLog{Group: "g", Format: `{"requestId":"$context.requestId","ip":"$context.identity.sourceIp","requestTime":"$context.requestTime","httpMethod":"$context.httpMethod","routeKey":"$context.routeKey","status":"$context.status","protocol":"$context.protocol","responseLength":"$context.responseLength"}`}
	h := open(t, &gateway.Gateway{Invoker: &invokes{payload: `"hello"`}, Logs: lines}, api, nil, nil)
	do(h, httptest.NewRequest("GET", "/v2/7", nil))
	do(h, httptest.NewRequest("GET", "/nowhere", nil))
	want := []string{`"routeKey":"GET /v2/{id}","status":"200","protocol":"HTTP/1.1","responseLength":"5"}`, `"routeKey":"-","status":"404","protocol":"HTTP/1.1","responseLength":"23"}`}
	for i, w := range want {
		if !strings.HasSuffix(lines.records[i].Message, w) {
			t.Errorf("got %s, want %s", lines.records[i].Message, w)
		}
	}
}
