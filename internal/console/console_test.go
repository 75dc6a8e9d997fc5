package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/console"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/iam"
)

// world is a console over a real authority, in front of an AWS endpoint that says
// who called what.
type world struct {
	*testing.T
	keys    *iam.Authority
	console *console.Server
	handler http.Handler

	mu      sync.Mutex
	records []audit.Event
}

func newWorld(t *testing.T, change func(*console.Server)) *world {
	t.Helper()
	w := &world{T: t}
	streams := enginetest.Streams(t)
	var err error
	if w.keys, err = iam.Open(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	users, err := streams.CreateKeyValue(t.Context(), console.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	config := console.Bucket
	config.Bucket = iam.Bucket
	principals, err := streams.CreateKeyValue(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.keys.Load(t.Context(), principals); err != nil {
		t.Fatal(err)
	}
	says := func(text string) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			who, _ := iam.Caller(r.Context())
			_, _ = fmt.Fprint(rw, text, " for ", who.ARN)
		})
	}
	w.console = &console.Server{
		Authority: w.keys, Sessions: users, Region: "us-east-1", Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Loopback: true,
		Endpoints: console.Endpoints{HTTP: "http://127.0.0.1:8080", AWS: "http://127.0.0.1:4566", Console: "http://127.0.0.1:8090"},
		Health:    says("health"), Metrics: says("metrics"), Prometheus: says("prometheus"), Alertmanager: says("alertmanager"),
		Tail: says("tail"), Status: says("status"), Probe: says("probe"),
		AWS: http.HandlerFunc(w.aws),
		Record: func(_ context.Context, who iam.Principal, e audit.Event) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			e.UserIdentity.ARN = who.ARN
			w.records = append(w.records, e)
			return nil
		},
	}
	if change != nil {
		change(w.console)
	}
	w.handler = w.console.Handler()
	return w
}

// aws is the AWS endpoint: it verifies, and tells what it was asked.
func (w *world) aws(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	who, service, _, err := w.keys.Verify(r, body)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusForbidden)
		return
	}
	_, _ = fmt.Fprintf(rw, "%s calls %s: %s %s target=%q cookie=%q body=%q", who.ARN, service, r.Method, r.URL.RequestURI(), r.Header.Get("X-Amz-Target"), r.Header.Get("Cookie"), body)
}

// user makes a user who may do what the policy allows, and their access key.
func (w *world) user(name, actions string) iam.AccessKey {
	w.Helper()
	ctx := iam.With(w.Context(), iam.Principal{Type: iam.TypeRoot}, iam.Request{})
	if _, err := w.keys.CreateUser(ctx, iam.CreateUserInput{UserName: name}); err != nil {
		w.Fatal(err)
	}
	if actions != "" {
		doc := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + actions + `","Resource":"*"}]}`
		if _, err := w.keys.PutUserPolicy(ctx, iam.PutUserPolicyInput{UserName: name, PolicyName: "p", PolicyDocument: doc}); err != nil {
			w.Fatal(err)
		}
	}
	out, err := w.keys.CreateAccessKey(ctx, iam.CreateAccessKeyInput{UserName: name})
	if err != nil {
		w.Fatal(err)
	}
	return out.AccessKey
}

// request is one to the console, as a client of this machine sends it.
func request(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host, r.RemoteAddr = "127.0.0.1:8090", "127.0.0.1:50000"
	return r
}

func (w *world) do(r *http.Request) (status int, header http.Header, body string) {
	w.Helper()
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec.Code, rec.Header(), rec.Body.String()
}

// browser is a browser that is signed in.
type browser struct {
	cookie *http.Cookie
	token  string
}

func (b *browser) sign(r *http.Request) *http.Request {
	r.AddCookie(b.cookie)
	r.Header.Set(console.Header, b.token)
	return r
}

// signIn posts credentials and returns the browser that has them taken.
func (w *world) signIn(credentials map[string]string) (*browser, int, string) {
	w.Helper()
	doc, _ := json.Marshal(credentials)
	r := request("POST", "/session", string(doc))
	r.Header.Set(console.Header, "new")
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	if rec.Code != http.StatusOK {
		return nil, rec.Code, rec.Body.String()
	}
	var told struct{ Token string }
	if err := json.Unmarshal(rec.Body.Bytes(), &told); err != nil {
		w.Fatal(err)
	}
	return &browser{rec.Result().Cookies()[0], told.Token}, rec.Code, rec.Body.String()
}

func (w *world) admin() *browser {
	w.Helper()
	keys := w.keys.Admin()
	b, status, body := w.signIn(map[string]string{"accessKeyId": keys.AccessKeyID, "secretAccessKey": keys.SecretAccessKey})
	if status != http.StatusOK {
		w.Fatalf("the administrator cannot sign in: %d %s", status, body)
	}
	return b
}

// outcomes are the names of recorded events with what they came to.
func (w *world) outcomes() (list []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.records {
		list = append(list, fmt.Sprint(e.EventName, " ", e.ResponseElements["ConsoleLogin"]))
	}
	return slices.Clone(list)
}
