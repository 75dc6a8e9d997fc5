// Package engine opens the embedded engines, or reaches their outside twins:
// JetStream for queues, topics and control-plane state, an S3 store for objects.
//
// There are two JetStream servers. On the durable one every write is synced
// before it is acknowledged; the relaxed one carries telemetry.
package engine

import (
	"log/slog"
)

// Config says where the engines keep their data.
type Config struct {
	Dir    string // the data directory; engines use sub-directories
	Region string
	Log    *slog.Logger
	// Accounts authenticates S3 requests.
	Accounts Accounts
	// OnObject is told of every change of an object; an error fails the request
	// that made it. Optional.
	OnObject func(ObjectEvent) error
}

// Accounts finds the secret of an access key for the S3 API.
type Accounts interface {
	// Secret returns the secret key and whether the principal is the
	// administrator, and false for an unknown key.
	Secret(accessKeyID string) (secret string, admin, ok bool)
}
