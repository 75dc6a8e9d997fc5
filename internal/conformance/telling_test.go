//go:build linux

package conformance_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"github.com/dropstack/dropstack/internal/instance"
)

// listener takes what the Telemetry API delivers, in place of the extension that
// subscribed: the destination is a port of this machine.
type listener struct {
	net.Listener
	mu      sync.Mutex
	events  []string
	batches int
	refuse  int // answers 500 to so many
}

func (x *exam) listen() *listener {
	x.Helper()
	x.outside = true
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		x.Fatal(err)
	}
	x.Cleanup(func() { l.Close() })
	return &listener{Listener: l}
}

func (x *exam) listenHTTP() *listener {
	x.Helper()
	l := x.listen()
	go func() { _ = http.Serve(l, l) }()
	return l
}

// listenTCP is listen for the Logs API's other protocol: lines of JSON.
func (x *exam) listenTCP() *listener {
	x.Helper()
	l := x.listen()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for s := bufio.NewScanner(conn); s.Scan(); {
					l.note(s.Text())
				}
			}()
		}
	}()
	return l
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var batch []json.RawMessage
	l.mu.Lock()
	l.batches++
	refused := l.refuse > 0
	l.refuse--
	l.mu.Unlock()
	if err := json.NewDecoder(r.Body).Decode(&batch); err != nil || refused || r.Method != "POST" {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	for _, event := range batch {
		l.note(string(event))
	}
}

func (l *listener) note(event string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, event)
}

func (l *listener) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.events, "\n") + "\n"
}

func (l *listener) port() int { return l.Addr().(*net.TCPAddr).Port }

// subscribe is the script of an extension that subscribes.
func (l *listener) subscribe(types string) string {
	return fmt.Sprintf(joins+`call PUT /2022-07-01/telemetry --data '{"schemaVersion":"2022-12-13","types":[%s],"buffering":{"timeoutMs":25},"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:%d"}}'; live`,
		types, l.port())
}

const allTypes = `"platform","function","extension"`

// record is a pattern of an event.
func record(kind, record string) string {
	return `(?m)^\{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","type":"` + regexp.QuoteMeta(kind) + `","record":` + record + `\}$`
}

// telling are the events of the Telemetry API.
func telling() (list []testCase) {
	add := func(client, name, source string, run func(*exam)) {
		list = append(list, testCase{Name: name, Client: client, API: "telemetry", Source: source, Run: run})
	}
	// told runs events on a function and returns what is told of them.
	told := func(x *exam, types string, change func(*instance.Config), events ...string) (string, answer) {
		x.Helper()
		l := x.listenHTTP()
		cfg, _ := x.extended("watch", l.subscribe(types))
		if change != nil {
			change(&cfg)
		}
		a := x.lives(cfg, events...)
		return l.all(), a
	}
	const number, trace = `[0-9.]+`, `"tracing":\{"type":"X-Amzn-Trace-Id","value":"Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"\}`
	ask := map[string]string{"go1.55": `{}`, "go2020": `{}`, "node": `{}`, "ric": `{}`, "bash": sh(script)}
	for _, client := range clients {
		add(client, "an invocation", telSchema+"platform.start, platform.runtimeDone, platform.report", func(x *exam) {
			log, a := told(x, allTypes, nil, ask[client])
			start := strings.Index(log, `"platform.start"`)
			done := strings.Index(log, `"platform.runtimeDone"`)
			report := strings.Index(log, `"platform.report"`)
			if start < 0 || done < start || report < done {
				x.Errorf("order: start at %d, runtimeDone at %d, report at %d", start, done, report)
			}
			x.matches("told", log, record("platform.start", `\{"requestId":"`+a.id+`","version":"\$LATEST",`+trace+`\}`))
			x.matches("told", log, record("platform.runtimeDone", `\{"requestId":"`+a.id+`","status":"success",`+trace+`,"metrics":\{"durationMs":`+number+`,"producedBytes":\d+\}\}`))
			x.matches("told", log, record("platform.report", `\{"requestId":"`+a.id+`","status":"success",`+trace+
				`,"metrics":\{"durationMs":`+number+`,"billedDurationMs":\d+,"memorySizeMB":256,"maxMemoryUsedMB":\d+,"initDurationMs":`+number+`\}\}`))
		})
	}
	add("node", "an init", telSchema+"platform.initStart, initRuntimeDone, initReport", func(x *exam) {
		log, _ := told(x, `"platform"`, nil, `{}`)
		x.matches("told", log, record("platform.initStart", `\{"initializationType":"on-demand","phase":"init","runtimeVersion":"nodejs:20\.v1","runtimeVersionArn":"arn:aws:lambda:eu-west-1::runtime:[0-9a-f]{64}",`+
			`"functionName":"fn","functionVersion":"\$LATEST","instanceId":"[0-9a-f]{32}","instanceMaxMemory":268435456\}`))
		x.matches("told", log, record("platform.initRuntimeDone", `\{"initializationType":"on-demand","phase":"init","status":"success"\}`))
		x.matches("told", log, record("platform.initReport", `\{"initializationType":"on-demand","phase":"init","status":"success","metrics":\{"durationMs":`+number+`\}\}`))
	})
	add("bash", "subscription and extension", telSchema+"platform.telemetrySubscription, platform.extension", func(x *exam) {
		log, _ := told(x, `"platform","function"`, nil, sh(script))
		x.matches("told", log, record("platform.telemetrySubscription", `\{"name":"watch","state":"Subscribed","types":\["platform","function"\]\}`))
		x.matches("told", log, record("platform.extension", `\{"name":"watch","state":"Ready","events":\["INVOKE","SHUTDOWN"\]\}`))
	})
	for _, c := range [][2]string{
		{"go1.55", `{"do":"print","text":"out line\n"}`}, {"node", `{"do":"warn","text":"out line\n"}`}, {"ric", `{"do":"print","text":"out line\n"}`}, {"bash", sh(`echo 'out line'; ` + script)},
	} {
		add(c[0], "function's lines", telSchema+"function: the record is a line", func(x *exam) {
			log, _ := told(x, `"function"`, nil, c[1])
			x.matches("told", log, record("function", `"out line"`))
			x.lacks("told", log, `"type":"(platform|extension)`)
		})
	}
	add("bash", "extension's lines", telSchema+"extension: the record is a line", func(x *exam) {
		l := x.listenHTTP()
		cfg, _ := x.extended("talk", joins+`next >/dev/null; echo 'I talk'; live`, "watch", l.subscribe(`"extension"`))
		x.lives(cfg, sh(script), sh(script)) // the second waits until the extension has talked
		x.matches("told", l.all(), record("extension", `"I talk"`))
		x.lacks("told", l.all(), `"type":"(platform|function)`)
	})
	add("node", "function's lines as JSON", telSchema+"with the JSON log format, the record is an object", func(x *exam) {
		log, a := told(x, `"function"`, func(c *instance.Config) { c.JSONLogs = true }, `{"do":"console","level":"info","text":"hi"}`)
		x.matches("told", log, record("function", `\{"timestamp":"[^"]+","level":"INFO","requestId":"`+a.id+`","message":"hi"\}`))
	})
	add("bash", "process exits", telSchema+"runtimeDone: status failure, errorType; report: status error", func(x *exam) {
		log, a := told(x, `"platform"`, nil, sh(`exit 3`))
		x.matches("told", log, record("platform.runtimeDone", `\{"requestId":"`+a.id+`","status":"failure","errorType":"Runtime\.ExitError",.*`))
		x.matches("told", log, record("platform.report", `\{"requestId":"`+a.id+`","status":"error","errorType":"Runtime\.ExitError",.*`))
	})
	add("node", "error of the handler", telSchema+"runtimeDone: the runtime itself succeeded", func(x *exam) {
		log, a := told(x, `"platform"`, nil, `{"do":"fail","text":"no"}`)
		x.matches("told", log, record("platform.runtimeDone", `\{"requestId":"`+a.id+`","status":"success",.*`))
	})
	add("go1.55", "produced bytes", telSchema+"metrics.producedBytes", func(x *exam) {
		log, _ := told(x, `"platform"`, nil, `{"do":"big","n":1000}`)
		x.matches("told", log, `"producedBytes":1002\b`)
	})
	return list
}

// subscribing are the calls of the Telemetry API and of the older Logs API.
func subscribing() (list []testCase) {
	add := func(name, source string, run func(*exam)) {
		list = append(list, testCase{Name: name, Client: "bash", API: "telemetry", Source: source, Run: run})
	}
	const good = `{"schemaVersion":"2022-12-13","types":["platform"],"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:1"}}`
	change := func(from, to string) string { return strings.Replace(good, from, to, 1) }
	buffering := func(b string) string { return change(`"dest`, `"buffering":`+b+`,"dest`) }
	for _, c := range []struct{ name, rule, body, want string }{
		{"subscription", "PUT answers 200 OK", good, `200 "OK"`},
		{"subscription to all types", "types: platform, function, extension", change(`"platform"`, allTypes), `200 `},
		{"buffering", "maxItems 1,000-10,000, maxBytes 262,144-1,048,576, timeoutMs 25-30,000", buffering(`{"maxItems":1000,"maxBytes":1048576,"timeoutMs":30000}`), `200 `},
		{"subscription that is no JSON", "400", `{`, `400 .*ValidationError`},
		{"no schema version", "schemaVersion is required", change(`"schemaVersion":"2022-12-13",`, ""), `400 .*schemaVersion`},
		{"unknown schema version", "schemaVersion: 2022-12-13, 2022-07-01", change("2022-12-13", "1999-01-01"), `400 .*schemaVersion`},
		{"no types", "types is required", change(`"platform"`, ""), `400 .*types`},
		{"unknown type", "types: platform, function, extension", change("platform", "weather"), `400 .*weather`},
		{"too few items", "maxItems: minimum 1,000", buffering(`{"maxItems":999}`), `400 .*buffering\.maxItems: 999 is not within 1000 and 10000`},
		{"too many bytes", "maxBytes: maximum 1,048,576", buffering(`{"maxBytes":1048577}`), `400 .*buffering\.maxBytes`},
		{"timeout too short", "timeoutMs: minimum 25", buffering(`{"timeoutMs":24}`), `400 .*buffering\.timeoutMs`},
		{"destination elsewhere", "URI: http://sandbox.localdomain:PORT", change("sandbox.localdomain", "example.org"), `400 .*destination\.URI`},
		{"destination without a port", "URI: http://sandbox.localdomain:PORT", change(":1\"", "\""), `400 .*destination\.URI`},
		{"unknown protocol", "protocol: HTTP", change(`"HTTP"`, `"UDP"`), `400 .*destination\.protocol`},
	} {
		add(c.name, telemetry+c.rule, func(x *exam) {
			// Somebody listens: the end of an instance waits for deliveries.
			body := strings.Replace(c.body, `:1"`, fmt.Sprintf(`:%d"`, x.listenHTTP().port()), 1)
			cfg, noted := x.extended("one", joins+`note "$(call PUT /2022-07-01/telemetry --data '`+body+`')"; live`)
			x.lives(cfg)
			x.matches("notes", noted(), `(?m)^one `+c.want)
		})
	}
	add("subscription by an unknown extension", telemetry+"403: Lambda-Extension-Identifier", func(x *exam) {
		cfg, noted := x.extended("one", joins+`own=$id; id=00000000-0000-4000-8000-00000000dead; note "$(call PUT /2022-07-01/telemetry --data '`+good+`')"; id=$own; live`)
		x.lives(cfg)
		x.matches("notes", noted(), `(?m)^one 403 .*Extension\.UnknownExtensionIdentifier`)
	})
	add("subscription after the init", telemetry+"subscriptions are closed after the init phase", func(x *exam) {
		cfg, noted := x.extended("one", joins+`note "$(next)"; note "$(call PUT /2022-07-01/telemetry --data '`+good+`')"; live`)
		x.lives(cfg)
		x.matches("notes", noted(), `(?m)^one 403 .*Telemetry\.SubscriptionClosed`)
	})
	add("delivery is tried again", telemetry+"Lambda retries deliveries that fail", func(x *exam) {
		l := x.listenHTTP()
		l.refuse = 1
		cfg, _ := x.extended("watch", l.subscribe(`"platform"`))
		a := x.lives(cfg)
		x.matches("told", l.all(), `"platform.start","record":\{"requestId":"`+a.id)
	})
	legacy := func(l *listener, destination string) string {
		return fmt.Sprintf(joins+`note "$(call PUT /2020-08-15/logs --data '{"schemaVersion":"2021-03-18","types":["platform","function"],"buffering":{"timeoutMs":25},"destination":%s}')"; live`,
			fmt.Sprintf(destination, l.port()))
	}
	for _, c := range []struct {
		name        string
		listen      func(x *exam) *listener
		destination string
	}{
		{"Logs API by HTTP", (*exam).listenHTTP, `{"protocol":"HTTP","URI":"http://sandbox.localdomain:%d"}`},
		{"Logs API by TCP", (*exam).listenTCP, `{"protocol":"TCP","port":%d}`},
	} {
		add(c.name, "developer guide, Using the Lambda Logs API: PUT 2020-08-15/logs; platform.end", func(x *exam) {
			l := c.listen(x)
			cfg, noted := x.extended("old", legacy(l, c.destination))
			a := x.lives(cfg, sh(`echo 'out line'; `+script))
			x.matches("notes", noted(), `(?m)^old 200 "OK"$`)
			x.wait("the end of the invocation", func() bool { return strings.Contains(l.all(), `"platform.report"`) })
			x.matches("told", l.all(), record("platform.start", `\{"requestId":"`+a.id+`".*`))
			x.matches("told", l.all(), record("platform.end", `\{"requestId":"`+a.id+`"\}`))
			x.matches("told", l.all(), record("function", `"out line"`))
			x.matches("told", l.all(), `"platform.logsSubscription"`)
		})
	}
	return list
}
