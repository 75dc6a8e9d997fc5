package logs

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// requests are n lines as CloudFront's standard log has them, of a day.
func requests(n int, jsonForm bool) []Record {
	random := rand.New(rand.NewPCG(5, 6))
	start := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	agents := make([]string, 300)
	for i := range agents {
		agents[i] = fmt.Sprintf("Mozilla/5.0%%20(Windows%%20NT%%2010.0;%%20Win64;%%20x64)%%20AppleWebKit/537.36%%20Chrome/%d.0.%d", 60+i%80, i)
	}
	zipf := rand.NewZipf(random, 1.2, 8, 19_999)
	list := make([]Record, n)
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	id := make([]byte, 54)
	for i := range list {
		at := start.Add(time.Duration(i) * 24 * time.Hour / time.Duration(n))
		for k := range id {
			id[k] = alphabet[random.Uint64()&63]
		}
		c := zipf.Uint64()
		names := []string{"date", "time", "x-edge-location", "sc-bytes", "c-ip", "cs-method", "cs(Host)", "cs-uri-stem", "sc-status", "cs(Referer)", "cs(User-Agent)", "cs-uri-query", "cs(Cookie)", "x-edge-result-type", "x-edge-request-id", "x-host-header", "cs-protocol", "cs-bytes", "time-taken", "x-forwarded-for", "ssl-protocol", "ssl-cipher", "x-edge-response-result-type", "cs-protocol-version", "fle-status", "fle-encrypted-fields", "c-port", "time-to-first-byte", "x-edge-detailed-result-type", "sc-content-type", "sc-content-len", "sc-range-start", "sc-range-end"}
		values := []string{
			at.Format(time.DateOnly), at.Format(time.TimeOnly), "LOC1-P1", fmt.Sprint(400 + random.IntN(50000)), fmt.Sprintf("10.%d.%d.%d", c%200, c/200%200, c%251),
			"GET", "d1234.cloudfront.net", fmt.Sprintf("/drops/%x", zipf.Uint64()*7919), []string{"200", "200", "200", "304", "404", "206"}[random.IntN(6)], "-",
			agents[zipf.Uint64()%300], "-", "-", []string{"Hit", "Hit", "Miss", "Error"}[random.IntN(4)], string(id) + "==", "www.example.com", "https",
			fmt.Sprint(30 + random.IntN(500)), fmt.Sprintf("0.%03d", random.IntN(999)), "-", "TLSv1.3", "TLS_AES_128_GCM_SHA256", "Hit", "HTTP/2.0", "-", "-",
			fmt.Sprint(1024 + random.IntN(60000)), fmt.Sprintf("0.%03d", random.IntN(99)), "Hit", "text/html", fmt.Sprint(400 + random.IntN(50000)), "-", "-",
		}
		r := Record{Time: at, Group: "/aws/cloudfront/E1", Stream: "LOC1-P1", Request: string(id) + "=="}
		if jsonForm {
			var b strings.Builder
			for k, name := range names {
				if values[k] == "-" {
					continue
				}
				quote := `"`
				if strings.Contains(name, "bytes") || name == "c-port" || name == "sc-status" || strings.HasPrefix(name, "time-t") {
					quote = ""
				}
				fmt.Fprintf(&b, `,"%s":%s%s%s`, name, quote, values[k], quote)
			}
			r.Message = "{" + b.String()[1:] + "}"
		} else {
			r.Message = strings.Join(values, "\t")
			for k, name := range names {
				if values[k] != "-" {
					r.Fields = append(r.Fields, Field{name, values[k]})
				}
			}
		}
		list[i] = r
	}
	return list
}

func BenchmarkBlock(b *testing.B) {
	for _, jsonForm := range []bool{true, false} {
		records := requests(maxRows, jsonForm)
		size := 0
		for _, r := range records {
			size += len(r.Message)
		}
		b.Run(fmt.Sprintf("add/json=%v", jsonForm), func(b *testing.B) {
			for b.Loop() {
				built(records)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/maxRows, "ns/line")
		})
		bu := built(records)
		var e encoder
		var block []byte
		b.Run(fmt.Sprintf("encode/json=%v", jsonForm), func(b *testing.B) {
			for b.Loop() {
				block = e.encode(bu, []run{{0, 0}})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/maxRows, "ns/line")
			b.ReportMetric(float64(len(block))/maxRows, "B/line")
			b.ReportMetric(float64(size)/maxRows, "rawB/line")
		})
		t, r := opened(b, block)
		fmt.Println("templates", len(t.templates), "filter", r.filter.stored/maxRows, "of", len(block)/maxRows)
		for i, p := range r.parts {
			fmt.Print(t.names[i], " ", p.values, " ", p.plain, " ", p.texts.size, "->", p.texts.stored, " codes ", p.codes.stored, "\n")
		}
		b.Run(fmt.Sprintf("clients/json=%v", jsonForm), func(b *testing.B) {
			for b.Loop() {
				t, _ := opened(b, block)
				t.Column("c-ip")
			}
		})
		b.Run(fmt.Sprintf("needle/json=%v", jsonForm), func(b *testing.B) {
			for b.Loop() {
				t, r := opened(b, block)
				sel := &Selection{Has: []string{records[4000].Request}}
				f, _ := r.read(r.filter)
				if sel.passes(f) {
					b.Fatal("passed")
				}
				if n := t.choose(sel, 0, 0).batch().Len(); n != 1 {
					b.Fatal(n)
				}
			}
		})
		b.Run(fmt.Sprintf("passed/json=%v", jsonForm), func(b *testing.B) {
			for b.Loop() {
				_, r := opened(b, block)
				sel := &Selection{Has: []string{"ThisIsNotThere"}}
				f, _ := r.read(r.filter)
				if !sel.passes(f) {
					b.Fatal("not passed")
				}
			}
		})
		b.Run(fmt.Sprintf("short needle/json=%v", jsonForm), func(b *testing.B) {
			for b.Loop() {
				t, _ := opened(b, block)
				t.choose(&Selection{Has: []string{"zzQzz"}}, 0, 0).batch()
			}
		})
		b.Run(fmt.Sprintf("records/json=%v", jsonForm), func(b *testing.B) {
			for b.Loop() {
				t, _ := opened(b, block)
				t.messages()
			}
		})
	}
}
