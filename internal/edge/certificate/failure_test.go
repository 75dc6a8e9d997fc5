package certificate

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mholt/acmez/v3/acme"
)

// TestWaits: a name whose certificate cannot be got waits twice as long each time,
// and an hour when the authority has had enough.
func TestWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f failures
		unreached := fmt.Errorf("order: %w", acme.Problem{Type: "urn:ietf:params:acme:error:connection", Detail: "refused"})
		for i, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour} {
			at, news := f.add("a.example.com", unreached, time.Now())
			if news != (i == 0) || at.Tries != i+1 || time.Until(at.Until) != want {
				t.Errorf("failure %d: got %+v, told: %v; want to wait %v", i+1, at, news, want)
			}
			if err := f.waiting("a.example.com"); err == nil || !strings.Contains(err.Error(), "connection: refused") {
				t.Errorf("while it waits: got %v", err)
			}
			time.Sleep(want)
			if err := f.waiting("a.example.com"); err != nil {
				t.Errorf("after that: got %v", err)
			}
		}
		if at, news := f.add("a.example.com", errors.New("something else"), time.Now()); !news || !strings.Contains(at.Advice, "--acme-directory") {
			t.Errorf("another failure: got %+v, told: %v", at, news)
		}
		limit := acme.Problem{Type: "urn:ietf:params:acme:error:rateLimited", Detail: "too many"}
		if at, _ := f.add("b.example.com", limit, time.Now()); time.Until(at.Until) != time.Hour || !strings.Contains(at.Advice, "staging") {
			t.Errorf("too many orders: got %+v", at)
		}
		f.clear("a.example.com")
		if err := f.waiting("a.example.com"); err != nil || len(f.list()) != 1 {
			t.Errorf("after one was got: %v, %v", err, f.list())
		}
		time.Sleep(26 * time.Hour)
		if f.forget(time.Now()); len(f.list()) != 0 {
			t.Errorf("a day later: %v", f.list())
		}
	})
}
