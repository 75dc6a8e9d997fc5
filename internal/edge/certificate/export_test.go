package certificate

import (
	"time"

	"github.com/caddyserver/certmagic"
)

// Soon has a keeper look at its certificates all the time, and renew those of which
// less than the ratio of their life is left.
func (k *Keeper) Soon(every time.Duration, ratio float64) {
	k.renewing = renewal{every: every, ratio: ratio}
}

// StorageOf is what certmagic keeps its files in, with locks of a lease.
func StorageOf(k *Keeper, lease time.Duration) certmagic.Storage {
	k.storage.lease = lease
	return k.storage
}

// Forget ends the renewal of a lock without giving it back.
func Forget(k *Keeper, name string) {
	k.storage.mu.Lock()
	defer k.storage.mu.Unlock()
	h := k.storage.held[name]
	delete(k.storage.held, name)
	h.stop()
	<-h.done
}
