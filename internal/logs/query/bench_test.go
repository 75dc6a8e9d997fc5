package query_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/query"
)

// day is a million records of an edge, with a needle among them.
var day = sync.OnceValue(func() *memory {
	const batches, size = 16, 62_500
	r := rand.New(rand.NewPCG(1, 2))
	m := &memory{}
	clients := rand.NewZipf(r, 1.1, 10, 20_000)
	for b := range batches {
		next := &batch{group: "/aws/cloudfront/E1", columns: map[string]*logs.Column{}}
		columns := map[string]*logs.Column{}
		codes := map[string]map[string]uint32{}
		set := func(name, v string) {
			c := columns[name]
			if c == nil {
				c = &logs.Column{}
				columns[name], codes[name] = c, map[string]uint32{}
			}
			code, ok := codes[name][v]
			if !ok {
				c.Values = append(c.Values, v)
				code = uint32(len(c.Values))
				codes[name][v] = code
			}
			c.Codes = append(c.Codes, code)
		}
		message := &logs.Column{}
		for i := range size {
			at := noon.Add(time.Duration(b*size+i) * 86400 * time.Microsecond)
			ip := fmt.Sprintf("10.%d.%d.%d", clients.Uint64()%200, clients.Uint64()%200, 7)
			status := []string{"200", "200", "200", "200", "304", "404", "500"}[r.IntN(7)]
			took := fmt.Sprintf("%.3f", r.ExpFloat64()/10)
			path := fmt.Sprintf("/d/%05x", clients.Uint64())
			id := fmt.Sprintf("%016x", r.Uint64())
			if b == 7 && i == 1234 {
				id = "NeedleInTheStack"
			}
			next.times = append(next.times, at.UnixNano())
			set("c-ip", ip)
			set("sc-status", status)
			set("time-taken", took)
			set("cs-uri-stem", path)
			set("x-edge-location", "FRA2-C1")
			message.Values = append(message.Values, strings.Join([]string{
				at.Format("2006-01-02\t15:04:05"), "FRA2-C1", "1045", ip, "GET", "d111111abcdef8.cloudfront.net", path, status,
				"-", "Mozilla/5.0%20(X11;%20Linux%20x86_64)%20AppleWebKit/537.36", "-", "-", "Hit", id, "drops.example.com", "https", took,
			}, "\t"))
		}
		for name, c := range columns {
			next.columns[name] = c
		}
		next.columns[logs.FieldMessage] = message
		m.batches = append(m.batches, next)
	}
	return m
})

func BenchmarkAMillionRecords(b *testing.B) {
	for _, c := range []struct{ name, query string }{
		{"count by client", "stats count(*) as n by c-ip | sort n desc | limit 10"},
		{"needle", "needleinthestack"},
		{"needle, exactly", `"NeedleInTheStack"`},
		{"statistics by time", "stats count(*), avg(time-taken), pct(time-taken, 95) by bin(5m)"},
		{"filter, sort, limit", "sc-status:5* time-taken:>0.2 | sort time-taken desc | limit 20"},
		{"by two columns", "stats count(*) by sc-status, cs-uri-stem"},
		{"distinct", "stats count_distinct(c-ip) by bin(1h)"},
		{"newest", "sc-status:404 | limit 50"},
		{"regular expression", `parse /"?Hit\t(?<id>[0-9a-f]+)/ | stats count(id)`},
	} {
		b.Run(c.name, func(b *testing.B) {
			m := day()
			q, err := query.Parse(c.query)
			if err != nil {
				b.Fatal(err)
			}
			before := processorTime(b)
			for b.Loop() {
				if _, err := query.Run(b.Context(), m, q, query.Range{}, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((processorTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
}

// processorTime is what the process has used, which other load on the machine does not
// change much.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
