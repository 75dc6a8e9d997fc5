package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Periods of a quota. They begin at midnight UTC: each day, on Mondays, on the first
// of each month.
const (
	Day   = "DAY"
	Week  = "WEEK"
	Month = "MONTH"
)

var periods = []string{Day, Week, Month}

const (
	meterBucket = "api-usage"
	meterEvery  = 200 * time.Millisecond
	meterDays   = 100 // that counts are kept: a month for quotas, 90 days for those who ask
)

// Meter counts the requests that came with API keys, by usage plan and day. Stored,
// on the durable engine:
//
//	bucket api-usage   PLAN.YYYYMMDD: the day's requests by key, JSON
//
// Counts are exact while the platform runs: a quota lets no request more through.
// What was counted is written every 200 milliseconds, and at a graceful end, so a
// crash forgets the requests of the last moment, a quarter of a second or so, and
// never more. The zero Meter counts in memory alone.
type Meter struct {
	Streams jetstream.JetStream
	Log     *slog.Logger

	kv    jetstream.KeyValue
	mu    sync.Mutex
	days  map[planDay]map[string]int // requests by key id
	dirty map[planDay]bool
	first map[string]day // of each plan, with a count
}

// day is a date, as days since 1970 in UTC.
type day int

func dayOf(t time.Time) day { return day(t.Unix() / (24 * 60 * 60)) }

func (d day) time() time.Time { return time.Unix(int64(d)*24*60*60, 0).UTC() }

type planDay struct {
	plan string
	day  day
}

const dayFormat = "20060102"

func (p planDay) String() string { return p.plan + "." + p.day.time().Format(dayFormat) }

// Open reads the counts that are stored.
func (m *Meter) Open(ctx context.Context) error {
	var err error
	m.kv, err = m.Streams.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: meterBucket, TTL: meterDays * 24 * time.Hour})
	if err != nil {
		return fmt.Errorf("open the usage of API keys: %w", err)
	}
	keys, err := m.kv.Keys(ctx)
	if errors.Is(err, jetstream.ErrNoKeysFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list the usage of API keys: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range keys {
		plan, date, _ := strings.Cut(name, ".")
		at, err := time.Parse(dayFormat, date)
		if err != nil {
			continue // not of ours
		}
		entry, err := m.kv.Get(ctx, name)
		if err != nil {
			return fmt.Errorf("read the usage %s: %w", name, err)
		}
		counts := map[string]int{}
		if err := json.Unmarshal(entry.Value(), &counts); err != nil {
			return fmt.Errorf("the usage %s: %w", name, err)
		}
		maps.Copy(m.on(planDay{plan, dayOf(at)}), counts)
	}
	return nil
}

// on returns the counts of a plan and day. The lock is held.
func (m *Meter) on(at planDay) map[string]int {
	if m.days == nil {
		m.days, m.dirty, m.first = map[planDay]map[string]int{}, map[planDay]bool{}, map[string]day{}
	}
	counts := m.days[at]
	if counts == nil {
		counts = map[string]int{}
		m.days[at] = counts
		if first, ok := m.first[at.plan]; !ok || at.day < first {
			m.first[at.plan] = at.day
		}
	}
	return counts
}

// take counts a request; false, and nothing is counted, when the quota is used up.
func (m *Meter) take(p *UsagePlan, key string, now time.Time) bool {
	today := planDay{p.ID, dayOf(now)}
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := m.on(today)
	if q := p.Quota; q != nil {
		from := q.from(today.day)
		limit := q.Limit
		if m.first[p.ID] >= from { // the first period of the plan
			limit -= q.Offset
		}
		used := 0
		for d := from; d <= today.day; d++ {
			used += m.days[planDay{p.ID, d}][key]
		}
		if used >= limit {
			return false
		}
	}
	counts[key]++
	m.dirty[today] = true
	return true
}

// from is the first day of the period that a day is in.
func (q *Quota) from(d day) day {
	t := d.time()
	switch q.Period {
	case Week:
		return d - day((int(t.Weekday())+6)%7)
	case Month:
		return d - day(t.Day()-1)
	}
	return d
}

// Begin is when the period began that a time is in.
func (q *Quota) Begin(t time.Time) time.Time { return q.from(dayOf(t)).time() }

// Usage is what the keys of a plan have used on each day of a span, both ends
// included.
func (m *Meter) Usage(plan string, from, to time.Time) map[string][]int {
	first, last := dayOf(from), min(dayOf(to), dayOf(from)+meterDays)
	used := map[string][]int{}
	m.mu.Lock()
	defer m.mu.Unlock()
	for d := first; d <= last; d++ {
		for key, n := range m.days[planDay{plan, d}] {
			if used[key] == nil {
				used[key] = make([]int, last-first+1)
			}
			used[key][d-first] = n
		}
	}
	return used
}

// Run stores what is counted until ctx ends, and then once more.
func (m *Meter) Run(ctx context.Context) error {
	tick := time.NewTicker(meterEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			m.store(ctx)
		case <-ctx.Done():
			late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			m.store(late)
			return nil
		}
	}
}

// store writes the days that have changed. What cannot be written is tried again the
// next time.
func (m *Meter) store(ctx context.Context) {
	m.mu.Lock()
	changed := map[planDay][]byte{}
	for at := range m.dirty {
		if doc, err := json.Marshal(m.days[at]); err == nil {
			changed[at] = doc
		}
	}
	clear(m.dirty)
	m.forget(dayOf(time.Now()) - meterDays)
	m.mu.Unlock()
	for at, doc := range changed {
		if _, err := m.kv.Put(ctx, at.String(), doc); err != nil {
			m.Log.Error("usage of API keys not stored", "plan", at.plan, "err", err)
			m.mu.Lock()
			m.dirty[at] = true
			m.mu.Unlock()
		}
	}
}

// forget drops what is older than anybody asks for. The lock is held.
func (m *Meter) forget(before day) {
	for at := range m.days {
		if at.day < before {
			delete(m.days, at)
		}
	}
}
