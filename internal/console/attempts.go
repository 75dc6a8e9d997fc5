package console

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A client may be wrong this often at once, and then once in this time.
const (
	maxFailures  = 10
	failureEvery = 10 * time.Second
	maxClients   = 10_000 // that are remembered
)

// attempts remembers who has failed to sign in. The zero value is ready.
type attempts struct {
	mu      sync.Mutex
	clients map[string]*rate.Limiter
}

// wait is how long a client has to wait until it may try again.
func (a *attempts) wait(client string, now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.clients[prefixOf(client)]
	if l == nil {
		return 0
	}
	if tokens := l.TokensAt(now); tokens < 1 {
		return time.Duration((1 - tokens) * float64(failureEvery))
	}
	return 0
}

// failed notes that a client has failed.
func (a *attempts) failed(client string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.clients == nil || len(a.clients) >= maxClients {
		a.forget(now)
	}
	name := prefixOf(client)
	if a.clients[name] == nil {
		a.clients[name] = rate.NewLimiter(rate.Every(failureEvery), maxFailures)
	}
	a.clients[name].AllowN(now, 1)
}

// forget drops those who have not failed for long; if that is nobody, everybody.
func (a *attempts) forget(now time.Time) {
	kept := map[string]*rate.Limiter{}
	for name, l := range a.clients {
		if l.TokensAt(now) < maxFailures {
			kept[name] = l
		}
	}
	if len(kept) >= maxClients {
		kept = map[string]*rate.Limiter{}
	}
	a.clients = kept
}

// prefixOf is what counts as one client: an address, of IPv6 a /64.
func prefixOf(client string) string {
	addr, err := netip.ParseAddr(client)
	if err != nil || addr.Unmap().Is4() {
		return client
	}
	p, err := addr.Prefix(64)
	if err != nil {
		return client
	}
	return p.String()
}

// tooMany refuses a client until it has waited.
type tooMany struct{ wait time.Duration }

func (t tooMany) Error() string {
	return fmt.Sprintf("too many attempts to sign in have failed; try again in %s s", t.seconds())
}

func (t tooMany) seconds() string { return strconv.Itoa(int(math.Ceil(t.wait.Seconds()))) }
