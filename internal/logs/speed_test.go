package logs

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// requests are a block's lines as the edge writes them.
func requests() []Record {
	random := rand.New(rand.NewPCG(5, 6))
	clients := rand.NewZipf(random, 1.2, 8, 19_999)
	list := make([]Record, maxRows)
	for i := range list {
		c, id := clients.Uint64(), fmt.Sprintf("%016x%016x%016x", random.Uint64(), random.Uint64(), random.Uint64())
		list[i] = Record{
			Time: time.Unix(1_800_000_000, int64(i)*1e6), Group: EdgeGroup, Stream: "LOC1-P1", Request: id,
			Message: fmt.Sprintf(`{"date":"2026-11-26","time":"12:00:%02d","x-edge-location":"LOC1-P1","sc-bytes":%d,"c-ip":"10.%d.%d.%d","cs-method":"GET",`+
				`"cs(Host)":"d111111abcdef8.cloudfront.localhost","cs-uri-stem":"/drops/%x","sc-status":%d,"cs(User-Agent)":"Mozilla/5.0 (X11; Linux x86_64) Chrome/%d.0",`+
				`"x-edge-result-type":"Hit","x-edge-request-id":"%s","x-host-header":"www.example.com","cs-protocol":"https","cs-bytes":%d,"time-taken":0.%03d,"c-port":%d}`,
				i/1000%60, 400+random.IntN(50_000), c%200, c/200%200, c%251, clients.Uint64()*7919, []int{200, 304, 404}[random.IntN(3)], 60+i%80, id, 30+random.IntN(500), random.IntN(999), 1024+random.IntN(60_000)),
		}
	}
	return list
}

// BenchmarkBlock makes and asks a block of 65,536 lines.
func BenchmarkBlock(b *testing.B) {
	records := requests()
	everything := &piece{block: &block{}}
	lines := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/maxRows, "ns/line")
	}
	b.Run("columns", func(b *testing.B) {
		for b.Loop() {
			built(records)
		}
		lines(b)
	})
	columns, e := built(records), encoder{}
	var encoded []byte
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			encoded = e.encode(columns, []run{{0, 0}})
		}
		lines(b)
		b.ReportMetric(float64(len(encoded))/maxRows, "B/line")
	})
	b.Run("clients", func(b *testing.B) {
		for b.Loop() {
			t, _ := opened(b, encoded)
			t.Column("c-ip")
		}
	})
	for name, needle := range map[string]string{"needle": records[4000].Request, "no needle": "Th1s1sN0tThere", "short needle": "zz!zz"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				t, r := opened(b, encoded)
				p := &pieceReader{table: t, block: r, piece: everything}
				if _, err := p.choose(&Selection{Has: []string{needle}}, view{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("messages", func(b *testing.B) {
		for b.Loop() {
			t, _ := opened(b, encoded)
			t.messages()
		}
		lines(b)
	})
}
