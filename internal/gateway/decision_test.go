package gateway

import (
	"crypto/sha256"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatAuthorizersRememberIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &functionGuard{Authorizer: &Authorizer{TTL: 60}, kept: map[[sha256.Size]byte]decision{}}
		key := func(i int) [sha256.Size]byte { return sha256.Sum256([]byte(strconv.Itoa(i))) }
		for i := range maxDecisions / 2 {
			g.keep(key(i), &grant{})
		}
		time.Sleep(61 * time.Second)
		for i := maxDecisions / 2; i < maxDecisions+1; i++ {
			g.keep(key(i), &grant{})
		}
		if got, want := len(g.kept), maxDecisions/2+1; got != want {
			t.Errorf("%d answers are kept, want the %d that are fresh", got, want)
		}
		for i := range 2 * maxDecisions {
			g.keep(key(i), &grant{})
		}
		if got := len(g.kept); got > maxDecisions {
			t.Errorf("%d answers are kept, want at most %d", got, maxDecisions)
		}
		if g.recall(key(2*maxDecisions-1)) == nil {
			t.Error("the latest answer is not kept")
		}
	})
}
