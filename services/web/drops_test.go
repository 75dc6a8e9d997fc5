package main

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/services/wire"
)

// Both clients speak Lambda's Invoke, so one server can judge both.
func clients(t *testing.T, answer http.HandlerFunc) map[string]Drops {
	t.Helper()
	srv := httptest.NewServer(answer)
	t.Cleanup(srv.Close)
	env := map[string]string{
		"DROPS_VIEW_FUNCTION": "viewDrop", "DROPS_LIST_FUNCTION": "listDrops", "AWS_ENDPOINT_URL": srv.URL,
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "secret",
	}
	l, err := newLambdaDrops(func(k string) string { return env[k] })
	if err != nil {
		t.Fatal(err)
	}
	return map[string]Drops{"lambda": l, "http": newHTTPDrops(srv.URL)}
}

func TestClientsAskByInvoke(t *testing.T) {
	asked := func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		switch r.Method + " " + r.URL.Path + " " + string(b) {
		case `POST /2015-03-31/functions/viewDrop/invocations {"code":"Abc1234","peek":true}`:
			_, _ = io.WriteString(w, `{"state":"ok","drop":{"code":"Abc1234"},"token":"t"}`)
		case `POST /2015-03-31/functions/listDrops/invocations {"amount":48}`:
			_, _ = io.WriteString(w, `{"drops":[],"tokens":[],"total":7}`)
		default:
			http.Error(w, r.Method+" "+r.URL.Path+" "+string(b), http.StatusBadRequest)
		}
	}
	for name, c := range clients(t, asked) {
		v, err := c.View(t.Context(), wire.ViewRequest{Code: "Abc1234", Peek: true})
		if err != nil || v.State != wire.StateOK || v.Drop == nil || v.Token != "t" {
			t.Errorf("%s: view %+v, %v", name, v, err)
		}
		l, err := c.List(t.Context(), wire.ListRequest{Amount: 48})
		if err != nil || l.Total != 7 {
			t.Errorf("%s: list %+v, %v", name, l, err)
		}
	}
}

func TestClientsReportRefusals(t *testing.T) {
	for _, c := range []struct {
		name  string
		says  http.HandlerFunc
		busy  bool
		words string
	}{
		{"throttled", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amzn-Errortype", "TooManyRequestsException")
			w.WriteHeader(429)
			_, _ = io.WriteString(w, `{"message":"Rate exceeded"}`)
		}, true, ""},
		{"function error", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
			_, _ = io.WriteString(w, `{"errorMessage":"database is locked","errorType":"Error"}`)
		}, false, "database is locked"},
		{"nonsense", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `<html>`) }, false, "answer of viewDrop"},
		{"no such function", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amzn-Errortype", "ResourceNotFoundException")
			w.WriteHeader(404)
			_, _ = io.WriteString(w, `{"Message":"Function not found"}`)
		}, false, "404"},
	} {
		calls := 0
		for name, d := range clients(t, func(w http.ResponseWriter, r *http.Request) { calls++; c.says(w, r) }) {
			_, err := d.View(t.Context(), wire.ViewRequest{Code: "Abc1234"})
			if err == nil || errors.Is(err, errBusy) != c.busy || !strings.Contains(err.Error(), c.words) {
				t.Errorf("%s, %s: got %v", c.name, name, err)
			}
		}
		if calls != 2 {
			t.Errorf("%s: asked %d times, want once by each: a view must not be counted twice", c.name, calls)
		}
	}
}

func TestSettingsThatCannotWork(t *testing.T) {
	if _, err := newLambdaDrops(func(string) string { return "" }); err == nil || !strings.Contains(err.Error(), "DROPS_VIEW_FUNCTION") {
		t.Errorf("no function names: %v", err)
	}
	for url, want := range map[string]string{"": "set DROPS_URL", "localhost": "must be like http://", "http://%zz": "must be like http://"} {
		_, err := plain(false, func(k string) string { return map[string]string{"DROPS_URL": url}[k] }, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("DROPS_URL=%q: %v, want %q", url, err, want)
		}
	}
	err := run(t.Context(), nil, func(k string) string {
		return map[string]string{"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1", "_HANDLER": "pages"}[k]
	}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), `no handler "pages"`) {
		t.Errorf("unknown handler: %v", err)
	}
}

func TestPlainServerSharesOutRequests(t *testing.T) {
	say := func(s string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, s+r.Header.Get(ownerHeader))
		})
	}
	h := front(say("static"), say("pages"), say("drops"))
	for _, c := range []struct{ method, host, path, from, want string }{
		{"GET", "127.0.0.1:8082", "/", "127.0.0.1:1", "pages1"},
		{"GET", "[::1]:8082", "/my", "[::1]:1", "pages1"},
		{"GET", "rebound.example:8082", "/my", "127.0.0.1:1", "pages"},
		{"GET", "127.0.0.1:8082", "/my", "192.0.2.1:1", "pages"},
		{"POST", "localhost:8082", "/", "127.0.0.1:1", "drops1"},
		{"POST", "localhost:8082", "/Abc1234", "127.0.0.1:1", "pages1"},
		{"PUT", "localhost:8082", "/a.png", "127.0.0.1:1", "drops1"},
		{"DELETE", "localhost:8082", "/drops/Abc1234", "127.0.0.1:1", "drops1"},
		{"POST", "localhost:8082", "/notes", "127.0.0.1:1", "drops1"},
		{"GET", "localhost:8082", "/static/app.css", "127.0.0.1:1", "static1"},
		{"GET", "content.localhost:8082", "/raw/Abc1234/a.png", "127.0.0.1:1", "drops"},
		{"GET", "content.localhost:8082", "/my", "127.0.0.1:1", "404 page not found\n"},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		r.Host, r.RemoteAddr = c.host, c.from
		r.Header.Set(ownerHeader, "1") // whoever claims it
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Body.String(); got != c.want {
			t.Errorf("%s %s%s from %s: got %q, want %q", c.method, c.host, c.path, c.from, got, c.want)
		}
	}
}
