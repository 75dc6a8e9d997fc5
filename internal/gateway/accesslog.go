package gateway

import "time"

// sent is what went to the client.
type sent struct {
	status int
	bytes  int64
	took   time.Duration
}
