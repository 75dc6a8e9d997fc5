package server

import (
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/metric"
)

// recorder has functions measured.
type recorder struct {
	*metric.Functions
	streaks *metric.Streaks
}

// Ran says the same in the other room's words.
func (r recorder) Ran(run function.Run) {
	r.Functions.Ran(metric.Run(run))
	r.streaks.Ran(run.Function, run.ErrorType != "")
}
