package query

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
)

type oneBatch struct{ logs.Batch }

func (b oneBatch) Batches(context.Context, logs.Selection) iter.Seq2[logs.Batch, error] {
	return func(yield func(logs.Batch, error) bool) { yield(b.Batch, nil) }
}

// TestFieldsOfFieldsHaveBounds has each field use the one before twice.
func TestFieldsOfFieldsHaveBounds(t *testing.T) {
	var q strings.Builder
	q.WriteString("fields a as f0")
	for i := range 40 {
		fmt.Fprintf(&q, " | fields f%d + f%d as f%d", i, i, i+1)
	}
	_, err := (&StartQueryInput{LogGroupName: "/g", QueryString: q.String()}).check()
	if fault.CodeOf(err) != "MalformedQueryException" {
		t.Errorf("got %v", err)
	}
}

// TestTextsDoNotGrowWithoutEnd has each text be much longer than the one before.
func TestTextsDoNotGrowWithoutEnd(t *testing.T) {
	b := logs.NewBatch("/g", []logs.Record{{Time: time.Unix(1, 0), Stream: "s", Message: strings.Repeat("a", 1000)}})
	for name, text := range map[string]string{
		"replace": "fields strlen(replace(replace(replace(replace(@message, 'a', @message), 'a', @message), 'a', @message), 'a', @message)) as n",
		"concat":  "stats max(@message) as m0 by @log" + grow(40) + " | fields strlen(m40) as n",
	} {
		q, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Run(t.Context(), oneBatch{b}, q, Range{}, nil)
		if err != nil || len(r.Rows) != 1 {
			t.Fatalf("%s: got %d rows, %v", name, len(r.Rows), err)
		}
		if n := r.Rows[0][len(r.Rows[0])-1]; n.kind == Number && n.n > maxMade {
			t.Errorf("%s: a text of %v letters", name, n)
		}
	}
}

func grow(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " | fields concat(m%d, m%d) as m%d", i, i, i+1)
	}
	return b.String()
}

// TestATimeWithoutEnd asks until a time that is too late to be counted in nanoseconds.
func TestATimeWithoutEnd(t *testing.T) {
	b := logs.NewBatch("/g", []logs.Record{{Time: time.Unix(1, 0), Stream: "s", Message: "one"}})
	q, err := Parse("fields @message")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), oneBatch{b}, q, Range{Start: time.Unix(0, 0), End: time.UnixMilli(9999999999999)}, nil)
	if err != nil || len(r.Rows) != 1 {
		t.Errorf("got %d rows, %v", len(r.Rows), err)
	}
}
