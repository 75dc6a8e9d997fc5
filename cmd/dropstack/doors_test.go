package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/testkit"
)

const doorsService = `service: doors
provider:
  name: aws
  runtime: nodejs20.x
  apiGateway:
    apiKeys: [{name: partner, value: KEY}]
    usagePlan: {quota: {limit: 2, period: MONTH}}
  logs:
    restApi: {format: $context.httpMethod $context.path $context.status $context.identity.apiKeyId $context.identity.apiKey}
functions:
  asked:
    handler: doors.asked
    events:
      - http: {method: GET, path: guarded, authorizer: {name: keeper, resultTtlInSeconds: 300}}
      - http: {method: GET, path: counted, private: true}
  queued:
    handler: doors.queued
    events: [{http: {method: POST, path: queued, async: true}}]
  keeper: {handler: doors.keeper}
`

const doorsCode = `
exports.asked = async (e) => ({statusCode: 200, body: JSON.stringify({who: e.requestContext.authorizer, key: e.requestContext.identity.apiKeyId})})
exports.queued = async (e) => { console.log("job for " + e.body.name + " of " + e.stage) }
exports.keeper = async (e) => {
  if (e.authorizationToken === "broken") throw new Error("Unauthorized")
  const Effect = e.authorizationToken === "friend" ? "Allow" : "Deny"
  return {principalId: "ada", context: {age: 36}, policyDocument: {Version: "2012-10-17",
    Statement: [{Action: "execute-api:Invoke", Effect, Resource: e.methodArn}]}}
}
`

// TestDoors has an API whose routes ask for an authorizer's word, for a key, and for
// nothing to be waited for.
func TestDoors(t *testing.T) {
	t.Parallel()
	dir, key := testkit.Dir(t), strings.Repeat("key-", 8)
	p := testkit.Start(t, dir, "--services", "none")
	deployDoors(t, p, key)
	ask := func(method, path string, header ...string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, p.HTTP+path, strings.NewReader(`{"name":"Ada"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = arn.APIID("doors-dev", gateway.REST) + ".execute-api.us-east-1.localhost"
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		resp, err := visitor.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	for _, c := range []struct {
		what, method, path, name, value string
		want                            int
		says                            string
	}{
		{"no token", "GET", "/dev/guarded", "", "", 401, `{"message":"Unauthorized"}`},
		{"a stranger", "GET", "/dev/guarded", "Authorization", "stranger", 403, `{"Message":"User is not authorized to access this resource with an explicit deny"}`},
		{"an authorizer that throws", "GET", "/dev/guarded", "Authorization", "broken", 401, `{"message":"Unauthorized"}`},
		{"a friend", "GET", "/dev/guarded", "Authorization", "friend", 200, `"principalId":"ada"`},
		{"another stage", "GET", "/prod/guarded", "Authorization", "friend", 403, `{"message":"Forbidden"}`},
		{"no key", "GET", "/dev/counted", "", "", 403, `{"message":"Forbidden"}`},
		{"the key", "GET", "/dev/counted", "X-Api-Key", key, 200, `"key":"`},
		{"a job", "POST", "/dev/queued", "", "", 200, "{}"},
	} {
		var header []string
		if c.name != "" {
			header = []string{c.name, c.value}
		}
		if status, body := ask(c.method, c.path, header...); status != c.want || !strings.Contains(body, c.says) {
			t.Errorf("%s: got %d %s, want %d %s", c.what, status, body, c.want, c.says)
		}
	}
	for group, want := range map[string]string{
		"/aws/lambda/doors-dev-queued": "job for Ada of dev",
		"/aws/api-gateway/doors-dev":   "GET /dev/counted 200 ",
	} {
		eventually(t, want, func() (bool, string) {
			page, err := admin(t, p).FilterLogs(t.Context(), logs.FilterLogEventsInput{LogGroupName: group})
			var all strings.Builder
			for _, e := range page.Events {
				all.WriteString(e.Message + "\n")
			}
			if strings.Contains(all.String(), key) {
				t.Fatalf("the key's value is in %s:\n%s", group, all.String())
			}
			return err == nil && strings.Contains(all.String(), want), all.String()
		})
	}
	out, _, _ := p.Run(t, "", "info", "doors-dev", "--json")
	if !strings.Contains(out, `"partner"`) || strings.Contains(out, key) {
		t.Errorf("info tells the key's value, or does not know the key:\n%s", out)
	}
	if code := p.Stop(t); code != 0 {
		t.Fatalf("exit %d", code)
	}
	if strings.Contains(p.Log(), key) {
		t.Error("the key's value is in the log")
	}
	p = testkit.Start(t, dir, "--services", "none")
	for i, want := range []int{200, 429} { // the quota is 2, and one was used before
		if status, body := ask("GET", "/dev/counted", "X-Api-Key", key); status != want {
			t.Errorf("request %d after a restart: got %d %s, want %d", i+1, status, body, want)
		}
	}
}

func deployDoors(t *testing.T, p *testkit.Platform, key string) {
	t.Helper()
	src := t.TempDir()
	for name, text := range map[string]string{"serverless.yml": strings.Replace(doorsService, "KEY", key, 1), "doors.js": doorsCode} {
		if err := os.WriteFile(filepath.Join(src, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, errs, code := p.Run(t, "", "deploy", src); code != 0 {
		t.Fatalf("deploy: exit %d\n%s%s", code, out, errs)
	}
}
