package logs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// mixed are records of all forms.
func mixed(n int) []Record {
	random := rand.New(rand.NewPCG(1, 2))
	start := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	list := make([]Record, n)
	for i := range list {
		r := Record{Time: start.Add(time.Duration(random.IntN(1e9))), Group: "/g", Stream: fmt.Sprint("s", i%3)}
		id := fmt.Sprintf("%016x%016x", random.Uint64(), random.Uint64())
		switch i % 5 {
		case 0:
			r.Message = fmt.Sprintf(`{"id":"%s","level":"info","n":%d,"say":"a \"quoted\" thing\u000a%s","sub":{"x":[1,%d]}}`, id, i, id[:12], i%7)
		case 1:
			r.Message = fmt.Sprintf("GET\t/drops/%s\t200\t-", id)
			r.Fields = []Field{{"cs-method", "GET"}, {"cs-uri-stem", "/drops/" + id}, {"sc-status", "200"}, {"extra", ""}}
		case 2:
			r.Message, r.Request = "START RequestId: "+id+" Version: 3", id
		case 3:
			r.Message = strings.Repeat("so it goes ", i%4) + id[:9] + "größer \xff\x00"
		case 4:
			r.Message = fmt.Sprintf(`{"id":"%s","id":"twice","level":"\u0069nfo"}`, id)
		}
		list[i] = r
	}
	return list
}

func built(records []Record) *builder {
	b := newBuilder("/g")
	for i := range records {
		b.add(&records[i])
	}
	return b
}

func opened(t testing.TB, block []byte) (*table, *blockReader) {
	t.Helper()
	table, reader, err := readBlock(bytes.NewReader(block), int64(len(block)))
	if err != nil {
		t.Fatal(err)
	}
	return table, reader
}

func TestABlockHasWhatWasPutIntoIt(t *testing.T) {
	for _, n := range []int{1, 7, 20_000} {
		records := mixed(n)
		var e encoder
		places := []run{{0, 0}, {n / 2, uint64(n/2) + 90}}[:min(n, 2)]
		table, reader := opened(t, bytes.Clone(e.encode(built(records), places)))
		var buf []byte
		var got Record
		for i, want := range records {
			if got, buf = table.record(i, buf); !cmp.Equal(want, got) {
				t.Fatalf("%d of %d: %s", i, n, cmp.Diff(want, got))
			}
		}
		runs, err := reader.runs()
		if diff := cmp.Diff(places, runs, cmp.AllowUnexported(run{})); diff != "" || err != nil {
			t.Errorf("%s, %v", diff, err)
		}
		if table.err != nil {
			t.Error(table.err)
		}
	}
}

// TestNeedles looks for parts of messages of all lengths in a block and in memory.
func TestNeedles(t *testing.T) {
	records := mixed(3000)
	b := built(records)
	var e encoder
	block := bytes.Clone(e.encode(b, []run{{0, 0}}))
	random := rand.New(rand.NewPCG(3, 4))
	passed := 0
	for range 200 {
		m := records[random.IntN(len(records))].Message
		from := random.IntN(len(m))
		needle := m[from:min(len(m), from+1+random.IntN(40))]
		wrong := random.IntN(4) == 0
		if wrong {
			needle = strings.Map(func(r rune) rune {
				if r == '7' {
					return '%'
				}
				return r
			}, needle)
		}
		var want []string
		for _, r := range records {
			if strings.Contains(r.Message, needle) {
				want = append(want, r.Message)
			}
		}
		sel := &Selection{Has: []string{needle}}
		file, reader := opened(t, block)
		raw, err := reader.read(reader.filter)
		if err != nil {
			t.Fatal(err)
		}
		if sel.passes(raw) {
			passed++
			if len(want) > 0 {
				t.Fatalf("the filter passes over %q", needle)
			}
		}
		loud := []byte(needle)
		for i, c := range loud {
			if c >= 'a' && c <= 'z' {
				loud[i] = c - 'a' + 'A'
			}
		}
		if len(want) > 0 && (&Selection{Fold: []string{string(loud)}}).passes(raw) {
			t.Fatalf("the filter passes over %q in any case", loud)
		}
		for _, table := range []*table{file, b.snapshot()} {
			var got []string
			if batch := table.choose(sel, 0, 0).batch(); batch != nil {
				c := batch.Column(FieldMessage)
				for i := range batch.Len() {
					m, _ := c.At(i)
					got = append(got, m)
				}
			}
			if len(got) > certain { // some may be wrong
				got = slices.DeleteFunc(got, func(m string) bool { return !strings.Contains(m, needle) })
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%q: %s", needle, diff)
			}
		}
	}
	if passed == 0 {
		t.Error("the filter was never of use")
	}
}

func TestEqualAndTimes(t *testing.T) {
	records := mixed(1000)
	b := built(records)
	var e encoder
	block := bytes.Clone(e.encode(b, []run{{0, 0}}))
	middle := time.Date(2026, 11, 26, 0, 0, 0, 5e8, time.UTC)
	for name, c := range map[string]struct {
		sel  Selection
		want func(r Record) bool
	}{
		"all":            {Selection{}, func(Record) bool { return true }},
		"a stream":       {Selection{Equal: []Field{{FieldStream, "s1"}}}, func(r Record) bool { return r.Stream == "s1" }},
		"a request":      {Selection{Equal: []Field{{FieldRequest, records[7].Request}}}, func(r Record) bool { return r.Request == records[7].Request }},
		"a field":        {Selection{Equal: []Field{{"cs-method", "GET"}}}, func(r Record) bool { return strings.HasPrefix(r.Message, "GET") }},
		"no such column": {Selection{Equal: []Field{{"nothing", "GET"}}}, func(Record) bool { return false }},
		"no such value":  {Selection{Equal: []Field{{"level", "none"}}}, func(Record) bool { return false }},
		"of a time":      {Selection{Start: middle}, func(r Record) bool { return !r.Time.Before(middle) }},
		"until a time": {
			Selection{End: middle, Equal: []Field{{FieldStream, "s2"}}}, func(r Record) bool { return r.Time.Before(middle) && r.Stream == "s2" },
		},
	} {
		var want []string
		for _, r := range records {
			if c.want(r) {
				want = append(want, r.Message)
			}
		}
		file, _ := opened(t, block)
		for _, table := range []*table{file, b.snapshot()} {
			var got []string
			if batch := table.choose(&c.sel, 0, middle.UnixNano()*2).batch(); batch != nil {
				for i := range batch.Len() {
					m, _ := batch.Column(FieldMessage).At(i)
					got = append(got, m)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	}
}

// readAll reads all that there is in a block.
func readAll(block []byte) error {
	t, r, err := readBlock(bytes.NewReader(block), int64(len(block)))
	if err != nil {
		return err
	}
	if _, err := r.runs(); err != nil {
		return err
	}
	if _, err := r.read(r.filter); err != nil {
		return err
	}
	var buf []byte
	for i := range t.rows {
		if _, buf = t.record(i, buf); t.err != nil {
			return t.err
		}
	}
	for _, name := range t.Names() {
		t.Column(name)
	}
	return t.err
}

func TestADamagedBlockIsFoundOut(t *testing.T) {
	var e encoder
	block := bytes.Clone(e.encode(built(mixed(300)), []run{{0, 0}}))
	if err := readAll(block); err != nil {
		t.Fatal(err)
	}
	for at := len(blockMagic); at < len(block); at += 7 {
		damaged := bytes.Clone(block)
		damaged[at] ^= 0x10
		if readAll(damaged) == nil {
			t.Fatalf("byte %d of %d is wrong, and nobody sees it", at, len(block))
		}
		if readAll(block[:at]) == nil {
			t.Fatalf("the block is cut at %d of %d, and nobody sees it", at, len(block))
		}
	}
}

// FuzzBlock has a footer, and what the sections unpack to, be anything.
func FuzzBlock(f *testing.F) {
	var e encoder
	block := e.encode(built(mixed(50)), []run{{0, 0}})
	footer, end, err := readFooter(bytes.NewReader(block), int64(len(block)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bytes.Clone(block[:end]), bytes.Clone(footer))
	f.Fuzz(func(t *testing.T, sections, footer []byte) {
		b := append(bytes.Clone(sections), footer...)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(footer)))
		b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(footer, castagnoli))
		_ = readAll(append(b, blockMagic...))
	})
}
