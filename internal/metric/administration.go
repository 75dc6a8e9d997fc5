package metric

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/tsdb"
)

// Registry has what the database measures of itself.
func (s *Store) Registry() *prometheus.Registry { return s.registry }

// Administration is the database for those who ask how it is.
func (s *Store) Administration() *Administration { return &Administration{s.db} }

// Administration tells of the database what the Prometheus API wants to know.
type Administration struct{ *tsdb.DB }

// Stats are the names and labels that have the most series.
func (a *Administration) Stats(label string, limit int) (*tsdb.Stats, error) {
	return a.Head().Stats(label, limit), nil
}

// WALReplayStatus is that of a log that has been read: the platform is not up before.
func (a *Administration) WALReplayStatus() (tsdb.WALReplayStatus, error) {
	return tsdb.WALReplayStatus{}, nil
}

// BlockMetas describe the blocks on disk.
func (a *Administration) BlockMetas() ([]tsdb.BlockMeta, error) { return a.DB.BlockMetas(), nil }
