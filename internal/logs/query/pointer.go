package query

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/dropstack/dropstack/internal/logs"
)

// pointerTo names a record for ever: by its group, its time and what it is.
func pointerTo(group string, at int64, stream, message string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(stream + "\x00" + message)) // never fails
	b := binary.BigEndian.AppendUint64(nil, uint64(at))
	b = binary.BigEndian.AppendUint64(b, h.Sum64())
	return base64.RawURLEncoding.EncodeToString(append(b, group...))
}

// GroupOfPointer is the group of the record that a pointer names, "" if it is none.
func GroupOfPointer(ptr string) string {
	b, err := base64.RawURLEncoding.DecodeString(ptr)
	if err != nil || len(b) <= 16 {
		return ""
	}
	return string(b[16:])
}

// Record finds the record that a pointer names, as all its fields; nil if it is kept
// no more.
func Record(ctx context.Context, source Source, ptr string) (map[string]string, error) {
	group := GroupOfPointer(ptr)
	if group == "" {
		return nil, invalid("logRecordPointer is none that a query has told.")
	}
	b, _ := base64.RawURLEncoding.DecodeString(ptr)
	at := int64(binary.BigEndian.Uint64(b))
	sel := logs.Selection{Groups: []string{group}, Start: time.Unix(0, at), End: time.Unix(0, at+1)}
	for batch, err := range source.Batches(ctx, sel) {
		if err != nil {
			return nil, err
		}
		message, stream := batch.Column(logs.FieldMessage), batch.Column(logs.FieldStream)
		for i := range batch.Len() {
			if batch.Group() != group || batch.Time(i) != at {
				continue
			}
			m, _ := message.At(i)
			s, _ := stream.At(i)
			if pointerTo(group, at, s, m) == ptr {
				return all(batch, i, ptr), nil
			}
		}
	}
	return nil, nil
}

// all is every field of a record.
func all(batch logs.Batch, i int, ptr string) map[string]string {
	fields := map[string]string{}
	for _, name := range batch.Names() {
		if v, ok := batch.Column(name).At(i); ok {
			fields[name] = v
		}
	}
	e := &env{batch: batch}
	fields[logs.FieldTimestamp] = strconv.FormatInt(batch.Time(i)/1e6, 10)
	fields[logs.FieldIngested] = fields[logs.FieldTimestamp]
	fields[logs.FieldGroup] = groupName{}.eval(e, i).String()
	fields[fieldPointer] = ptr
	return fields
}
