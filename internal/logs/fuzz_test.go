package logs

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// FuzzMessages has messages, and fields of theirs, come back as they were, and be found
// by a part of them.
func FuzzMessages(f *testing.F) {
	for _, r := range mixed(10) {
		f.Add(r.Message+"\n"+r.Message, "GET\n200", r.Message[len(r.Message)/2:])
	}
	f.Add(`{"a":1,"a":1}`+"\n"+`{"a":1,"b":{"c":[true,null,"\ud800"]}}`, "1\ntrue", `"c":[tr`)
	f.Add("{\"a\":\"x\\u000ay\"}\n{\"a\":\"z\"}", "", "000ay")
	f.Fuzz(comeBack)
}

func comeBack(t *testing.T, messages, fields, needle string) {
	var records []Record
	for m := range strings.Lines(messages) {
		r := Record{Time: time.Unix(1, 0), Group: "/g", Message: m}
		for i, v := range strings.Split(fields, "\n") {
			if i < 50 && len(records)%2 == 0 {
				r.Fields = append(r.Fields, Field{"abcde"[i%5 : i%5+1], v})
			}
		}
		records = append(records, r)
	}
	if len(records) == 0 || len(records) > 1000 {
		return
	}
	b := built(records)
	var e encoder
	encoded := e.encode(b, []run{{0, 0}})
	file, reader := opened(t, encoded)
	for _, table := range []*table{b.snapshot(), file} {
		var got Record
		var buf []byte
		for i, want := range records {
			want.Fields = firsts(want.Fields)
			if got, buf = table.record(i, buf); !cmp.Equal(want, got) || table.err != nil {
				t.Fatalf("%v %s", table.err, cmp.Diff(want, got))
			}
		}
	}
	sel := &Selection{Has: []string{needle}}
	raw, err := reader.read(reader.filter)
	if err != nil {
		t.Fatal(err)
	}
	var want, found int
	for _, r := range records {
		if strings.Contains(r.Message, needle) {
			want++
		}
	}
	if batch := file.choose(sel, 0, 0).batch(); batch != nil {
		for i := range batch.Len() {
			if m, _ := batch.Column(FieldMessage).At(i); strings.Contains(m, needle) {
				found++
			}
		}
	}
	if found != want || want > 0 && sel.passes(raw) {
		t.Fatalf("%q: found %d times of %d, passed over: %v", needle, found, want, sel.passes(raw))
	}
}

// firsts are the fields without those of a name that was there before.
func firsts(fields []Field) (list []Field) {
	seen := map[string]bool{}
	for _, f := range fields {
		if !seen[f.Name] {
			list = append(list, f)
		}
		seen[f.Name] = true
	}
	return list
}

// FuzzFrame reads what is no frame, and frames with damage of which the checksum knows
// nothing.
func FuzzFrame(f *testing.F) {
	var fr framer
	whole := fr.append(nil, chunked(mixed(20)))
	f.Add(whole)
	f.Add(append(bytes.Clone(whole), whole...))
	f.Fuzz(func(t *testing.T, b []byte) {
		for rest := b; len(rest) > 0; {
			chunks, after, err := readFrame(rest)
			if err == nil {
				again, _, err := readFrame(fr.append(nil, chunks))
				if diff := cmp.Diff(chunks, again, cmp.AllowUnexported(chunk{})); diff != "" || err != nil {
					t.Fatalf("%v %s", err, diff)
				}
			}
			rest = after
		}
	})
}
