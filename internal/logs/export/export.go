// Package export writes log records as Parquet files, which DuckDB, Spark, Athena and
// others read.
//
// There is a file of each group and hour, GROUP/YYYY-MM-DD-HH.parquet, and more of an
// hour with many records, GROUP/YYYY-MM-DD-HH-1.parquet and so on. The columns are the
// fields that the records have, with the names that queries have for them. Their types
// are those of the values within the file: whole numbers, numbers, else text; a field
// that a record does not have is NULL. Pages are compressed with zstd.
package export

import (
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/wire"
)

// Records is what exporting needs of the log store.
type Records interface {
	Batches(ctx context.Context, s logs.Selection) iter.Seq2[logs.Batch, error]
}

// Objects is what exporting needs of the object store.
type Objects interface {
	Put(ctx context.Context, bucket, key string, r io.Reader, size int64, o engine.PutOptions) (engine.Object, error)
}

// Exporter exports. Its methods may be called at the same time.
type Exporter struct {
	Records Records
	Objects Objects
}

// Input says what is exported, and where to. The caller must be allowed to read the
// groups and to write there.
type Input struct {
	Groups []string  `json:"groups"`           // names
	Start  wire.Time `json:"start"`            // inclusive
	End    wire.Time `json:"end,omitzero"`     // exclusive; zero: now
	Bucket string    `json:"bucket"`           // exists
	Prefix string    `json:"prefix,omitempty"` // of the keys
}

// File is a file that was written.
type File struct {
	Key   string `json:"key"`
	Rows  int    `json:"rows"`
	Bytes int64  `json:"bytes"`
}

// Output is what was written, in the order of the hours.
type Output struct {
	Files []File `json:"files"`
	Rows  int    `json:"rows"`
}

// Bounds of an export, and of a file.
const (
	longest    = 400 * 24 * time.Hour
	maxGroups  = 1000
	maxRows    = 200_000
	maxColumns = 1000
)

// Export writes what the groups have of a time. When it fails, what it has written
// before stays; written again it is the same.
func (x *Exporter) Export(ctx context.Context, in Input) (Output, error) {
	end := in.End.Time
	if end.IsZero() {
		end = time.Now()
	}
	start := in.Start.Time
	switch {
	case in.Bucket == "":
		return Output{}, fault.Errorf(fault.Invalid, "an export names a bucket")
	case len(in.Groups) == 0 || len(in.Groups) > maxGroups:
		return Output{}, fault.Errorf(fault.Invalid, "an export names 1 to %d log groups, not %d", maxGroups, len(in.Groups))
	case start.IsZero() || !start.Before(end) || end.Sub(start) > longest:
		return Output{}, fault.Errorf(fault.Invalid, "an export is of a time that begins before it ends, and is no longer than 400 days")
	}
	out := Output{Files: []File{}}
	for hour := start.Truncate(time.Hour); hour.Before(end); hour = hour.Add(time.Hour) {
		e := &hourly{Exporter: x, in: in, hour: hour, tables: map[string]*table{}, parts: map[string]int{}}
		if err := e.export(ctx, later(hour, start), earlier(hour.Add(time.Hour), end), &out); err != nil {
			return out, fmt.Errorf("export the logs of %s: %w", hour.UTC().Format("2006-01-02 15h"), err)
		}
	}
	return out, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// hourly is the export of one hour.
type hourly struct {
	*Exporter
	in     Input
	hour   time.Time
	tables map[string]*table // by group
	parts  map[string]int    // files that a group has of the hour
}

func (e *hourly) export(ctx context.Context, start, end time.Time, out *Output) error {
	for b, err := range e.Records.Batches(ctx, logs.Selection{Groups: e.in.Groups, Start: start, End: end}) {
		if err != nil {
			return err
		}
		group := b.Group()
		if !slices.Contains(e.in.Groups, group) {
			continue
		}
		t := e.tables[group]
		if t == nil {
			t = newTable()
			e.tables[group] = t
		}
		t.add(b, start.UnixNano(), end.UnixNano())
		if t.rows() >= maxRows {
			if err := e.write(ctx, group, out); err != nil {
				return err
			}
		}
	}
	for _, group := range slices.Sorted(maps.Keys(e.tables)) {
		if e.tables[group].rows() == 0 {
			continue
		}
		if err := e.write(ctx, group, out); err != nil {
			return err
		}
	}
	return nil
}

// write writes what was gathered of a group, and begins anew.
func (e *hourly) write(ctx context.Context, group string, out *Output) error {
	t := e.tables[group]
	delete(e.tables, group)
	key := strings.TrimPrefix(group, "/") + "/" + e.hour.UTC().Format("2006-01-02-15")
	if n := e.parts[group]; n > 0 {
		key += "-" + strconv.Itoa(n)
	}
	e.parts[group]++
	if key += ".parquet"; e.in.Prefix != "" {
		key = strings.TrimSuffix(e.in.Prefix, "/") + "/" + key
	}
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := t.write(w)
		_ = w.CloseWithError(err)
		written <- err
	}()
	object, err := e.Objects.Put(ctx, e.in.Bucket, key, r, -1, engine.PutOptions{ContentType: "application/vnd.apache.parquet"})
	_ = r.CloseWithError(io.ErrClosedPipe) // a store that has failed reads no more
	if failed := <-written; err == nil {
		err = failed
	}
	if err != nil {
		return fmt.Errorf("write %s/%s: %w", e.in.Bucket, key, err)
	}
	out.Files = append(out.Files, File{Key: key, Rows: t.rows(), Bytes: object.Size})
	out.Rows += t.rows()
	return nil
}
