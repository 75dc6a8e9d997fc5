// Package weblog makes access logs for tests: lines of CloudFront's standard log as a
// busy site has them, the same each time.
package weblog

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Header is what a file begins with.
const Header = "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start sc-range-end\n"

// Totals are what a log adds up to.
type Totals struct {
	Requests int
	Bytes    int64
	Visitors int            // pairs of address and User-Agent, by day, of requests that were no client's error
	Status   map[string]int // requests by status
	Paths    map[string]int // requests by path
}

var agents = []string{
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15",
	"Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Mobile/15E148 Safari/604.1",
	"Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
	"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
	"curl/8.9.1",
}

var statuses = []struct{ code, share int }{{200, 780}, {304, 90}, {302, 40}, {206, 20}, {404, 45}, {403, 10}, {401, 5}, {500, 5}, {502, 3}, {503, 2}}

// Lines are n lines over a time from start on, each with its line end, and adds them up
// in t, which may be nil.
func Lines(seed uint64, n int, start time.Time, over time.Duration, t *Totals) iter.Seq[string] {
	return func(yield func(string) bool) {
		r := rand.New(rand.NewPCG(seed, 8))
		people := rand.NewZipf(r, 1.1, 8, uint64(max(10, n/20)))
		things := rand.NewZipf(r, 1.2, 4, 5000)
		seen := map[string]bool{}
		if t != nil {
			t.Status, t.Paths = map[string]int{}, map[string]int{}
		}
		var b strings.Builder
		for i := range n {
			at := start.Add(time.Duration(i) * (over / time.Duration(n))).UTC()
			who := people.Uint64()
			ip := fmt.Sprintf("%d.%d.%d.%d", 11+who%83, who*7%251, who*13%241, 1+who*31%250)
			if who%9 == 0 {
				ip = fmt.Sprintf("2001:db8:%x::%x", who%65521, 1+who%4093)
			}
			agent := agents[int(who*2654435761%uint64(len(agents)))]
			path, kind := thing(things.Uint64())
			status := pick(r)
			size := 300 + r.Int64N(40_000)
			if status == 304 || status == 302 {
				size = 200 + r.Int64N(200)
			}
			b.Reset()
			line(&b, r, at, ip, agent, path, kind, status, size)
			if t != nil {
				t.Requests++
				t.Bytes += size
				t.Status[strconv.Itoa(status)]++
				t.Paths[path]++
				visitor := at.Format(time.DateOnly) + "|" + ip + "|" + agent
				if (status < 400 || status > 499) && !seen[visitor] {
					seen[visitor] = true
					t.Visitors++
				}
			}
			if !yield(b.String()) {
				return
			}
		}
	}
}

// thing is a page or a file of the site.
func thing(n uint64) (path, kind string) {
	switch n % 5 {
	case 0:
		return "/", "text/html"
	case 1, 2:
		return fmt.Sprintf("/d/%06x", n*7919), "text/html"
	case 3:
		return fmt.Sprintf("/assets/app-%x.js", n%17), "application/javascript"
	}
	return fmt.Sprintf("/api/v1/drops/%d", n%900), "application/json"
}

func pick(r *rand.Rand) int {
	at := r.IntN(1000)
	for _, s := range statuses {
		if at -= s.share; at < 0 {
			return s.code
		}
	}
	return 200
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

func line(b *strings.Builder, r *rand.Rand, at time.Time, ip, agent, path, kind string, status int, size int64) {
	result := "Miss"
	switch {
	case status >= 400:
		result = "Error"
	case r.IntN(3) > 0:
		result = "Hit"
	}
	var id [54]byte
	for i := range id {
		id[i] = letters[r.IntN(len(letters))]
	}
	took := float64(r.IntN(900)) / 1000
	referrer, query := "-", "-"
	if r.IntN(3) == 0 {
		referrer = "https://www.example.com/"
	}
	if r.IntN(6) == 0 {
		query = "utm_source=mail&n=" + strconv.Itoa(r.IntN(50))
	}
	fmt.Fprintf(b, "%s\t%s\tFRA56-P%d\t%d\t%s\tGET\td111111abcdef8.cloudfront.net\t%s\t%d\t%s\t%s\t%s\t-\t%s\t%s==\twww.example.com\thttps\t%d\t%.3f\t-\tTLSv1.3\tTLS_AES_128_GCM_SHA256\t%s\tHTTP/2.0\t-\t-\t%d\t%.3f\t%s\t%s\t%d\t-\t-\n",
		at.Format(time.DateOnly), at.Format(time.TimeOnly), 1+r.IntN(9), size, ip, path, status, referrer, strings.ReplaceAll(url.PathEscape(agent), "%2F", "/"), query,
		result, id, 80+r.IntN(400), took, result, 1024+r.IntN(60000), took/2, result, kind, size-150)
}
