package alarm

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/wire"
)

// Filter makes a metric of the log records of a group that match a pattern.
type Filter struct {
	Name       string            `json:"name"`
	Group      string            `json:"group"`
	Pattern    string            `json:"pattern,omitempty"` // of CloudWatch Logs; "": every record
	Namespace  string            `json:"namespace"`
	Metric     string            `json:"metric"`
	Value      string            `json:"value"`                // a number, or $.MEMBER of the record
	Default    *float64          `json:"default,omitempty"`    // of minutes in which records came, and none that matches
	Unit       string            `json:"unit,omitempty"`       // "": None
	Dimensions map[string]string `json:"dimensions,omitempty"` // $.MEMBER of the record, by name
}

const maxFilterDimensions = 3

// Check says what is wrong with a filter, as fault.Invalid.
func (f Filter) Check() error {
	_, err := f.compile()
	return err
}

// compiled is a filter that can be asked.
type compiled struct {
	Filter
	pattern *logs.Pattern
	fixed   float64 // if Value is a number
	member  string  // if it is not

	// Guarded by Filters.mu:
	minute  int64 // that the next two are about
	matched bool
	zeroed  bool
}

func (f Filter) compile() (*compiled, error) {
	c := &compiled{Filter: f}
	wrong := func(format string, args ...any) (*compiled, error) {
		return nil, fault.Errorf(fault.Invalid, "metric filter %s: %w", f.Name, fmt.Errorf(format, args...))
	}
	switch {
	case f.Group == "":
		return wrong("it has no log group")
	case f.Metric == "" || f.Namespace == "":
		return wrong("it needs the name and the namespace of a metric")
	case strings.HasPrefix(f.Namespace, "AWS/"):
		return wrong("the namespace %s is the platform's own", f.Namespace)
	case len(f.Dimensions) > maxFilterDimensions:
		return wrong("it has %d dimensions; the limit is %d", len(f.Dimensions), maxFilterDimensions)
	case len(f.Dimensions) > 0 && f.Default != nil:
		return wrong("it has dimensions or a default value: not both")
	}
	var err error
	if f.Pattern != "" {
		if c.pattern, err = logs.Compile(f.Pattern); err != nil {
			return wrong("%w", err)
		}
	}
	if c.fixed, err = strconv.ParseFloat(f.Value, 64); err != nil {
		if c.member, err = memberOf(f.Value); err != nil {
			return wrong("the value %w", err)
		}
	}
	for name, value := range f.Dimensions {
		if _, err := memberOf(value); err != nil {
			return wrong("dimension %s: %w", name, err)
		}
	}
	return c, nil
}

// memberOf is the path in $.a.b.
func memberOf(text string) (string, error) {
	path, ok := strings.CutPrefix(text, "$.")
	if !ok || path == "" {
		return "", fmt.Errorf("%q is neither a number nor a member of a record in JSON, such as $.latency", text)
	}
	return path, nil
}

// member is a value in a record; nil: there is none.
func member(doc any, path string) any {
	for part := range strings.SplitSeq(path, ".") {
		object, ok := doc.(map[string]any)
		if !ok {
			return nil
		}
		doc = object[part]
	}
	return doc
}

// Records is what filters need of the logs.
type Records interface {
	// Subscribe has fn called with records as they come, until cancel returns.
	Subscribe(fn func([]logs.Record)) (cancel func())
}

// Filters counts records as they come. The zero value of what is not exported is
// ready.
type Filters struct {
	Logs    Records
	Metrics *metric.Store
	Log     *slog.Logger

	byGroup atomic.Pointer[map[string][]*compiled]

	mu     sync.Mutex
	stacks map[string][]*compiled
	cancel func() // of the subscription; nil: there is no filter
}

// Replace makes the filters of a stack the truth.
func (f *Filters) Replace(stack string, list []Filter) error {
	var next []*compiled
	for _, one := range list {
		c, err := one.compile()
		if err != nil {
			return err
		}
		next = append(next, c)
	}
	f.mu.Lock()
	if f.stacks == nil {
		f.stacks = map[string][]*compiled{}
	}
	if f.stacks[stack] = next; len(next) == 0 {
		delete(f.stacks, stack)
	}
	all := map[string][]*compiled{}
	for _, some := range f.stacks {
		for _, c := range some {
			all[c.Group] = append(all[c.Group], c)
		}
	}
	f.byGroup.Store(&all)
	cancel := f.cancel
	switch {
	case len(all) > 0 && cancel == nil:
		f.cancel, cancel = f.Logs.Subscribe(f.take), nil
	case len(all) > 0:
		cancel = nil
	default:
		f.cancel = nil
	}
	f.mu.Unlock()
	if cancel != nil {
		cancel() // it waits for take, which takes the lock
	}
	return nil
}

// Close ends the counting.
func (f *Filters) Close() error {
	f.mu.Lock()
	cancel := f.cancel
	f.cancel = nil
	f.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	return nil
}

// datum is what values of a batch are added up by.
type datum struct {
	filter     *compiled
	minute     int64
	dimensions string // JSON
}

// take counts a batch of records.
func (f *Filters) take(records []logs.Record) {
	all := *f.byGroup.Load()
	counts := map[datum]map[float64]float64{}
	add := func(d datum, v float64) {
		if counts[d] == nil {
			counts[d] = map[float64]float64{}
		}
		counts[d][v]++
	}
	f.mu.Lock()
	for i := range records {
		r := &records[i]
		for _, c := range all[r.Group] {
			minute := r.Time.Unix() / 60
			if c.minute != minute {
				c.minute, c.matched, c.zeroed = minute, false, false
			}
			v, dimensions, ok := c.value(r)
			switch {
			case ok:
				c.matched = true
				add(datum{c, minute, dimensions}, v)
			case c.Default != nil && !c.matched && !c.zeroed:
				c.zeroed = true
				add(datum{c, minute, ""}, *c.Default)
			}
		}
	}
	f.mu.Unlock()
	byNamespace := map[string][]metric.MetricDatum{}
	for d, values := range counts {
		m := metric.MetricDatum{MetricName: d.filter.Metric, Timestamp: wire.At(time.Unix(60*d.minute, 0)), Unit: d.filter.Unit}
		for _, v := range slices.Sorted(maps.Keys(values)) {
			m.Values, m.Counts = append(m.Values, v), append(m.Counts, values[v])
		}
		if d.dimensions != "" {
			_ = json.Unmarshal([]byte(d.dimensions), &m.Dimensions) // made below
		}
		for more := range slices.Chunk(m.Values, maxDatumValues) {
			part := m
			part.Values, part.Counts = more, m.Counts[:len(more)]
			m.Counts = m.Counts[len(more):]
			byNamespace[d.filter.Namespace] = append(byNamespace[d.filter.Namespace], part)
		}
	}
	for namespace, data := range byNamespace {
		if _, err := f.Metrics.PutMetricData(context.Background(), metric.PutMetricDataInput{Namespace: namespace, MetricData: data}); err != nil {
			f.Log.Warn("what metric filters counted is not kept", "namespace", namespace, "err", err)
		}
	}
}

// maxDatumValues is how many values a datum may have.
const maxDatumValues = 150

// value is what a record comes to; ok is false when the filter does not match, or the
// record has not what the filter wants of it.
func (c *compiled) value(r *logs.Record) (v float64, dimensions string, ok bool) {
	if !c.pattern.Match(r.Message) {
		return 0, "", false
	}
	if c.member == "" && len(c.Dimensions) == 0 {
		return c.fixed, "", true
	}
	var doc any
	if json.Unmarshal([]byte(r.Message), &doc) != nil {
		return 0, "", false
	}
	if v = c.fixed; c.member != "" {
		switch found := member(doc, c.member).(type) {
		case float64:
			v = found
		case string:
			n, err := strconv.ParseFloat(found, 64)
			if err != nil {
				return 0, "", false
			}
			v = n
		default:
			return 0, "", false
		}
	}
	var list []metric.Dimension
	for name, at := range c.Dimensions {
		text, _ := text(member(doc, strings.TrimPrefix(at, "$."))).(string)
		if text == "" {
			return v, "", true // as CloudWatch does it: the metric without dimensions
		}
		list = append(list, metric.Dimension{Name: name, Value: text})
	}
	if len(list) == 0 {
		return v, "", true
	}
	slices.SortFunc(list, func(a, b metric.Dimension) int { return cmp.Compare(a.Name, b.Name) })
	made, err := json.Marshal(list)
	return v, string(made), err == nil
}
