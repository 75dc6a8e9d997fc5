// Package ingest brings the logs that others have written into the log store:
// objects in buckets, and files that somebody has.
//
// An object is read line by line and stored as one import, which the store does once
// for an ID: bucket, key and ETag. So an object may be told of twice, and a crash in
// its midst leaves either none of its lines or all of them. What is to be imported as
// it comes is declared (Source); the change of such an object is answered when it is
// in a queue on disk, which is worked off however often it takes (queue.go).
//
// Lines are kept as they are; their fields have the names of their format's
// documentation (format.go). Those of CloudFront's standard log become what the edge's
// own are, so that one question is about both.
//
// Stored, on the durable server:
//
//	stream  log-imports   objects that are to be imported, subject log-imports.<hash of the ID>
package ingest

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
)

// Store is what importing needs of the log store.
type Store interface {
	// Import stores all records or none, and the second time with an id nothing.
	Import(ctx context.Context, id string, records iter.Seq2[logs.Record, error]) (imported bool, n int, err error)
}

// Objects is what importing needs of the object store.
type Objects interface {
	Get(ctx context.Context, bucket, key string, offset, length int64) (engine.Object, io.ReadCloser, error)
}

// Importer imports. Its methods may be called at the same time.
type Importer struct {
	Store   Store
	Objects Objects
	Streams jetstream.JetStream // of the durable server; for OnObject and Run
	Log     *slog.Logger
	// CloudFront makes what parses the lines of a file of CloudFront's standard log.
	CloudFront func() Parser
	// Own says that an object was written by this platform's own edge, whose requests
	// are in the store already. Optional.
	Own func(bucket, key string) bool

	current atomic.Pointer[sources]
	change  sync.Mutex // serialises Replace
	opening sync.Mutex
	opened  jetstream.Stream
}

// Input names an object to import. The caller must be allowed to read it.
type Input struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
	Format string `json:"format,omitempty"` // one of Formats; "" and Auto: by its first line
	Group  string `json:"group,omitempty"`  // of the records; "": what the format says
	ID     string `json:"id,omitempty"`     // of two imports with one the second does nothing; "": bucket, key and ETag
}

// Output is what was imported.
type Output struct {
	Imported bool   `json:"imported"` // false: it was there already
	Format   string `json:"format,omitempty"`
	Lines    int    `json:"lines"`             // that became records
	Skipped  int    `json:"skipped,omitempty"` // that are none of the format
	Problem  string `json:"problem,omitempty"` // of the first of those
	Bytes    int64  `json:"bytes"`             // of the object as it is stored
	Own      bool   `json:"own,omitempty"`     // it is this platform's own log, which needs no import
}

// Import imports an object. A line that is none of the format is passed over, but a
// file with no other is an error.
func (im *Importer) Import(ctx context.Context, in Input) (Output, error) {
	if in.Bucket == "" || in.Key == "" {
		return Output{}, fault.Errorf(fault.Invalid, "an import names a bucket and the key of an object")
	}
	if err := checkFormat(in.Format); err != nil {
		return Output{}, err
	}
	if im.Own != nil && im.Own(in.Bucket, in.Key) {
		return Output{Own: true}, nil
	}
	object, body, err := im.Objects.Get(ctx, in.Bucket, in.Key, 0, -1)
	if err != nil {
		return Output{}, fmt.Errorf("import %s/%s: %w", in.Bucket, in.Key, err)
	}
	defer body.Close()
	f := &file{name: in.Key, bucket: in.Bucket, format: in.Format, group: in.Group, importer: im}
	id := cmp.Or(in.ID, in.Bucket+"/"+in.Key+"#"+object.ETag)
	imported, n, err := im.Store.Import(ctx, id, f.records(body))
	if err != nil {
		return Output{}, fmt.Errorf("import %s/%s: %w", in.Bucket, in.Key, err)
	}
	return Output{Imported: imported, Format: f.format, Lines: n, Skipped: f.skipped, Problem: f.problem, Bytes: object.Size}, nil
}

// maxLine is the longest line that is read.
const maxLine = 1 << 20

// file is a log file being read.
type file struct {
	name, bucket  string
	format, group string
	importer      *Importer

	parser  Parser
	n       int // lines so far
	skipped int
	problem string
}

// records reads the file, gzipped or not. An error ends it.
func (f *file) records(r io.Reader) iter.Seq2[logs.Record, error] {
	return func(yield func(logs.Record, error) bool) {
		in, err := unzipped(r)
		if err != nil {
			yield(logs.Record{}, err)
			return
		}
		lines := bufio.NewScanner(in)
		lines.Buffer(make([]byte, 0, 64<<10), maxLine)
		good := 0
		for lines.Scan() {
			f.n++
			record, ok, err := f.line(string(bytes.TrimSuffix(lines.Bytes(), []byte("\r"))))
			if err != nil {
				yield(logs.Record{}, err)
				return
			}
			if !ok {
				continue
			}
			good++
			if !yield(record, nil) {
				return
			}
		}
		switch err := lines.Err(); {
		case err != nil:
			yield(logs.Record{}, fault.Errorf(fault.Invalid, "after line %d: %w", f.n, err))
		case good == 0 && f.skipped > 0:
			yield(logs.Record{}, fault.Errorf(fault.Invalid, "no line of it is of the format %s: %s", f.format, f.problem))
		}
	}
}

// line makes a record of a line; ok is false for what is none.
func (f *file) line(text string) (r logs.Record, ok bool, err error) {
	if text == "" {
		return r, false, nil
	}
	if f.parser == nil {
		if f.format == "" || f.format == Auto {
			if f.format = detect(text); f.format == "" {
				return r, false, fault.Errorf(fault.Invalid, "line %d begins like no format that is known here (%s); name it if it is one of them", f.n, formatList())
			}
		}
		f.parser = f.importer.parser(f.format)
	}
	r, ok, err = f.parser.Parse(text)
	if err != nil {
		if f.skipped++; f.problem == "" {
			f.problem = fmt.Sprintf("line %d: %v", f.n, err)
		}
		return r, false, nil
	}
	if !ok {
		return r, false, nil
	}
	switch {
	case f.group != "":
		r.Group = f.group
	case f.format == CloudFront || r.Group == "":
		f.group = groupOf(f.bucket, f.name)
		r.Group = f.group
	}
	if r.Stream == "" {
		r.Stream = f.bucket
	}
	return r, true, nil
}

// unzipped is what a file holds.
func unzipped(r io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	magic, _ := in.Peek(2) // of a shorter file nothing is to be unzipped
	if !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return in, nil
	}
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "it begins like a gzip file and is none: %w", err)
	}
	return z, nil
}
