package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

// pending is an append whose caller waits.
type pending struct {
	event  []byte
	at     time.Time  // the event's
	result chan error // holds one
}

const (
	maxGroup      = 512
	maxGroupBytes = 4 << 20
)

// Open brings the log to where it can be continued and starts its writer. What it
// mends or finds damaged is recorded; damage stays as it was found, and the log
// goes on in a new file.
func (l *Log) Open(ctx context.Context) error {
	for _, dir := range []string{logDir, digestDir, keysDir, cutDir} {
		if err := os.MkdirAll(filepath.Join(l.Dir, dir), 0o700); err != nil {
			return fmt.Errorf("audit log: %w", err)
		}
	}
	found, err := l.recover()
	for i := 0; i < len(found) && err == nil; i++ {
		err = l.record(found[i]) // before the head that was found is overwritten
	}
	if err == nil {
		err = l.writeHead()
	}
	if err != nil {
		return fmt.Errorf("open the audit log: %w", errors.Join(err, l.w.close()))
	}
	l.healthy.Store(true)
	l.queue = make(chan *pending, 2*maxGroup)
	l.done.Go(l.run)
	l.publish(ctx)
	return nil
}

// Append writes the record of a call and returns when it is on disk; then the
// call may be answered. After an error it must be refused. The error leaves open
// whether the record is there: a refused call may have one, an answered call has.
func (l *Log) Append(ctx context.Context, e Event) error {
	if e.EventType == ServiceEvent && e.EventSource == source {
		return fmt.Errorf("audit: %s is for the log's own records", source)
	}
	p, err := newPending(&e)
	if err != nil {
		return unavailable(err)
	}
	if err := l.enqueue(ctx, p); err != nil {
		return unavailable(err)
	}
	select {
	case err := <-p.result:
		if err != nil {
			return unavailable(err)
		}
		return nil
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
}

func newPending(e *Event) (*pending, error) {
	doc, err := e.encode()
	if err != nil {
		return nil, err
	}
	return &pending{event: doc, at: e.EventTime, result: make(chan error, 1)}, nil
}

func (l *Log) enqueue(ctx context.Context, p *pending) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed || l.queue == nil {
		return fault.Errorf(fault.Unavailable, "shutting down")
	}
	select {
	case l.queue <- p:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close writes what is queued and ends the log. Later appends fail.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed || l.queue == nil {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	close(l.queue)
	l.mu.Unlock()
	l.stop()
	l.done.Wait()
	l.healthy.Store(false)
	return l.w.close()
}

// run is the writer: appends that arrive while a group is synced form the next
// group and share its sync.
func (l *Log) run() {
	timer := time.NewTimer(l.w.wait())
	defer timer.Stop()
	for {
		select {
		case first, ok := <-l.queue:
			if !ok {
				return
			}
			group := l.gather(first)
			err := l.store(group)
			if err != nil {
				l.refuse(len(group), err)
			} else if l.w.refused > 0 {
				l.recovered()
			}
			for _, p := range group {
				p.result <- err
			}
		case <-timer.C:
			l.tend(time.Now())
		}
		timer.Reset(l.w.wait())
	}
}

// refuse notes that records could not be written.
func (l *Log) refuse(records int, err error) {
	w := &l.w
	l.healthy.Store(false)
	if w.refused == 0 {
		w.failedAt = time.Now()
		l.Log.Error("audit log not written; calls are refused", "err", err)
	}
	w.refused += records
}

// recovered records that the log could not be written, as soon as it can. Nobody
// calls while it cannot, so the writer finds that out by itself.
func (l *Log) recovered() {
	w := &l.w
	err := l.record(ownEvent(eventOutage, map[string]any{"since": w.failedAt.UTC().Format(time.RFC3339), "refused": w.refused}))
	if err != nil {
		l.healthy.Store(false)
		return
	}
	l.Log.Warn("audit log is written again", "after", time.Since(w.failedAt), "refused", w.refused)
	w.refused = 0
	l.healthy.Store(true)
}

// gather takes what has queued up, without waiting.
func (l *Log) gather(first *pending) []*pending {
	group, size := append(l.w.group[:0], first), len(first.event)
	for len(group) < maxGroup && size < maxGroupBytes {
		select {
		case p, ok := <-l.queue:
			if !ok {
				l.w.group = group
				return group
			}
			group, size = append(group, p), size+len(p.event)
		default:
			l.w.group = group
			return group
		}
	}
	l.w.group = group
	return group
}

// source is where the log's records about itself come from.
const source = "cloudtrail.amazonaws.com"

// Names of the log's records about itself.
const (
	eventRepaired = "LogFileRepaired"   // what nobody was answered for was taken off
	eventDamaged  = "LogFileDamaged"    // somebody, or a disk, changed what was written
	eventKey      = "SigningKeyChanged" // the root key was rotated
	eventOutage   = "LogNotWritten"     // for a while, in which calls were refused
	eventExpired  = "LogFilesExpired"   // the anchor of what is left
)

// ownEvent is a record of the log about itself.
func ownEvent(name string, data any) Event {
	details := map[string]any{}
	if doc, err := json.Marshal(data); err == nil {
		_ = json.Unmarshal(doc, &details) // an object of ours
	}
	return Event{
		EventSource: source, EventName: name, EventType: ServiceEvent, EventCategory: "Management", ManagementEvent: true,
		SourceIPAddress: source, UserAgent: source, UserIdentity: UserIdentity{Type: "AWSService", InvokedBy: source},
		AdditionalEventData: details,
	}
}

// record appends a record of the log's own; only for the writer.
func (l *Log) record(e Event) error {
	e.AWSRegion = l.Region
	p, err := newPending(&e)
	if err != nil {
		return err
	}
	return l.store([]*pending{p})
}
