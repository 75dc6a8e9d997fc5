// Package audit keeps the record of every control-plane call, every read of a
// secret and every denial.
//
// A record is on disk before the call is answered; when it cannot be written, the
// call is refused. Records are CloudTrail's, a line each, and every line holds the
// hash of the one before it, so that what is changed, removed, inserted or moved
// afterwards is found, and where. Stored, below DIR/audit:
//
//	log/SEQ-TIME.ndjson    {seq, prev, hash, event}; an hour or 64 MB of records,
//	                       named by the first of them
//	digest/N-TIME.json     closes a log file: CloudTrail's digest document, and on
//	                       a second line its signature; each names the one before
//	head                   where the log ends, signed; overwritten at each commit
//	keys/FINGERPRINT.pem   the public keys of the signatures
//	cut/SEQ-TIME.ndjson    what starts after a crash have taken off
//
// # What a crash leaves
//
// Records are synced, then the head is written and synced, then callers are
// answered. So whatever crashes, the head covers everything that was acknowledged,
// and never more than there is. Beyond it there may be one group of records, whole
// or torn, whose callers were not answered. Nothing vouches for them, since anybody
// can write lines whose hashes are right: the next start takes them off, keeps them
// in cut/ and records that.
//
// # What it does not do
//
// Whoever has the machine and its root key can write another history and sign it,
// and whoever kept a copy of an old head can cut the log back to it. Heads that
// were published elsewhere (Log.Heads) show both.
package audit

import (
	"crypto/ed25519"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

const (
	logDir    = "log"
	digestDir = "digest"
	keysDir   = "keys"
	cutDir    = "cut"
	headFile  = "head"
)

const (
	// DefaultKeep is how long records are kept.
	DefaultKeep = 400 * 24 * time.Hour
	// digestEvery and maxFile are what closes a log file, whichever comes first.
	digestEvery = time.Hour
	maxFile     = 64 << 20
	// retryEvery is how often a log that could not be written is tried.
	retryEvery = time.Second
)

// Log is the audit log of a data directory. Set the exported fields, then Open.
type Log struct {
	Dir    string             // DIR/audit
	Key    ed25519.PrivateKey // signs heads and digests; see SigningKey
	Region string             // of the records that the log writes about itself
	Keep   time.Duration      // how long records are kept; 0: DefaultKeep
	Heads  string             // URL or directory to which heads are published; "": nowhere
	Log    *slog.Logger

	mu     sync.RWMutex // held for writing to close the queue
	closed bool
	queue  chan *pending
	done   sync.WaitGroup // the writer and the publisher
	stop   func()         // ends the publisher

	healthy atomic.Bool
	tail    atomic.Pointer[tail]

	w writer // the writing goroutine's alone
}

// tail is where the log ended after a commit, for those who read beside the
// writer.
type tail struct {
	head
	doc []byte // the head as signed
}

// Healthy says whether the latest append succeeded. While it did not, calls that
// have to be recorded are refused.
func (l *Log) Healthy() bool { return l.healthy.Load() }

// PublicKey is the key by which the log's signatures are checked; keep a copy
// elsewhere.
func (l *Log) PublicKey() ed25519.PublicKey { return l.Key.Public().(ed25519.PublicKey) }

func (l *Log) fingerprint() string { return Fingerprint(l.PublicKey()) }

// Path is where the audit log of a data directory is.
func Path(dir string) string { return filepath.Join(dir, "audit") }

func unavailable(err error) error {
	return fault.Errorf(fault.Unavailable, "the audit log cannot be written, and what cannot be recorded is not done: %w", err)
}
