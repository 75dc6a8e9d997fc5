package notify_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/alert/notify"
	"github.com/dropstack/dropstack/internal/testkit/inbox"
)

// file makes a notifier read the configuration from a file.
func file(t *testing.T, text string) func(*notify.Notifier) {
	path := write(t, "receivers.yml", text)
	return func(n *notify.Notifier) { n.File = path }
}

func TestTwoFailingFunctionsAreOneMessageEachWhichIsEdited(t *testing.T) {
	s := inbox.NewSlack(t)
	n := open(t, t.TempDir(), file(t, bot(s)))
	defer closed(t, n)
	a, b := failing("charge"), failing("refund")
	for range 3 { // as rules do, again and again
		n.Send(t.Context(), a, b)
	}
	first := s.Await(t, 2)
	for _, c := range first {
		if c.Method != "chat.postMessage" || c.Body["channel"] != "#alerts" || c.Body["thread_ts"] != nil {
			t.Errorf("got %v", c)
		}
	}
	stop := again(t, n, over(a))
	calls := s.Await(t, 4)
	stop()
	edit, reply := calls[2], calls[3]
	if edit.Method != "chat.update" || !strings.Contains(edit.Text(), "Resolved: ErrorRatio: charge") {
		t.Errorf("got %v, want the message of charge edited", edit)
	}
	if reply.Method != "chat.postMessage" || reply.Body["thread_ts"] != edit.Body["ts"] || reply.Body["text"] != "✅ Resolved after 1 min." {
		t.Errorf("got %v, want how long it lasted in the thread of %v", reply, edit.Body["ts"])
	}
	stop = again(t, n, over(b))
	calls = s.Await(t, 6)
	stop()
	if len(calls) != 6 || calls[4].Body["ts"] == edit.Body["ts"] {
		t.Errorf("got %v, want the other message edited", calls[4:])
	}
}

// again sends an alert that has ended until it is stopped, as rules do each minute: of
// an alert that is sent several times the engine may take the last one first.
func again(t *testing.T, n *notify.Notifier, a alert.Alert) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			n.Send(ctx, a)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

func TestWebhooksOfSlackGetAMessageEachTime(t *testing.T) {
	s := inbox.NewSlack(t)
	n := open(t, t.TempDir(), func(n *notify.Notifier) {
		file(t, routes("    slack_configs:\n      - api_url_file: "+write(t, "url", s.URL+"/services/T0/B0/secret\n")+"\n"))(n)
	})
	defer closed(t, n)
	a := failing("charge")
	n.Send(t.Context(), a)
	s.Await(t, 1)
	n.Send(t.Context(), over(a))
	calls := s.Await(t, 2)
	if calls[0].Method != "webhook" || calls[1].Method != "webhook" || !strings.Contains(calls[1].Text(), "Resolved") {
		t.Errorf("got %v", calls)
	}
}

func TestSlackThatHasEnoughIsAskedAgainLater(t *testing.T) {
	s := inbox.NewSlack(t)
	refused := 0
	s.Refuse = func(string) (int, string, http.Header) {
		if refused++; refused == 1 {
			return http.StatusTooManyRequests, "", http.Header{"Retry-After": {"1"}}
		}
		return 0, "", nil
	}
	n := open(t, t.TempDir(), file(t, bot(s)))
	defer closed(t, n)
	n.Send(t.Context(), failing("charge"))
	if calls := s.Await(t, 1); calls[0].Method != "chat.postMessage" {
		t.Errorf("got %v", calls)
	}
}

func TestAMessageThatSomebodyDeletedIsPostedAnew(t *testing.T) {
	s := inbox.NewSlack(t)
	n := open(t, t.TempDir(), file(t, bot(s)))
	defer closed(t, n)
	a := failing("charge")
	n.Send(t.Context(), a)
	s.Await(t, 1)
	s.Forget()
	n.Send(t.Context(), over(a))
	if calls := s.Await(t, 3); calls[1].Method != "chat.update" || calls[2].Method != "chat.postMessage" || calls[2].Body["thread_ts"] != nil {
		t.Errorf("got %v", calls[1:])
	}
}

func TestWhatSlackRefusesIsShownAndTellsNoSecret(t *testing.T) {
	s := inbox.NewSlack(t)
	done := make(chan struct{}, 100)
	s.Refuse = func(string) (int, string, http.Header) {
		done <- struct{}{}
		return http.StatusOK, `{"ok":false,"error":"not_in_channel"}`, nil
	}
	n := open(t, t.TempDir(), file(t, bot(s)))
	defer closed(t, n)
	n.Send(t.Context(), failing("charge"))
	<-done
	<-done // of the next time; so the first failure is noted
	got := n.Failures()
	if len(got) != 1 || got[0].Receiver != "team" || got[0].Integration != "slack" || !strings.Contains(got[0].Reason, "invite the bot to the channel") {
		t.Errorf("got %+v", got)
	}
	if doc, _ := json.Marshal(got); strings.Contains(string(doc), inbox.Token) {
		t.Errorf("%s has the inbox.Token in it", doc)
	}
}

func TestWhereSecretURLsLeadIsNotSaid(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	const secret = "/services/T0/B0/very-secret"
	n := open(t, t.TempDir(), func(n *notify.Notifier) {
		file(t, routes("    slack_configs:\n      - api_url: ${ssm:/slack/url}\n    webhook_configs:\n      - url: "+gone.URL+secret+"\n"))(n)
		n.Parameter = func(context.Context, string) (string, error) { return gone.URL + secret, nil }
	})
	defer closed(t, n)
	got, err := n.Test(t.Context(), notify.TestInput{Receiver: "team"})
	if err != nil || len(got.Results) != 2 {
		t.Fatalf("got %+v, %v", got, err)
	}
	for _, r := range got.Results {
		if r.Delivered || r.Reason == "" || strings.Contains(r.Reason, "secret") {
			t.Errorf("got %+v", r)
		}
	}
	n.Parameter = func(context.Context, string) (string, error) { return "no-url very-secret", nil }
	if got, err := n.Test(t.Context(), notify.TestInput{Receiver: "team"}); err != nil || strings.Contains(got.Results[0].Reason, "secret") || got.Results[0].Delivered {
		t.Errorf("got %+v, %v", got, err)
	}
}
