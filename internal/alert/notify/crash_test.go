package notify_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/testkit/inbox"
)

// crashed is what the disk holds at this moment, as a crash would leave it.
func crashed(t *testing.T, dir string) string {
	t.Helper()
	left := t.TempDir()
	if err := os.CopyFS(left, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return left
}

func TestAfterACrashNobodyIsToldTwice(t *testing.T) {
	s := inbox.NewSlack(t)
	dir := t.TempDir()
	n := open(t, dir, file(t, bot(s)))
	a := failing("charge")
	n.Send(t.Context(), a)
	first := s.Await(t, 1)[0]
	closed(t, n) // the message is noted by then
	n = open(t, crashed(t, dir), file(t, bot(s)))
	defer closed(t, n)
	n.Send(t.Context(), a, failing("refund")) // the rule goes on
	s.Await(t, 2)
	n.Send(t.Context(), over(a))
	calls := s.Await(t, 4)
	if calls[0].Body["ts"] != first.Body["ts"] || !strings.Contains(calls[1].Text(), "refund") {
		t.Errorf("got %v, want refund told and charge not again", calls[1])
	}
	if calls[2].Method != "chat.update" || !strings.Contains(calls[2].Text(), "Resolved: ErrorRatio: charge") {
		t.Errorf("got %v, want the message of before the crash edited", calls[2])
	}
}

func TestAfterACrashNobodyIsForgotten(t *testing.T) {
	s := inbox.NewSlack(t)
	dir := t.TempDir()
	slow := strings.Replace(bot(s), "group_wait: 20ms", "group_wait: 1h", 1)
	n := open(t, dir, file(t, slow))
	a := failing("charge")
	a.Starts = time.Now()
	n.Send(t.Context(), a)
	left := crashed(t, dir)
	closed(t, n)
	n = open(t, left, file(t, bot(s)))
	defer closed(t, n)
	if got := s.Await(t, 1)[0]; !strings.Contains(got.Text(), "charge") {
		t.Errorf("got %v", got)
	}
}

func TestAnAlertThatEndsWhileNothingRunsIsSaidToBeOver(t *testing.T) {
	s := inbox.NewSlack(t)
	dir := t.TempDir()
	n := open(t, dir, file(t, bot(s)))
	a := failing("charge")
	n.Send(t.Context(), a)
	s.Await(t, 1)
	closed(t, n)
	slow := strings.Replace(bot(s), "group_interval: 100ms", "group_interval: 1h", 1)
	n = open(t, dir, file(t, slow))
	n.Send(t.Context(), over(a)) // on the disk, and an hour from being told
	left := crashed(t, dir)
	closed(t, n)
	n = open(t, left, file(t, bot(s)))
	defer closed(t, n)
	if got := s.Await(t, 2)[1]; got.Method != "chat.update" || !strings.Contains(got.Text(), "Resolved") {
		t.Errorf("got %v", got)
	}
}

func TestACriticalAlertOfAFunctionSaysItAll(t *testing.T) {
	s := inbox.NewSlack(t)
	n := open(t, t.TempDir(), file(t, bot(s)))
	defer closed(t, n)
	grave, minor := failing("charge"), failing("charge")
	grave.Labels = map[string]string{"alertname": "Down", "function": "charge", alert.SeverityLabel: "critical"}
	n.Send(t.Context(), grave)
	s.Await(t, 1)
	n.Send(t.Context(), minor, failing("refund"))
	for _, c := range s.Await(t, 2) {
		if got := c.Text(); strings.Contains(got, "ErrorRatio: charge") {
			t.Errorf("got %s, which a graver alert says already", got)
		}
	}
}

func TestAMessageOnItsWayArrivesBeforeThePlatformStops(t *testing.T) {
	s := inbox.NewSlack(t)
	dir := t.TempDir()
	entered, release := make(chan struct{}, 10), make(chan struct{})
	s.Refuse = func(string) (int, string, http.Header) {
		entered <- struct{}{}
		<-release
		return 0, "", nil
	}
	n := open(t, dir, file(t, bot(s)))
	a := failing("charge")
	n.Send(t.Context(), a)
	<-entered
	stopped := make(chan error)
	go func() { stopped <- n.Close() }()
	close(release)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	n = open(t, dir, file(t, bot(s)))
	defer closed(t, n)
	n.Send(t.Context(), a, failing("refund"))
	if got := s.Await(t, 2)[1]; !strings.Contains(got.Text(), "refund") {
		t.Errorf("got %s, want charge told once", got.Text())
	}
}
