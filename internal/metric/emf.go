package metric

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/wire"
)

// Bounds of the Embedded Metric Format.
const (
	maxDirectives = 100 // namespaces of a line
	maxEmbedded   = 100 // metrics of a namespace, and values of a metric
)

// root is what the format defines of a line; the rest of its members are what names
// in it refer to.
type root struct {
	AWS *struct {
		Timestamp         *int64
		CloudWatchMetrics []directive
	} `json:"_aws"`
}

type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []definition
}

type definition struct {
	Name              string
	Unit              string
	StorageResolution *int
}

// flaw is what is wrong with a line, in short and in words.
type flaw struct{ reason, text string }

func (f *flaw) Error() string { return f.text }

func flawed(reason, format string, args ...any) error {
	return &flaw{reason, fmt.Sprintf(format, args...)}
}

// hint is in every line that has metrics.
const hint = `"_aws"`

// IsEmbedded says whether a line of a log may have metrics, as fast as can be.
func IsEmbedded(line string) bool { return strings.Contains(line, hint) }

// batch is data of one namespace.
type batch struct {
	namespace string
	data      []MetricDatum
}

// parseEmbedded reads the metrics of a line in CloudWatch's Embedded Metric Format,
// before which a runtime may have put its own prefix. A line that is not one of the
// format, though it has the word, has none. What can be kept of a flawed line is
// returned with the first flaw.
func parseEmbedded(line string, now time.Time) ([]batch, error) {
	start := strings.IndexByte(line, '{')
	if start < 0 {
		return nil, nil
	}
	doc := []byte(line[start:])
	var r root
	var members map[string]json.RawMessage
	if err := json.Unmarshal(doc, &members); err != nil {
		if strings.HasPrefix(strings.TrimSpace(line), "{") {
			return nil, flawed("json", "it is not JSON: %v", err)
		}
		return nil, nil // text that talks of it
	}
	if _, is := members["_aws"]; !is {
		return nil, nil
	}
	if err := json.Unmarshal(doc, &r); err != nil {
		return nil, flawed("format", "_aws has not the shape of the Embedded Metric Format: %v", err)
	}
	switch {
	case r.AWS == nil || len(r.AWS.CloudWatchMetrics) == 0:
		return nil, nil // a line may have the member and no metrics
	case r.AWS.Timestamp == nil:
		return nil, flawed("timestamp", "_aws.Timestamp is missing: milliseconds since 1970")
	case len(r.AWS.CloudWatchMetrics) > maxDirectives:
		return nil, flawed("limit", "_aws.CloudWatchMetrics has over %d members", maxDirectives)
	}
	at := time.UnixMilli(*r.AWS.Timestamp)
	if at.Before(now.Add(-oldest)) || at.After(now.Add(ahead)) {
		return nil, flawed("timestamp", "_aws.Timestamp %d is not within the past two weeks or the next two hours", *r.AWS.Timestamp)
	}
	var list []batch
	var first error
	for _, d := range r.AWS.CloudWatchMetrics {
		data, err := d.data(members, at)
		if first == nil {
			first = err
		}
		if len(data) > 0 {
			list = append(list, batch{d.Namespace, data})
		}
	}
	return list, first
}

// data are those of a directive, once for each set of dimensions.
func (d directive) data(members map[string]json.RawMessage, at time.Time) (list []MetricDatum, first error) {
	fail := func(err error) {
		if first == nil {
			first = err
		}
	}
	if len(d.Metrics) > maxEmbedded {
		return nil, flawed("limit", "namespace %s has over %d metrics", d.Namespace, maxEmbedded)
	}
	sets := d.Dimensions
	if len(sets) == 0 {
		sets = [][]string{{}}
	}
	for _, names := range sets {
		dims, err := dimensionsIn(members, names)
		if err != nil {
			fail(err)
			continue
		}
		for _, m := range d.Metrics {
			datum := MetricDatum{MetricName: m.Name, Dimensions: dims, Timestamp: wire.At(at), Unit: m.Unit, StorageResolution: m.StorageResolution}
			if datum.Values, err = valuesIn(members, m.Name); err != nil {
				fail(err)
				continue
			}
			if err := checkPut(d.Namespace, []MetricDatum{datum}, time.Now()); err != nil {
				fail(flawed("value", "namespace %s, metric %s: %v", d.Namespace, m.Name, err))
				continue
			}
			list = append(list, datum)
		}
	}
	return list, first
}

func dimensionsIn(members map[string]json.RawMessage, names []string) ([]Dimension, error) {
	var list []Dimension
	for _, name := range names {
		var value string
		if doc, has := members[name]; !has {
			return nil, flawed("dimension", "dimension %q is no member of the line", name)
		} else if err := json.Unmarshal(doc, &value); err != nil || !bytes.HasPrefix(doc, []byte(`"`)) {
			return nil, flawed("dimension", "dimension %q is not a text: %s", name, short(doc))
		}
		list = append(list, Dimension{name, value})
	}
	return list, nil
}

func valuesIn(members map[string]json.RawMessage, name string) ([]float64, error) {
	doc, has := members[name]
	if !has {
		return nil, flawed("metric", "metric %q is no member of the line", name)
	}
	var one *float64
	if json.Unmarshal(doc, &one) == nil && one != nil {
		return []float64{*one}, nil
	}
	var many []float64
	switch err := json.Unmarshal(doc, &many); {
	case err != nil || many == nil:
		return nil, flawed("value", "metric %q is neither a number nor a list of numbers: %s", name, short(doc))
	case len(many) == 0:
		return nil, flawed("value", "metric %q is an empty list", name)
	case len(many) > maxEmbedded:
		return nil, flawed("limit", "metric %q has over %d values", name, maxEmbedded)
	}
	return many, nil
}

func short(doc []byte) string {
	if len(doc) > 60 {
		return string(doc[:60]) + "…"
	}
	return string(doc)
}

// reasonOf is in short why a line, or a part of it, is not kept.
func reasonOf(err error) string {
	if f, ok := errors.AsType[*flaw](err); ok {
		return f.reason
	}
	return "limit" // the bounds of a function, a namespace or a minute
}
