package metric

import (
	"context"
	"fmt"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

type iterator = chunkenc.Iterator

const none = chunkenc.ValNone

// read visits the series that match, with their samples between two moments, both
// included.
func (s *Store) read(ctx context.Context, from, to int64, ms []*labels.Matcher, visit func(l labels.Labels, samples iterator) error) error {
	q, err := s.db.Querier(from, to)
	if err != nil {
		return fmt.Errorf("read metrics: %w", err)
	}
	defer q.Close()
	set := q.Select(ctx, false, nil, ms...)
	var samples iterator
	for set.Next() {
		series := set.At()
		samples = series.Iterator(samples)
		if err := visit(series.Labels(), samples); err != nil {
			return fmt.Errorf("read metrics: %w", err)
		}
	}
	if err := set.Err(); err != nil {
		return fmt.Errorf("read metrics: %w", err)
	}
	return nil
}

// having matches the series that have these labels, if others besides.
func having(l Labels, names ...string) []*labels.Matcher {
	ms := []*labels.Matcher{oneOf(names)}
	for k, v := range l {
		ms = append(ms, equal(k, v))
	}
	return ms
}

func equal(name, value string) *labels.Matcher {
	return labels.MustNewMatcher(labels.MatchEqual, name, value)
}

// oneOf matches any of the names, which hold no character that means something.
func oneOf(names []string) *labels.Matcher {
	return labels.MustNewMatcher(labels.MatchRegexp, nameLabel, strings.Join(names, "|"))
}
