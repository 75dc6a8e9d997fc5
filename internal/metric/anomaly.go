package metric

import (
	"sync"

	"github.com/prometheus/prometheus/promql"
	promqlparser "github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/util/annotations"

	"github.com/dropstack/dropstack/internal/metric/anomaly"
)

// PromQL has no functions that know what is usual, so it gets some, each in three
// modes (basic, agile, robust):
//
//	anomaly_MODE(v range-vector[, least scalar])   by how many deviations the newest value
//	                                               of the range is unusual; 0 below a volume
//	anomaly_MODE_expected(v range-vector)          what was to be expected of it
//	anomaly_MODE_deviation(v range-vector)         the usual distance from that
//
// A series of which too little is known gives none of them. Seasons take a range of
// three days at least; two to four weeks are better.
func init() { registerAnomalies() }

// registerAnomalies is done before anything is parsed: the tables are the engine's
// own, and not guarded.
var registerAnomalies = sync.OnceFunc(func() {
	for _, mode := range []anomaly.Mode{anomaly.Basic, anomaly.Agile, anomaly.Robust} {
		name := "anomaly_" + mode.String()
		register(name, mode, func(v anomaly.Verdict, least float64) float64 { return v.Score(least) }, promqlparser.ValueTypeScalar)
		register(name+"_expected", mode, func(v anomaly.Verdict, _ float64) float64 { return v.Expected })
		register(name+"_deviation", mode, func(v anomaly.Verdict, _ float64) float64 { return v.Deviation })
	}
})

func register(name string, mode anomaly.Mode, of func(v anomaly.Verdict, least float64) float64, more ...promqlparser.ValueType) {
	promqlparser.Functions[name] = &promqlparser.Function{
		Name: name, ArgTypes: append([]promqlparser.ValueType{promqlparser.ValueTypeMatrix}, more...), Variadic: len(more), ReturnType: promqlparser.ValueTypeVector,
	}
	promql.FunctionCalls[name] = func(scalars []promql.Vector, m promql.Matrix, _ promqlparser.Expressions, enh *promql.EvalNodeHelper) (promql.Vector, annotations.Annotations) {
		if len(m) == 0 || len(m[0].Floats) == 0 {
			return enh.Out, nil
		}
		points := make([]anomaly.Point, len(m[0].Floats))
		for i, f := range m[0].Floats {
			points[i] = anomaly.Point{Time: f.T, Value: f.F}
		}
		v, ok := anomaly.Judge(mode, points)
		if !ok {
			return enh.Out, nil
		}
		var least float64
		if len(scalars) > 0 && len(scalars[0]) > 0 {
			least = scalars[0][0].F
		}
		return append(enh.Out, promql.Sample{F: of(v, least)}), nil
	}
}
