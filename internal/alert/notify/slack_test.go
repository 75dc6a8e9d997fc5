package notify_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/alert/notify"
)

// file makes a notifier read the configuration from a file.
func file(t *testing.T, text string) func(*notify.Notifier) {
	path := write(t, "receivers.yml", text)
	return func(n *notify.Notifier) { n.File = path }
}

func TestTwoFailingFunctionsAreOneMessageEachWhichIsEdited(t *testing.T) {
	s := newSlack(t)
	n := open(t, t.TempDir(), file(t, bot(s)))
	defer closed(t, n)
	a, b := failing("charge"), failing("refund")
	for range 3 { // as rules do, again and again
		n.Send(t.Context(), a, b)
	}
	first := s.await(t, 2)
	for _, c := range first {
		if c.method != "chat.postMessage" || c.body["channel"] != "#alerts" || c.body["thread_ts"] != nil {
			t.Errorf("got %v", c)
		}
	}
	n.Send(t.Context(), over(a))
	calls := s.await(t, 4)
	edit, reply := calls[2], calls[3]
	if edit.method != "chat.update" || !strings.Contains(text(edit), "Resolved: ErrorRatio: charge") {
		t.Errorf("got %v, want the message of charge edited", edit)
	}
	if reply.method != "chat.postMessage" || reply.body["thread_ts"] != edit.body["ts"] || reply.body["text"] != "✅ Resolved after 1 min." {
		t.Errorf("got %v, want how long it lasted in the thread of %v", reply, edit.body["ts"])
	}
	n.Send(t.Context(), over(b))
	calls = s.await(t, 6)
	if len(calls) != 6 || calls[4].body["ts"] == edit.body["ts"] {
		t.Errorf("got %v, want the other message edited", calls[4:])
	}
}

func TestWebhooksOfSlackGetAMessageEachTime(t *testing.T) {
	s := newSlack(t)
	n := open(t, t.TempDir(), func(n *notify.Notifier) {
		file(t, routes("    slack_configs:\n      - api_url_file: "+write(t, "url", s.url+"/services/T0/B0/secret\n")+"\n"))(n)
	})
	defer closed(t, n)
	a := failing("charge")
	n.Send(t.Context(), a)
	s.await(t, 1)
	n.Send(t.Context(), over(a))
	calls := s.await(t, 2)
	if calls[0].method != "webhook" || calls[1].method != "webhook" || !strings.Contains(text(calls[1]), "Resolved") {
		t.Errorf("got %v", calls)
	}
}

func TestSlackThatHasEnoughIsAskedAgainLater(t *testing.T) {
	s := newSlack(t)
	refused := 0
	s.refuse = func(string) (int, string, http.Header) {
		if refused++; refused == 1 {
			return http.StatusTooManyRequests, "", http.Header{"Retry-After": {"1"}}
		}
		return 0, "", nil
	}
	n := open(t, t.TempDir(), file(t, bot(s)))
	defer closed(t, n)
	n.Send(t.Context(), failing("charge"))
	if calls := s.await(t, 1); calls[0].method != "chat.postMessage" {
		t.Errorf("got %v", calls)
	}
}

func TestAMessageThatSomebodyDeletedIsPostedAnew(t *testing.T) {
	s := newSlack(t)
	n := open(t, t.TempDir(), file(t, bot(s)))
	defer closed(t, n)
	a := failing("charge")
	n.Send(t.Context(), a)
	s.await(t, 1)
	s.mu.Lock()
	clear(s.messages)
	s.mu.Unlock()
	n.Send(t.Context(), over(a))
	if calls := s.await(t, 3); calls[1].method != "chat.update" || calls[2].method != "chat.postMessage" || calls[2].body["thread_ts"] != nil {
		t.Errorf("got %v", calls[1:])
	}
}

func TestWhatSlackRefusesIsShownAndTellsNoSecret(t *testing.T) {
	s := newSlack(t)
	done := make(chan struct{}, 100)
	s.refuse = func(string) (int, string, http.Header) {
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
	if doc, _ := json.Marshal(got); strings.Contains(string(doc), token) {
		t.Errorf("%s has the token in it", doc)
	}
}

// text is all of a message.
func text(c call) string {
	doc, _ := json.Marshal(c.body)
	return string(doc)
}
