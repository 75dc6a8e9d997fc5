package metric

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	promqlparser "github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"

	"github.com/dropstack/dropstack/internal/fault"
)

// Bounds of one question.
const (
	MaxSamples      = 50_000_000 // that a question may load, Prometheus' own default
	QuestionTimeout = 2 * time.Minute
	Lookback        = 5 * time.Minute // how old a sample may be that still answers
)

// Point is a value at a moment.
type Point struct {
	Time  time.Time
	Value float64
}

// Series is one answer of a question: labels, and its points in order of time. The
// name of the series is the label __name__.
type Series struct {
	Labels Labels
	Points []Point
}

func newEvaluator() *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{
		MaxSamples: MaxSamples, Timeout: QuestionTimeout, LookbackDelta: Lookback, Parser: Parser(),
		EnableAtModifier: true, EnableNegativeOffset: true,
	})
}

// Storage is the database for those who speak to the engine themselves: rules,
// and the Prometheus API.
func (s *Store) Storage() storage.Storage { return s.db }

// Evaluator is the engine that answers Instant and Range.
func (s *Store) Evaluator() *promql.Engine { return s.evaluator }

// Instant answers a PromQL question about a moment, or with a zero time about now, with
// what was measured until now: each series has one point. A scalar is a series without labels. An expression
// that cannot be read is fault.Invalid.
func (s *Store) Instant(ctx context.Context, expression string, at time.Time) ([]Series, error) {
	if err := s.Flush(ctx); err != nil {
		return nil, err
	}
	if at.IsZero() {
		at = time.Now() // after what was written just now
	}
	q, err := s.evaluator.NewInstantQuery(ctx, s.db, nil, expression, at)
	if err != nil {
		return nil, wrong(expression, err)
	}
	defer q.Close()
	return answer(expression, q.Exec(ctx))
}

// Range answers a PromQL question about every step from start to end.
func (s *Store) Range(ctx context.Context, expression string, start, end time.Time, step time.Duration) ([]Series, error) {
	if err := s.Flush(ctx); err != nil {
		return nil, err
	}
	q, err := s.evaluator.NewRangeQuery(ctx, s.db, nil, expression, start, end, step)
	if err != nil {
		return nil, wrong(expression, err)
	}
	defer q.Close()
	return answer(expression, q.Exec(ctx))
}

// Parser reads PromQL as the evaluator does.
func Parser() promqlparser.Parser { return promqlparser.NewParser(promqlparser.Options{}) }

func wrong(expression string, err error) error {
	return fault.Errorf(fault.Invalid, "%q is not PromQL: %w", expression, err)
}

// answer turns a result into series. Histograms are left out: questions take
// quantiles, sums or counts of them.
func answer(expression string, r *promql.Result) ([]Series, error) {
	if r.Err != nil {
		return nil, fmt.Errorf("evaluate %q: %w", expression, r.Err)
	}
	var list []Series
	switch v := r.Value.(type) {
	case promql.Scalar:
		list = append(list, Series{Labels: Labels{}, Points: []Point{{time.UnixMilli(v.T), v.V}}})
	case promql.Vector:
		for _, s := range v {
			if s.H == nil {
				list = append(list, Series{labelled(s.Metric), []Point{{time.UnixMilli(s.T), s.F}}})
			}
		}
	case promql.Matrix:
		for _, s := range v {
			points := make([]Point, len(s.Floats))
			for i, f := range s.Floats {
				points[i] = Point{time.UnixMilli(f.T), f.F}
			}
			if len(points) > 0 {
				list = append(list, Series{labelled(s.Metric), points})
			}
		}
	default:
		return nil, fault.Errorf(fault.Invalid, "%q answers a %s, which is no number", expression, r.Value.Type())
	}
	return list, nil
}

func labelled(l labels.Labels) Labels { return Labels(l.Map()) }
