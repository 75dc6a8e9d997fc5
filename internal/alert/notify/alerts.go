package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	am "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"

	"github.com/dropstack/dropstack/internal/durable"
)

// alerts are those that go on, and those that ended within the last half hour, in the
// engine's memory and in a file. The engine itself keeps none of them: it relies on
// Prometheus to send them again, which cannot say of an alert that has ended while
// nothing ran that it is over.
type alerts struct {
	*mem.Alerts
	path string

	mu   sync.Mutex // of the file, and of what it holds
	kept map[model.Fingerprint]stamp
}

// stamp is what makes an alert worth writing again: that it goes on is not.
type stamp struct {
	starts, ends time.Time // ends of those that have ended
	over         bool
}

// record is an alert in the file.
type record struct {
	model.Alert
	Updated time.Time `json:"updated"`
	Timeout bool      `json:"timeout,omitempty"` // it ends because nobody renews it
}

// document is the file.
type document struct {
	Written time.Time `json:"written"`
	Alerts  []record  `json:"alerts"`
}

func openAlerts(path string, s *silence.Silencer, reg prometheus.Registerer, log *slog.Logger) (*alerts, error) {
	doc, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var was document
	if len(doc) > 0 {
		if err := json.Unmarshal(doc, &was); err != nil {
			return nil, fmt.Errorf("read the alerts that go on from %s: %w", path, err)
		}
	}
	m, err := mem.NewAlerts(context.Background(), 2*tidyEvery, 0, s, log, eventrecorder.Recorder{}, reg, featurecontrol.NoopFlags{})
	if err != nil {
		return nil, err
	}
	now := time.Now()
	var back []*am.Alert
	for _, r := range was.Alerts {
		a := &am.Alert{Alert: r.Alert, UpdatedAt: r.Updated, Timeout: r.Timeout}
		if r.Timeout && r.EndsAt.After(was.Written) {
			// nobody could renew it while nothing ran
			a.EndsAt = latest(a.EndsAt, now.Add(Renewed))
		}
		back = append(back, a)
	}
	out := &alerts{Alerts: m, path: path, kept: map[model.Fingerprint]stamp{}}
	return out, out.Put(context.Background(), back...)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Put takes alerts, those that are known too. They are on the disk when it returns.
func (a *alerts) Put(ctx context.Context, list ...*am.Alert) error {
	if err := a.Alerts.Put(ctx, list...); err != nil {
		return err
	}
	return a.keep(false)
}

// keep writes the alerts, if they are not what is written.
func (a *alerts) keep(always bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	list, now := []record{}, time.Now()
	stamps := map[model.Fingerprint]stamp{}
	it := a.GetPending()
	for p := range it.Next() {
		d := p.Data
		list = append(list, record{d.Alert, d.UpdatedAt, d.Timeout})
		s := stamp{starts: d.StartsAt, over: d.ResolvedAt(now)}
		if s.over {
			s.ends = d.EndsAt
		}
		stamps[d.Fingerprint()] = s
		always = always || a.kept[d.Fingerprint()] != s
	}
	it.Close()
	if !always && len(stamps) == len(a.kept) {
		return nil
	}
	slices.SortFunc(list, func(x, y record) int { return x.StartsAt.Compare(y.StartsAt) })
	doc, err := json.Marshal(document{now, list})
	if err != nil {
		return err
	}
	if err := durable.WriteFile(a.path, doc, 0o600); err != nil {
		return fmt.Errorf("keep alerts: %w", err)
	}
	a.kept = stamps
	return nil
}
