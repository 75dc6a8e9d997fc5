package logs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/logs"
)

// values are those of a column, "-" for none.
func values(b logs.Batch, name string) []string {
	c := b.Column(name)
	list := make([]string, b.Len())
	for i := range list {
		v, ok := c.At(i)
		if list[i] = v; !ok {
			list[i] = "-"
		}
	}
	return list
}

func said(messages ...string) []logs.Record {
	var list []logs.Record
	for i, m := range messages {
		list = append(list, logs.Record{Time: base.Add(time.Duration(i)), Group: "g", Stream: "s", Message: m})
	}
	return list
}

func TestColumnsOfABatch(t *testing.T) {
	records := said(
		`{"level":"info","ms":12,"user":{"name":"a \"b\"","tags":["x","y"]},"ok":true,"none":null}`,
		`{"level":"warn", "ms": 1.5e3}`,
		`plain text`,
		`{"level":"info","level":"again"}`,
		`{"broken":`,
		"{\"level\":\"\\u0041\"}",
	)
	records[2].Request = "r1"
	records = append(records, logs.Record{
		Time: base, Group: "g", Stream: "t", Message: "GET /a\t200", Fields: []logs.Field{{Name: "method", Value: "GET"}, {Name: "level", Value: "edge"}},
	})
	b := logs.NewBatch("g", records)
	for name, want := range map[string]string{
		"level": "info,warn,-,info,-,A,edge", "ms": "12,1.5e3,-,-,-,-,-", "user.name": `a "b",-,-,-,-,-,-`, "user.tags.1": "y,-,-,-,-,-,-",
		"ok": "true,-,-,-,-,-,-", "method": "-,-,-,-,-,-,GET", logs.FieldGroup: "g,g,g,g,g,g,g", logs.FieldStream: "s,s,s,s,s,s,t", logs.FieldRequest: "-,-,r1,-,-,-,-",
	} {
		if got := strings.Join(values(b, name), ","); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	for i, got := range values(b, logs.FieldMessage) {
		if got != records[i].Message {
			t.Errorf("message %d: got %s, want %s", i, got, records[i].Message)
		}
	}
	if b.Column("nothing") != nil {
		t.Error("a column that no record has is there")
	}
	if diff := cmp.Diff([]string{"@log", "@logStream", "@message", "@requestId", "@timestamp", "level", "method", "ms", "ok", "user.name", "user.tags.0", "user.tags.1"}, b.Names()); diff != "" {
		t.Error(diff)
	}
	if b.Len() != len(records) || b.Time(1) != base.Add(1).UnixNano() {
		t.Errorf("got %d records, the second at %d", b.Len(), b.Time(1))
	}
}

// TestMembersBeyondTheBounds has more members than there may be columns.
func TestMembersBeyondTheBounds(t *testing.T) {
	var messages []string
	for i := range 1200 {
		messages = append(messages, fmt.Sprintf(`{"same":"s","n%d":%d,"long":%q}`, i, i, strings.Repeat("x", 9000*(i%2))))
	}
	b := logs.NewBatch("g", said(messages...))
	for _, n := range []int{3, 1100, 1199} {
		got := values(b, fmt.Sprint("n", n))
		if got[n] != fmt.Sprint(n) || got[n-1] != "-" {
			t.Errorf("n%d: got %s after %s", n, got[n], got[n-1])
		}
	}
	if got := values(b, "long"); len(got[1]) != 9000 || got[2] != "" {
		t.Errorf("a long value: got %d characters", len(got[1]))
	}
	if diff := cmp.Diff(messages, values(b, logs.FieldMessage)); diff != "" {
		t.Error(diff)
	}
}
