package instance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTelemetryOfALife(t *testing.T) {
	p, _ := newPool(t)
	p.Grace = time.Minute
	cfg, noted := extendedProbe(t, map[string]script{"new": {Events: both, Subscribe: "telemetry"}, "old": {Events: both, Subscribe: "logs"}})
	out, err := p.Do(t.Context(), cfg, Event{RequestID: "the-id", Payload: []byte(`{"mode":"log"}`), TraceID: "Root=1"})
	if err != nil || out.FunctionError != "" {
		t.Fatal(out, err)
	}
	has := func(name, kind string) func() bool {
		return func() bool { return strings.Contains(noted(), kind) && strings.Contains(noted(), name+` {"time"`) }
	}
	wait(t, "the report", has("new", `"type":"platform.report"`))
	wait(t, "the report", func() bool { return strings.Contains(noted(), `"type":"platform.end"`) })
	do(t, p, cfg, `{"mode":"exit","n":1}`)
	wait(t, "the second report", func() bool {
		return strings.Count(noted(), `new {"time"`) > 0 && strings.Contains(noted(), `"status":"error"`)
	})
	p.Close()
	log := noted()
	const at = `{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","type":`
	const trace = `"tracing":{"type":"X-Amzn-Trace-Id","value":"Root=1"}`
	for _, want := range []string{
		`new ` + at + `"platform.initStart","record":{"initializationType":"on-demand","phase":"init","runtimeVersion":"provided:al2023.v1","runtimeVersionArn":"arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}","functionName":"probe","functionVersion":"\$LATEST","instanceId":"[0-9a-f]{32}","instanceMaxMemory":134217728}}`,
		`new ` + at + `"platform.initRuntimeDone","record":{"initializationType":"on-demand","phase":"init","status":"success"}}`,
		`new ` + at + `"platform.initReport","record":{"initializationType":"on-demand","phase":"init","status":"success","metrics":{"durationMs":[0-9.]+}}}`,
		`new ` + at + `"platform.telemetrySubscription","record":{"name":"new","state":"Subscribed","types":\["platform","function","extension"\]}}`,
		`old ` + at + `"platform.logsSubscription","record":{"name":"old",`,
		`new ` + at + `"platform.extension","record":{"name":"new","state":"Ready","events":\["INVOKE","SHUTDOWN"\]}}`,
		`new ` + at + `"platform.start","record":{"requestId":"the-id","version":"\$LATEST",` + trace + `}}`,
		`new ` + at + `"function","record":"out one"}`,
		`new ` + at + `"extension","record":"new is here; handler: "}`,
		`new ` + at + `"platform.runtimeDone","record":{"requestId":"the-id","status":"success",` + trace + `,"metrics":{"durationMs":[0-9.]+,"producedBytes":4}}}`,
		`new ` + at + `"platform.report","record":{"requestId":"the-id","status":"success",` + trace + `,"metrics":{"durationMs":[0-9.]+,"billedDurationMs":\d+,"memorySizeMB":128,"maxMemoryUsedMB":\d+,"initDurationMs":[0-9.]+}}}`,
		`new ` + at + `"platform.runtimeDone","record":{"requestId":"[^"]*","status":"failure","errorType":"Runtime.ExitError",`,
		`old ` + at + `"platform.start",`,
		`old ` + at + `"platform.end","record":{"requestId":"the-id"}}`,
		`old ` + at + `"function","record":"out two"}`,
	} {
		matches(t, "deliveries", log, "(?m)^"+want)
	}
	for _, unwanted := range []string{
		`new {.*"platform.end"`, `new {.*logsSubscription`, `old {.*"platform.initStart"`, `old {.*telemetrySubscription`,
	} {
		if found := regexp.MustCompile("(?m)^" + unwanted).FindString(log); found != "" {
			t.Errorf("not for that one: %s", found)
		}
	}
	order := regexp.MustCompile(`(?m)^new {.*"platform\.(start|runtimeDone|report)","record":{"requestId":"the-id"`)
	var got []string
	for _, m := range order.FindAllStringSubmatch(log, -1) {
		got = append(got, m[1])
	}
	if want := []string{"start", "runtimeDone", "report"}; !slices.Equal(got, want) {
		t.Errorf("order got %v, want %v", got, want)
	}
}

func subscribeTo(path, id, body string) string {
	return extensionCall("PUT", path, body, "Lambda-Extension-Identifier: "+id)
}

func TestSubscriptions(t *testing.T) {
	const tel, logs = "/2022-07-01/telemetry", "/2020-08-15/logs"
	good := `{"schemaVersion":"2022-12-13","types":["platform"],"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:1"}}`
	change := func(from, to string) string { return strings.Replace(good, from, to, 1) }
	old := change("2022-12-13", "2021-03-18")
	buffered := func(b string) string { return change(`"dest`, `"buffering":`+b+`,"dest`) }
	for name, c := range map[string]struct {
		path, body string
		status     int
		want       string
	}{
		"good":                {tel, good, 200, `"OK"`},
		"good with a slash":   {tel + "/", good, 200, `"OK"`},
		"short host":          {tel, change("sandbox.localdomain", "sandbox"), 200, `"OK"`},
		"old":                 {logs, old, 200, `"OK"`},
		"old without version": {logs, change(`"schemaVersion":"2022-12-13",`, ""), 200, `"OK"`},
		"TCP":                 {logs, `{"types":["function"],"destination":{"protocol":"TCP","port":9}}`, 200, `"OK"`},
		"buffered":            {tel, buffered(`{"maxItems":1000,"maxBytes":262144,"timeoutMs":25}`), 200, `"OK"`},
		"not JSON":            {tel, `{`, 400, "ValidationError"},
		"no version":          {tel, change(`"schemaVersion":"2022-12-13",`, ""), 400, "schemaVersion"},
		"unknown version":     {tel, change("2022-12-13", "1999-01-01"), 400, "schemaVersion"},
		"no types":            {tel, change(`"platform"`, ""), 400, "types"},
		"unknown type":        {tel, change(`platform`, "all"), 400, `types: \"all\"`},
		"few items":           {tel, buffered(`{"maxItems":999}`), 400, "buffering.maxItems: 999 is not within 1000 and 10000"},
		"many bytes":          {tel, buffered(`{"maxBytes":1048577}`), 400, "buffering.maxBytes"},
		"soon":                {tel, buffered(`{"timeoutMs":24}`), 400, "buffering.timeoutMs"},
		"elsewhere":           {tel, change("sandbox.localdomain", "example.org"), 400, "destination.URI"},
		"no port":             {tel, change(":1\"", "\""), 400, "destination.URI"},
		"not http":            {tel, change("http:", "https:"), 400, "destination.URI"},
		"unknown protocol":    {tel, change(`"HTTP"`, `"UDP"`), 400, "destination.protocol"},
		"TCP without port":    {logs, `{"types":["function"],"destination":{"protocol":"TCP"}}`, 400, "destination.port"},
	} {
		t.Run(name, func(t *testing.T) {
			a, call := served(t)
			t.Cleanup(a.telemetry.close)
			id := call(register("ext", "{}")).Header.Get("Lambda-Extension-Identifier")
			res := call(subscribeTo(c.path, id, c.body))
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode != c.status || !strings.Contains(string(body), c.want) {
				t.Errorf("got %d %s, want %d %s", res.StatusCode, body, c.status, c.want)
			}
		})
	}
	t.Run("both APIs, again, and too late", func(t *testing.T) {
		a, call := served(t)
		t.Cleanup(a.telemetry.close)
		id := call(register("ext", "{}")).Header.Get("Lambda-Extension-Identifier")
		for i, c := range []struct {
			raw    string
			status int
		}{
			{subscribeTo(tel, newID(), good), 403},
			{subscribeTo(tel, id, good), 200},
			{subscribeTo(tel, id, good), 200},
			{subscribeTo(logs, id, old), 400},
			{strings.Replace(subscribeTo(tel, id, good), "PUT", "POST", 1), 405},
		} {
			if res := call(c.raw); res.StatusCode != c.status {
				t.Errorf("request %d: got %d, want %d", i, res.StatusCode, c.status)
			}
		}
		if n := len(a.telemetry.subs); n != 1 {
			t.Errorf("%d subscriptions, want one", n)
		}
		a.telemetry.initOver()
		res := call(subscribeTo(tel, id, good))
		if body, _ := io.ReadAll(res.Body); res.StatusCode != 403 || !strings.Contains(string(body), "Telemetry.SubscriptionClosed") {
			t.Errorf("after the init: got %d %s", res.StatusCode, body)
		}
	})
}

// slow is a subscriber whose deliveries wait for a word, and its batches.
func slow(t *testing.T, maxItems, maxBytes int, every time.Duration) (tele *telemetry, batches chan [][]byte, answer chan error) {
	t.Helper()
	batches, answer = make(chan [][]byte), make(chan error)
	tele = &telemetry{}
	s := &subscriber{
		name: "s", types: []string{"platform", "function"}, maxItems: maxItems, maxBytes: maxBytes, every: every,
		deliver: func(ctx context.Context, batch [][]byte) error {
			select {
			case batches <- batch:
			case <-ctx.Done():
				return ctx.Err()
			}
			select {
			case err := <-answer:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		},
	}
	if refusal := tele.subscribe(s); refusal != nil {
		t.Fatalf("%s", refusal)
	}
	t.Cleanup(tele.close)
	return tele, batches, answer
}

func TestBuffering(t *testing.T) {
	say := func(tele *telemetry, text string) {
		tele.tell("function", "function", envelope(time.Now(), "function", text))
	}
	t.Run("by items", func(t *testing.T) {
		tele, batches, answer := slow(t, 3, 1<<20, time.Hour)
		for n := range 7 {
			say(tele, fmt.Sprint(n))
		}
		for _, want := range []int{3, 3} {
			if got := len(<-batches); got != want {
				t.Errorf("batch of %d, want %d", got, want)
			}
			answer <- nil
		}
	})
	t.Run("by bytes", func(t *testing.T) {
		tele, batches, answer := slow(t, 1000, 300, time.Hour)
		for range 3 {
			say(tele, strings.Repeat("x", 100))
		}
		if got := len(<-batches); got != 1 && got != 2 { // of about 160 bytes each
			t.Errorf("batch of %d", got)
		}
		answer <- nil
	})
	t.Run("by time", func(t *testing.T) {
		tele, batches, answer := slow(t, 1000, 1<<20, 25*time.Millisecond)
		say(tele, "one")
		if got := len(<-batches); got != 1 {
			t.Errorf("batch of %d, want 1", got)
		}
		answer <- nil
	})
	t.Run("too much for a slow one", func(t *testing.T) {
		tele, batches, answer := slow(t, 2, 1<<20, time.Hour)
		say(tele, "first")
		say(tele, "second")
		<-batches
		for range 8 + 5 { // room for four batches, and five more
			say(tele, "more")
		}
		answer <- nil
		dropped := collect(t, batches, answer)
		if dropped.DroppedRecords != 5 || dropped.DroppedBytes == 0 {
			t.Errorf("got %+v, want five dropped", dropped)
		}
	})
	t.Run("nobody answers", func(t *testing.T) {
		tele, batches, answer := slow(t, 1, 1<<20, time.Hour)
		say(tele, "lost")
		for range deliveryTries {
			<-batches
			answer <- errors.New("refused")
		}
		if dropped := collect(t, batches, answer); dropped.DroppedRecords != 1 {
			t.Errorf("got %+v, want one dropped", dropped)
		}
	})
	t.Run("frozen", func(t *testing.T) {
		tele, batches, answer := slow(t, 1, 1<<20, time.Hour)
		if !tele.pause() {
			t.Fatal("no pause while nothing is delivered")
		}
		say(tele, "later")
		select {
		case <-batches:
			t.Error("delivered while paused")
		default:
		}
		tele.resume()
		<-batches
		if tele.pause() {
			t.Error("a pause during a delivery")
		}
		answer <- nil
	})
}

// collect takes batches up to the one that tells of dropped events.
func collect(t *testing.T, batches chan [][]byte, answer chan error) logsDropped {
	t.Helper()
	for {
		for _, b := range <-batches {
			var e struct {
				Type   string
				Record json.RawMessage
			}
			if err := json.Unmarshal(b, &e); err != nil {
				t.Fatal(err)
			}
			if e.Type == "platform.logsDropped" {
				var d logsDropped
				if err := json.Unmarshal(e.Record, &d); err != nil {
					t.Fatal(err)
				}
				answer <- nil
				return d
			}
		}
		answer <- nil
	}
}
