package notify_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/alert/notify"
)

// hook takes JSON and answers as it is told to, first once with 503.
type hook struct {
	url  string
	got  chan map[string]any
	busy bool
}

func newHook(t *testing.T, status int) *hook {
	h := &hook{got: make(chan map[string]any, 10)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !h.busy {
			h.busy = true
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Errorf("what was posted is no JSON: %v", err)
		}
		w.WriteHeader(status)
		h.got <- body
	}))
	t.Cleanup(srv.Close)
	h.url = srv.URL
	return h
}

func (h *hook) next(t *testing.T) map[string]any {
	t.Helper()
	select {
	case b := <-h.got:
		return b
	case <-time.After(patience):
		t.Fatal("nothing was posted")
		panic("unreachable")
	}
}

func TestWebhooksGetWhatAlertmanagerSends(t *testing.T) {
	h := newHook(t, http.StatusNoContent)
	n := open(t, t.TempDir(), func(n *notify.Notifier) {
		file(t, routes("    webhook_configs:\n      - url: "+h.url+"/secret-path\n"))(n)
		evidence(n)
	})
	defer closed(t, n)
	a := failing("charge")
	n.Send(t.Context(), a)
	got := h.next(t)
	one, _ := got["alerts"].([]any)[0].(map[string]any)
	notes, _ := one["annotations"].(map[string]any)
	labels, _ := one["labels"].(map[string]any)
	if got["version"] != "4" || got["status"] != "firing" || got["receiver"] != "team" || labels["function"] != "charge" || one["fingerprint"] == "" {
		t.Errorf("got %v", got)
	}
	if sample, _ := notes["log_sample"].(string); strings.Count(sample, "\n") != 4 || notes["trend"] == nil || notes["console_url"] == nil {
		t.Errorf("got the evidence %v", notes)
	}
	n.Send(t.Context(), over(a))
	if got := h.next(t); got["status"] != "resolved" {
		t.Errorf("got %v", got)
	}
}

func TestPagerDutyOpensAndResolvesOneIncident(t *testing.T) {
	h := newHook(t, http.StatusAccepted)
	n := open(t, t.TempDir(), func(n *notify.Notifier) {
		file(t, routes("    pagerduty_configs:\n      - routing_key: ${ssm:/pager/key}\n        url: "+h.url+"/v2/enqueue\n"))(n)
		evidence(n)
	})
	defer closed(t, n)
	a := failing("charge")
	n.Send(t.Context(), a)
	trigger := h.next(t)
	payload, _ := trigger["payload"].(map[string]any)
	links, _ := trigger["links"].([]any)
	if trigger["event_action"] != "trigger" || trigger["routing_key"] != "R0UT1NG" || payload["severity"] != "warning" || trigger["dedup_key"] == "" || len(links) < 3 {
		t.Errorf("got %v", trigger)
	}
	if images, _ := trigger["images"].([]any); len(images) != 0 {
		t.Errorf("got images %v", images)
	}
	n.Send(t.Context(), over(a))
	if resolve := h.next(t); resolve["event_action"] != "resolve" || resolve["dedup_key"] != trigger["dedup_key"] {
		t.Errorf("got %v, want the end of %v", resolve, trigger["dedup_key"])
	}
}
