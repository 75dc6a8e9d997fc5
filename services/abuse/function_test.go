package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/dropstack/dropstack/services/abuse/access"
)

// endpoint is the platform as far as this service needs it: PutBan, and one object.
type endpoint struct {
	*httptest.Server
	t *testing.T

	mu     sync.Mutex
	bans   []map[string]any
	answer func(w http.ResponseWriter) bool // false: as usual
	object []byte
}

func serve(t *testing.T) *endpoint {
	t.Helper()
	e := &endpoint{t: t}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r.Method == http.MethodGet {
		if r.URL.Path != "/logs/E1.2026-01-05-12.x y.gz" {
			e.t.Errorf("asked for %s", r.URL.Path)
		}
		w.Header().Set("Etag", `"abc"`)
		w.Write(e.object)
		return
	}
	auth := r.Header.Get("Authorization")
	if r.Header.Get("X-Amz-Target") != "Dropstack.PutBan" || !strings.Contains(auth, "/us-east-1/dropstack/aws4_request") || r.Header.Get("X-Amz-Security-Token") != "token" {
		e.t.Errorf("headers: %v", r.Header)
	}
	if e.answer != nil && e.answer(w) {
		return
	}
	doc, _ := io.ReadAll(r.Body)
	var in map[string]any
	if err := json.Unmarshal(doc, &in); err != nil {
		e.t.Error(err)
	}
	e.bans = append(e.bans, in)
	io.WriteString(w, `{"client":"203.0.113.7/32","until":"2026-01-05T16:00:00Z","times":1}`)
}

// banned is what has been asked for, and forgets it.
func (e *endpoint) banned() (list []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, b := range e.bans {
		list = append(list, fmt.Sprintf("%v for %vs, escalate %v, shadow %v: %v", b["client"], b["seconds"], b["escalate"], b["shadow"], b["reason"]))
	}
	e.bans = nil
	return list
}

// start is a new instance of a function.
func start[F any](t *testing.T, e *endpoint, name, dir string, vars ...string) F {
	t.Helper()
	env := map[string]string{
		"_HANDLER": name, "DATA_DIR": dir, "AWS_ENDPOINT_URL": e.URL, "AWS_REGION": "us-east-1",
		"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token",
	}
	for i := 0; i < len(vars); i += 2 {
		env[vars[i]] = vars[i+1]
	}
	h, err := function(func(k string) string { return env[k] }, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return h.(F)
}

type watching = func(context.Context, events.KinesisEvent) error

// attack is failed logins of a client, beginning with a number.
func attack(client string, from, n int) (e events.KinesisEvent) {
	now := time.Now()
	for i := range n {
		values := map[string]string{
			"timestamp": fmt.Sprintf("%d.%03d", now.Unix(), (from+i)%1000), "c-ip": client, "sc-status": "401", "sc-bytes": "10",
			"cs-method": "POST", "cs-uri-stem": "/login", "x-edge-request-id": fmt.Sprint(client, from+i),
		}
		e.Records = append(e.Records, events.KinesisEventRecord{Kinesis: events.KinesisRecord{Data: line(values)}})
	}
	return e
}

func line(values map[string]string) []byte {
	var parts []string
	for _, name := range strings.Fields(access.RealTime) {
		v := values[name]
		if v == "" {
			v = "-"
		}
		parts = append(parts, v)
	}
	return []byte(strings.Join(parts, "\t") + "\n")
}

func run(t *testing.T, h watching, e events.KinesisEvent) {
	t.Helper()
	doc, err := json.Marshal(e) // as it arrives
	if err == nil {
		e = events.KinesisEvent{}
		err = json.Unmarshal(doc, &e)
	}
	if err == nil {
		err = h(t.Context(), e)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func wantBans(t *testing.T, e *endpoint, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, e.banned()); d != "" {
		t.Error(d)
	}
}

const (
	elevenOf = "203.0.113.7/32 for 14400s, escalate true, shadow <nil>: 11 failed logins within a minute, of 11"
	inShadow = "203.0.113.7/32 for 60s, escalate true, shadow true: 11 failed logins within a minute, of 11"
)

func TestWatch(t *testing.T) {
	e := serve(t)
	h := start[watching](t, e, "watch", t.TempDir())
	run(t, h, events.KinesisEvent{})
	run(t, h, attack("203.0.113.7", 0, 10))
	run(t, h, attack("203.0.113.8", 0, 10))
	wantBans(t, e)
	run(t, h, attack("203.0.113.7", 10, 50))
	wantBans(t, e, elevenOf)
	broken := attack("203.0.113.7", 60, 1)
	broken.Records[0].Kinesis.Data = []byte("rubbish")
	run(t, h, broken)
	wantBans(t, e)
}

func TestAnInstanceGoesOnWhereAnotherEnded(t *testing.T) {
	e, dir := serve(t), t.TempDir()
	first := start[watching](t, e, "watch", dir)
	run(t, first, attack("203.0.113.7", 0, 6))
	second := start[watching](t, e, "watch", dir)
	run(t, second, attack("203.0.113.7", 6, 4))
	wantBans(t, e)
	run(t, first, attack("203.0.113.7", 10, 1)) // it has heard of the other's
	wantBans(t, e, elevenOf)
	run(t, second, attack("203.0.113.7", 11, 20))
	wantBans(t, e)
}

func TestABatchThatComesAgainCountsOnce(t *testing.T) {
	e, dir := serve(t), t.TempDir()
	batch := attack("203.0.113.7", 0, 10)
	for range 3 {
		run(t, start[watching](t, e, "watch", dir), batch)
	}
	wantBans(t, e)
	batch.Records = append(batch.Records, attack("203.0.113.7", 10, 1).Records...) // more of it
	run(t, start[watching](t, e, "watch", dir), batch)
	wantBans(t, e, elevenOf)
}

func TestShadow(t *testing.T) {
	e := serve(t)
	run(t, start[watching](t, e, "watch", t.TempDir(), "SHADOW", "1", "BAN_FOR", "1m"), attack("203.0.113.7", 0, 20))
	wantBans(t, e, inShadow)
}

func TestThePlatformDoesNotAnswer(t *testing.T) {
	e, dir := serve(t), t.TempDir()
	e.answer = func(w http.ResponseWriter) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, `{"__type":"ServiceUnavailable","message":"later"}`)
		return true
	}
	batch := attack("203.0.113.7", 0, 20)
	if err := start[watching](t, e, "watch", dir)(t.Context(), batch); err == nil || !strings.Contains(err.Error(), "later") {
		t.Errorf("got %v, want the batch to come again", err)
	}
	e.mu.Lock()
	e.answer = nil
	e.mu.Unlock()
	run(t, start[watching](t, e, "watch", dir), batch) // by another instance
	wantBans(t, e, elevenOf)
	run(t, start[watching](t, e, "watch", dir), batch)
	wantBans(t, e)
}

func TestAClientThatIsAllowed(t *testing.T) {
	e := serve(t)
	e.answer = func(w http.ResponseWriter) bool {
		w.WriteHeader(http.StatusConflict)
		io.WriteString(w, `{"__type":"ClientAllowed","message":"it is on the list"}`)
		return true
	}
	run(t, start[watching](t, e, "watch", t.TempDir()), attack("203.0.113.7", 0, 20))
	e.mu.Lock()
	e.answer = nil
	e.mu.Unlock()
	run(t, start[watching](t, e, "watch", t.TempDir(), "ALLOW", "10.0.0.0/8,203.0.113.7"), attack("203.0.113.7", 0, 20))
	wantBans(t, e)
}

// objectOf is a log object of a scanner at a time.
func objectOf(at time.Time, n int) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	fmt.Fprint(w, "#Version: 1.0\n#Fields: date time c-ip sc-status cs-method cs-uri-stem\n")
	for i := range n {
		fmt.Fprintf(w, "%s\t203.0.113.7\t404\tGET\t/x%d\n", at.UTC().Format("2006-01-02\t15:04:05"), i)
	}
	w.Close()
	return b.Bytes()
}

func TestScan(t *testing.T) {
	e := serve(t)
	type scanning = func(context.Context, events.S3Event) error
	told := events.S3Event{Records: []events.S3EventRecord{{S3: events.S3Entity{
		Bucket: events.S3Bucket{Name: "logs"}, Object: events.S3Object{Key: "E1.2026-01-05-12.x+y.gz"},
	}}}}
	for name, c := range map[string]struct {
		object []byte
		want   []string
	}{
		"of just now":  {objectOf(time.Now(), 40), []string{"203.0.113.7/32 for 14400s, escalate true, shadow <nil>: 31 different paths tried in vain within 10m0s, 31 requests of 31 failed"}},
		"a few":        {objectOf(time.Now(), 20), nil},
		"of yesterday": {objectOf(time.Now().Add(-24*time.Hour), 40), nil},
	} {
		t.Run(name, func(t *testing.T) {
			e.object = c.object
			dir := t.TempDir()
			for range 2 { // a notification may come twice
				if err := start[scanning](t, e, "scan", dir)(t.Context(), told); err != nil {
					t.Fatal(err)
				}
			}
			wantBans(t, e, c.want...)
		})
	}
	e.object = []byte("no log")
	if err := start[scanning](t, e, "scan", t.TempDir())(t.Context(), told); err == nil || !strings.Contains(err.Error(), "E1.2026-01-05-12.x y.gz") {
		t.Errorf("got %v", err)
	}
}

func TestExpire(t *testing.T) {
	h := start[func(context.Context, json.RawMessage) error](t, serve(t), "expire", t.TempDir())
	if err := h(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func TestSettings(t *testing.T) {
	good := map[string]string{
		"_HANDLER": "watch", "DATA_DIR": t.TempDir(), "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "FAILED": "10", "BYTES": "0", "DEVIATIONS": "3.5",
		"STATUSES": "404, 410", "LOGIN_PATHS": "POST /in, * /out", "URIS": "/a=5,/b=6", "IGNORE": ".png,.css", "ALLOW": "10.0.0.0/8,::1", "SHADOW": "false", "FIELDS": "date time c-ip sc-status",
	}
	read := func(change map[string]string) error {
		_, err := function(func(k string) string {
			if v, ok := change[k]; ok {
				return v
			}
			return good[k]
		}, slog.New(slog.DiscardHandler))
		return err
	}
	if err := read(nil); err != nil {
		t.Error(err)
	}
	if err := read(map[string]string{"AWS_ENDPOINT_URL": "", "IP_SET": "bans/id/CLOUDFRONT"}); err != nil {
		t.Error(err)
	}
	for name, value := range map[string]string{
		"FAILED": "many", "BYTES": "-1", "DEVIATIONS": "x", "STATUSES": "4xx", "LOGIN_PATHS": "/login", "URIS": "/a", "ALLOW": "here", "SHADOW": "perhaps",
		"FIELDS": "c-ip", "BAN_FOR": "0s", "_HANDLER": "other", "DATA_DIR": "", "IP_SET": "bans", "AWS_ENDPOINT_URL": "",
	} {
		if err := read(map[string]string{name: value}); err == nil || name != "AWS_ENDPOINT_URL" && !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%q: got %v", name, value, err)
		}
	}
}

func TestFilesOnTheCommandLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log.gz")
	if err := os.WriteFile(file, objectOf(time.Date(2017, 11, 20, 8, 0, 0, 0, time.UTC), 40), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if err := local([]string{file}, func(string) string { return "" }, &out, &errs); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), `{"client":"203.0.113.7/32","reason":"31 different paths tried in vain within 10m0s, 31 requests of 31 failed","at":"2017-11-20T08:00:00Z"}`+"\n"; got != want {
		t.Errorf("got %s want %s", got, want)
	}
	for _, files := range [][]string{nil, {file + ".not"}} {
		if err := local(files, func(string) string { return "" }, &out, &errs); err == nil {
			t.Errorf("%v: no error", files)
		}
	}
}

// TestServerlessFile: what it names is there, and every variable it passes on is known.
func TestServerlessFile(t *testing.T) {
	doc, err := os.ReadFile("serverless.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Provider  struct{ Environment map[string]string }
		Functions map[string]struct {
			Handler             string
			ReservedConcurrency int `yaml:"reservedConcurrency"`
		}
	}
	if err := yaml.Unmarshal(doc, &file); err != nil {
		t.Fatal(err)
	}
	for name, f := range file.Functions {
		if f.ReservedConcurrency != 1 {
			t.Errorf("%s runs %d at a time; what is remembered is for one", name, f.ReservedConcurrency)
		}
		asked := map[string]bool{}
		_, err := function(func(k string) string {
			asked[k] = true
			return map[string]string{"_HANDLER": f.Handler, "DATA_DIR": t.TempDir(), "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}[k]
		}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for variable := range file.Provider.Environment {
			if !asked[variable] {
				t.Errorf("%s: nobody reads %s", name, variable)
			}
		}
	}
	if len(file.Functions) == 0 {
		t.Error("there are no functions")
	}
}
