package metric

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/dropstack/dropstack/internal/fault"
)

// maxListed is the size of a page.
const maxListed = 500

// ListMetrics returns the metrics that had data within two weeks, or three hours.
func (s *Store) ListMetrics(ctx context.Context, in ListMetricsInput) (ListMetricsOutput, error) {
	out := ListMetricsOutput{Metrics: []Metric{}}
	age := oldest
	switch {
	case in.RecentlyActive == "PT3H":
		age = 3 * time.Hour
	case in.RecentlyActive != "":
		return out, invalid("The parameter RecentlyActive must be PT3H.")
	case len(in.Dimensions) > 10:
		return out, invalid("The collection Dimensions must not have a size greater than 10.")
	}
	for _, d := range in.Dimensions {
		if d.Name == "" {
			return out, missing("Dimensions.member.Name")
		}
	}
	after, err := base64.RawURLEncoding.DecodeString(in.NextToken)
	if err != nil {
		return out, invalid("The value for parameter NextToken is invalid: it is none that was given.")
	}
	found := map[string]Metric{}
	if err := s.find(ctx, in, age, func(m Metric) { found[m.key()] = m }); err != nil {
		return out, err
	}
	keys := make([]string, 0, len(found))
	for key := range found {
		if key > string(after) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	if len(keys) > maxListed {
		keys = keys[:maxListed]
		out.NextToken = base64.RawURLEncoding.EncodeToString([]byte(keys[maxListed-1]))
	}
	for _, key := range keys {
		out.Metrics = append(out.Metrics, found[key])
	}
	return out, nil
}

// key orders metrics and tells them apart.
func (m Metric) key() string {
	var b strings.Builder
	b.WriteString(m.Namespace + "\x00" + m.MetricName)
	for _, d := range m.Dimensions {
		b.WriteString("\x00" + d.Name + "\x01" + d.Value)
	}
	return b.String()
}

// find yields the metrics that are wanted, some more than once.
func (s *Store) find(ctx context.Context, in ListMetricsInput, age time.Duration, yield func(Metric)) error {
	if err := s.Flush(ctx); err != nil {
		return err
	}
	now := time.Now()
	from, to := now.Add(-age).UnixMilli(), now.Add(ahead).UnixMilli()
	ms := []*labels.Matcher{oneOf([]string{valueOf, sumOf})}
	if in.Namespace != "" {
		ms = append(ms, equal("namespace", in.Namespace))
	}
	if in.MetricName != "" {
		ms = append(ms, equal("metric", in.MetricName))
	}
	err := s.read(ctx, from, to, ms, func(l labels.Labels, _ iterator) error {
		if m := (Metric{l.Get("namespace"), l.Get("metric"), dimensionsOf(l)}); in.wants(m) {
			yield(m)
		}
		return nil
	})
	if err != nil || in.Namespace != "" && in.Namespace != lambda {
		return err
	}
	for _, src := range sources {
		if in.MetricName != "" && in.MetricName != src.metric {
			continue
		}
		err := s.read(ctx, from, to, []*labels.Matcher{oneOf(append([]string{src.series}, src.among...))}, func(l labels.Labels, _ iterator) error {
			for _, dims := range src.dimensions(l) {
				if m := (Metric{lambda, src.metric, dims}); in.wants(m) {
					yield(m)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (in ListMetricsInput) wants(m Metric) bool {
	for _, want := range in.Dimensions {
		has := slices.ContainsFunc(m.Dimensions, func(d Dimension) bool {
			return d.Name == want.Name && (want.Value == "" || d.Value == want.Value)
		})
		if !has {
			return false
		}
	}
	return true
}

func invalidToken() error {
	return fault.Coded(fault.Invalid, "InvalidNextToken", "The next token is none that was given.")
}
