package metric

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// opened is a series that has many samples at each start.
const opened = "dropstack_metrics_start_time_seconds"

// full are more samples than a chunk of the head takes, whatever is in it.
const full = 250

// anchor has the database's head write a file of chunks before anybody else uses it.
//
// A compaction that finds only files of chunks that can go counts them from 1 again,
// even if another goroutine has begun a file meanwhile; the next file then has a
// number that is taken, and the database panics ("expected newly cut file to have
// sequence:offset", seen with v0.316, with data that come out of order). A compaction
// lets the file stay that is being written, so it needs to be there.
func anchor(ctx context.Context, db *tsdb.DB, now time.Time) error {
	first := now.UnixMilli() - full
	if last := db.Head().MaxTime(); last != math.MinInt64 && last >= first {
		first = last + 1 // samples of the past may not fill a chunk
	}
	app := db.AppenderV2(ctx)
	series := labels.FromStrings(nameLabel, opened)
	var ref storage.SeriesRef
	for i := range int64(full) {
		next, err := app.Append(ref, series, 0, first+i, float64(now.Unix()), nil, nil, storage.AppendV2Options{})
		if err != nil {
			_ = app.Rollback()
			return fmt.Errorf("write the first samples: %w", err)
		}
		ref = next
	}
	if err := app.Commit(); err != nil {
		return fmt.Errorf("write the first samples: %w", err)
	}
	db.ForceHeadMMap()
	return nil
}
