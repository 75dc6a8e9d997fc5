package promapi

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/dropstack/dropstack/internal/metric"
)

// Exposition answers /metrics with what the platform's instruments stand at: as
// text, as OpenMetrics, or in the protobuf form that has native histograms, whichever
// is asked for. The database and what sends tell of themselves with it.
func Exposition(s *metric.Store) http.Handler {
	return promhttp.HandlerFor(prometheus.Gatherers{s, s.Registry()}, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn), EnableOpenMetrics: true})
}
