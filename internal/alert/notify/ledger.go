package notify

import (
	"bytes"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/dropstack/dropstack/internal/durable"
)

// ledger is the notification log, on the disk before anybody may rely on it. It is
// written whole each time: there is an entry a group and receiver, and people are
// told seldom.
type ledger struct {
	log  *nflog.Log
	path string
	mu   sync.Mutex // of writing
}

func openLedger(path string, reg prometheus.Registerer, log *slog.Logger) (*ledger, error) {
	l, err := nflog.New(nflog.Options{SnapshotFile: path, Retention: retention, Logger: log, Metrics: reg})
	if err != nil {
		return nil, fmt.Errorf("read whom alerts were told to: %w; what cannot be read is in %s", err, path)
	}
	return &ledger{log: l, path: path}, nil
}

// Log notes what a receiver was told.
func (l *ledger) Log(r *nflogpb.Receiver, group string, firing, resolved []uint64, store *nflog.Store, expiry time.Duration) error {
	if err := l.log.Log(r, group, firing, resolved, store, expiry); err != nil {
		return err
	}
	return l.keep()
}

// Query answers what a receiver was told.
func (l *ledger) Query(params ...nflog.QueryParam) ([]*nflogpb.Entry, error) {
	return l.log.Query(params...)
}

// tidy forgets what is too old to matter.
func (l *ledger) tidy() error {
	gone, err := l.log.GC()
	if err != nil || gone == 0 {
		return err
	}
	return l.keep()
}

func (l *ledger) keep() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b bytes.Buffer
	if _, err := l.log.Snapshot(&b); err != nil {
		return err
	}
	return durable.WriteFile(l.path, b.Bytes(), 0o600)
}
