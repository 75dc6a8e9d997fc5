package gateway_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/gateway"
)

var (
	partnerKey = gateway.APIKey{Stack: "drops-dev", ID: "key1", Name: "partner", Value: strings.Repeat("p", 20)}
	closedKey  = gateway.APIKey{Stack: "drops-dev", ID: "key2", Name: "closed", Value: strings.Repeat("c", 20), Disabled: true}
	strangeKey = gateway.APIKey{Stack: "drops-dev", ID: "key3", Name: "strange", Value: strings.Repeat("s", 20)}
	otherKey   = gateway.APIKey{Stack: "drops-dev", ID: "key4", Name: "other", Value: strings.Repeat("o", 20)}
	allKeys    = []gateway.APIKey{partnerKey, closedKey, strangeKey, otherKey}
)

func keyedAPI() gateway.API {
	closed, open := route("GET", "/closed"), route("GET", "/open")
	closed.KeyRequired, closed.Function, open.Function = true, "backend", "backend"
	return rest(closed, open)
}

func usagePlan(p gateway.UsagePlan) []gateway.UsagePlan {
	elsewhere := gateway.UsagePlan{Stack: "drops-dev", ID: "elsewhere", Stages: []gateway.PlanStage{{API: rest().ID, Stage: "prod"}}, Keys: []string{otherKey.ID}}
	p.Stack, p.ID, p.Stages, p.Keys = "drops-dev", "plan", []gateway.PlanStage{{API: rest().ID, Stage: "dev"}}, []string{partnerKey.ID, closedKey.ID}
	return []gateway.UsagePlan{elsewhere, p}
}

func withKey(h http.Handler, path, key string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, nil)
	if key != "" {
		r.Header.Set("x-api-key", key)
	}
	return do(h, r)
}

func TestAPIKeys(t *testing.T) {
	var log bytes.Buffer
	for name, c := range map[string]struct {
		path, key string
		want      int
	}{
		"the key":                 {"/closed", partnerKey.Value, 200},
		"no key":                  {"/closed", "", 403},
		"no such key":             {"/closed", "nobody's", 403},
		"a disabled key":          {"/closed", closedKey.Value, 403},
		"a key in no plan":        {"/closed", strangeKey.Value, 403},
		"a key of another stage":  {"/closed", otherKey.Value, 403},
		"an open route":           {"/open", "", 200},
		"an open route and a key": {"/open", "nobody's", 200},
	} {
		fn := &lambdas{}
		g := &gateway.Gateway{Invoker: fn, Log: slog.New(slog.NewTextHandler(&log, nil))}
		res := withKey(open(t, g, keyedAPI(), allKeys, usagePlan(gateway.UsagePlan{})), c.path, c.key)
		if res.Code != c.want || c.want == 403 && res.Body.String() != `{"message":"Forbidden"}` {
			t.Errorf("%s: got %d %s, want %d", name, res.Code, res.Body, c.want)
		}
		if c.want != 200 {
			continue
		}
		var e events.APIGatewayProxyRequest
		fn.last(t, "backend", &e)
		id := ""
		if c.path == "/closed" {
			id = partnerKey.ID
		}
		if got := e.RequestContext.Identity; got.APIKeyID != id || (got.APIKey == partnerKey.Value) != (id != "") {
			t.Errorf("%s: identity %q, %q", name, got.APIKey, got.APIKeyID)
		}
	}
	for _, key := range allKeys {
		if strings.Contains(log.String(), key.Value) {
			t.Errorf("the value of key %s is in the log", key.Name)
		}
	}
}

func TestAPIKeyOfAnAuthorizer(t *testing.T) {
	for key, want := range map[string]int{partnerKey.Value: 200, "nobody's": 403, "": 403} {
		fn := &lambdas{answers: map[string]func([]byte) (string, string){"auth": func([]byte) (string, string) {
			return policyAnswer("Allow", "*", `,"usageIdentifierKey":"`+key+`"`), ""
		}}}
		api := keyedAPI()
		api.KeySource, api.Routes[0].Authorizer = gateway.KeyOfAuthorizer, "auth"
		api.Authorizers = []gateway.Authorizer{{Name: "auth", Kind: gateway.AuthorizerRequest, Function: "auth"}}
		res := withKey(open(t, &gateway.Gateway{Invoker: fn}, api, allKeys, usagePlan(gateway.UsagePlan{})), "/closed", partnerKey.Value)
		if res.Code != want {
			t.Errorf("the authorizer's key %q: got %d %s, want %d", key, res.Code, res.Body, want)
		}
	}
}

func TestThrottles(t *testing.T) {
	bucket := gateway.Throttle{Rate: 2, Burst: 3}
	for name, c := range map[string]struct {
		plan  gateway.UsagePlan
		stage *gateway.Throttle
		path  string
	}{
		"of the key's plan": {gateway.UsagePlan{Throttle: &bucket}, nil, "/closed"},
		"of the stage":      {gateway.UsagePlan{}, &bucket, "/open"},
	} {
		synctest.Test(t, func(t *testing.T) {
			api := keyedAPI()
			api.Throttle = c.stage
			g := &gateway.Gateway{Invoker: &lambdas{}}
			h := open(t, g, api, allKeys, usagePlan(c.plan))
			pass := func() (n int) {
				for range 10 {
					res := withKey(h, c.path, partnerKey.Value)
					switch {
					case res.Code == 200:
						n++
					case res.Code != 429 || res.Body.String() != `{"message":"Too Many Requests"}`:
						t.Errorf("%s: got %d %s", name, res.Code, res.Body)
					}
				}
				return n
			}
			if got := pass(); got != 3 {
				t.Errorf("%s: %d passed at once, want the burst of 3", name, got)
			}
			h = open(t, g, api, allKeys, usagePlan(c.plan)) // deployed again
			if got := pass(); got != 0 {
				t.Errorf("%s: %d passed after a deployment, want none", name, got)
			}
			time.Sleep(time.Second)
			if got := pass(); got != 2 {
				t.Errorf("%s: %d passed a second later, want 2", name, got)
			}
		})
	}
}

func TestQuotas(t *testing.T) {
	for name, c := range map[string]struct {
		quota gateway.Quota
		begin string
		after time.Duration // then there is a new period
		first int           // that pass in the first period
	}{
		"a day":             {gateway.Quota{Limit: 3, Period: gateway.Day}, "2026-03-05T23:00:00Z", time.Hour, 3},
		"a week to Monday":  {gateway.Quota{Limit: 3, Period: gateway.Week}, "2026-03-05T00:00:00Z", 4 * 24 * time.Hour, 3},
		"a month to its 1.": {gateway.Quota{Limit: 3, Period: gateway.Month}, "2026-02-27T12:00:00Z", 36 * time.Hour, 3},
		"an offset":         {gateway.Quota{Limit: 3, Offset: 2, Period: gateway.Day}, "2026-03-05T12:00:00Z", 12 * time.Hour, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			begin, err := time.Parse(time.RFC3339, c.begin)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Until(begin))
			h := open(t, &gateway.Gateway{Invoker: &lambdas{}}, keyedAPI(), allKeys, usagePlan(gateway.UsagePlan{Quota: &c.quota}))
			pass := func() (n int) {
				for range 5 {
					res := withKey(h, "/closed", partnerKey.Value)
					switch {
					case res.Code == 200:
						n++
					case res.Code != 429 || res.Body.String() != `{"message":"Limit Exceeded"}`:
						t.Errorf("%s: got %d %s", name, res.Code, res.Body)
					}
				}
				return n
			}
			if got := pass(); got != c.first {
				t.Errorf("%s: %d passed in the first period, want %d", name, got, c.first)
			}
			time.Sleep(c.after - time.Second)
			if got := pass(); got != 0 {
				t.Errorf("%s: %d passed a second before the next period, want none", name, got)
			}
			time.Sleep(time.Second)
			if got := pass(); got != c.quota.Limit {
				t.Errorf("%s: %d passed in the next period, want %d", name, got, c.quota.Limit)
			}
		})
	}
}

func TestCountsSurviveARestart(t *testing.T) {
	streams := enginetest.Streams(t)
	plan := usagePlan(gateway.UsagePlan{Quota: &gateway.Quota{Limit: 3, Period: gateway.Month}})
	life := func() (passed int, used map[string][]int) {
		meter := &gateway.Meter{Streams: streams, Log: slog.New(slog.DiscardHandler)}
		if err := meter.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		h := open(t, &gateway.Gateway{Invoker: &lambdas{}, Meter: meter}, keyedAPI(), allKeys, plan)
		for range 2 {
			if withKey(h, "/closed", partnerKey.Value).Code == 200 {
				passed++
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		stop() // at the end everything is stored once more
		if err := meter.Run(ctx); err != nil {
			t.Fatal(err)
		}
		return passed, meter.Usage("plan", time.Now(), time.Now())
	}
	passed, _ := life()
	again, used := life()
	if passed != 2 || again != 1 {
		t.Errorf("passed %d, and %d after a restart; want 2 and 1", passed, again)
	}
	if diff := cmp.Diff(map[string][]int{partnerKey.ID: {3}}, used); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
}

func TestCountsAreStoredWhileThePlatformRuns(t *testing.T) {
	streams := enginetest.Streams(t)
	meter := &gateway.Meter{Streams: streams, Log: slog.New(slog.DiscardHandler)}
	if err := meter.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	kv, err := streams.KeyValue(t.Context(), "api-usage")
	if err != nil {
		t.Fatal(err)
	}
	stored, err := kv.WatchAll(t.Context(), jetstream.UpdatesOnly())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := meter.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	defer running.Wait()
	defer stop()
	h := open(t, &gateway.Gateway{Invoker: &lambdas{}, Meter: meter}, keyedAPI(), allKeys, usagePlan(gateway.UsagePlan{}))
	withKey(h, "/closed", partnerKey.Value)
	entry := <-stored.Updates()
	if got, want := string(entry.Value()), `{"key1":1}`; got != want || !strings.HasPrefix(entry.Key(), "plan.") {
		t.Errorf("stored %s: %s, want %s", entry.Key(), got, want)
	}
}

func TestCheckKeys(t *testing.T) {
	for name, c := range map[string]struct {
		key  gateway.APIKey
		plan gateway.UsagePlan
		want string // "" is right
	}{
		"right":           {partnerKey, usagePlan(gateway.UsagePlan{})[1], ""},
		"a short value":   {gateway.APIKey{Stack: "drops-dev", ID: "a", Value: "secret"}, gateway.UsagePlan{Stack: "drops-dev", ID: "p"}, "20 to 128"},
		"another stack's": {gateway.APIKey{Stack: "other", ID: "a"}, gateway.UsagePlan{Stack: "drops-dev", ID: "p"}, "of stack"},
		"a strange id":    {partnerKey, gateway.UsagePlan{Stack: "drops-dev", ID: "a.b"}, "letters and digits"},
		"a strange quota": {partnerKey, gateway.UsagePlan{Stack: "drops-dev", ID: "p", Quota: &gateway.Quota{Limit: 1, Period: "YEAR"}}, "DAY, WEEK and MONTH"},
		"a negative rate": {partnerKey, gateway.UsagePlan{Stack: "drops-dev", ID: "p", Throttle: &gateway.Throttle{Rate: -1}}, "negative"},
	} {
		err := gateway.CheckKeys("drops-dev", []gateway.APIKey{c.key}, []gateway.UsagePlan{c.plan})
		if c.want == "" && err != nil || c.want != "" && (fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestKeysWithOneValueAreRefused(t *testing.T) {
	g := &gateway.Gateway{Log: slog.New(slog.DiscardHandler)}
	if err := g.Replace("drops-dev", nil, []gateway.APIKey{partnerKey}, nil); err != nil {
		t.Fatal(err)
	}
	twin := gateway.APIKey{Stack: "other", ID: "twin", Name: "twin", Value: partnerKey.Value}
	err := g.Replace("other", nil, []gateway.APIKey{twin}, nil)
	if fault.KindOf(err) != fault.Conflict || strings.Contains(err.Error(), partnerKey.Value) {
		t.Errorf("got %v", err)
	}
}
