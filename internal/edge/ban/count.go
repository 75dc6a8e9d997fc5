package ban

import "time"

// Count is how many bans hold.
func (b *Bans) Count() (n int) {
	s, now := b.now.Load(), time.Now()
	if s == nil {
		return 0
	}
	for _, r := range s.bans.All() {
		if r.Until.After(now) {
			n++
		}
	}
	return n
}
