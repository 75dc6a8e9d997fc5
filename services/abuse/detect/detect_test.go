package detect_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/services/abuse/access"
	"github.com/dropstack/dropstack/services/abuse/detect"
)

var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

// traffic is records in the order of time.
type traffic []access.Record

// from adds n requests of a client, evenly within a while; each says what the i-th is.
func (t *traffic) from(client string, start, within time.Duration, n int, each func(i int) (method, path string, status int, bytes int64)) {
	for i := range n {
		method, path, status, bytes := each(i)
		*t = append(*t, access.Record{
			Time: noon.Add(start + within*time.Duration(i)/time.Duration(n)), Client: netip.MustParseAddr(client),
			Method: method, Path: path, Status: status, Bytes: bytes, Request: fmt.Sprint(client, "#", i),
		})
	}
}

// visitors are 50 clients who read pages, miss one now and then, and log in.
func (t *traffic) visitors(within time.Duration) {
	rnd := rand.New(rand.NewPCG(7, 7))
	for c := range 50 {
		t.from(fmt.Sprintf("198.51.100.%d", c+1), 0, within, int(12*within/time.Minute), func(i int) (string, string, int, int64) {
			switch rnd.IntN(40) {
			case 0:
				return "GET", fmt.Sprintf("/gone%d", rnd.IntN(5)), 404, 300
			case 1:
				return "POST", "/login", []int{200, 302, 401}[rnd.IntN(3)], 500
			}
			return "GET", fmt.Sprintf("/page%d", rnd.IntN(100)), 200, int64(1000 + rnd.IntN(400_000))
		})
	}
}

func (t traffic) sorted() traffic {
	slices.SortStableFunc(t, func(a, b access.Record) int { return a.Time.Compare(b.Time) })
	return t
}

func judge(d *detect.Detector, records traffic) (found []detect.Verdict) {
	for _, r := range records {
		if v, over := d.Add(r); over {
			found = append(found, v)
		}
		found = append(found, d.Outliers()...)
	}
	return found
}

func clientsOf(found []detect.Verdict) []string {
	list := []string{}
	for _, v := range found {
		list = append(list, v.Client.String())
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func status(method, path string, code int) func(int) (string, string, int, int64) {
	return func(int) (string, string, int, int64) { return method, path, code, 200 }
}

// wrongPassword is what a dictionary attack gets.
var wrongPassword = status("POST", "/login", 401)

func codes(i int) (string, string, int, int64) {
	if i%97 == 0 {
		return "GET", fmt.Sprintf("/%05x", i), 200, 4000 // one of them is there
	}
	return "GET", fmt.Sprintf("/%05x", i), 404, 300
}

func share(percent int, what func(int) (string, string, int, int64)) func(int) (string, string, int, int64) {
	return func(i int) (string, string, int, int64) {
		if i*percent%100 < percent {
			return what(i)
		}
		return "GET", fmt.Sprintf("/page%d", i%500), 200, 20_000
	}
}

// Who is found beside 50 visitors of whom nobody is, why, and how long after its first
// request.
func TestWhoIsFound(t *testing.T) {
	const who = "203.0.113.7"
	for name, c := range map[string]struct {
		rules   func(*detect.Rules)
		traffic func(*traffic)
		reason  string // "": nobody is found
		after   time.Duration
	}{
		"a dictionary attack of 200 a minute": {
			traffic: func(t *traffic) { t.from(who, 30*time.Second, time.Minute, 200, wrongPassword) },
			reason:  "11 failed logins within a minute, of 11", after: 3 * time.Second,
		},
		"a dictionary attack on a path of its own": {
			rules:   func(r *detect.Rules) { r.LoginPaths = []string{"* /vault/*/open"} },
			traffic: func(t *traffic) { t.from(who, 0, time.Minute, 200, status("GET", "/vault/7/open", 403)) },
			reason:  "11 failed logins within a minute, of 11", after: 3 * time.Second,
		},
		"a patient one, under the threshold": {
			traffic: func(t *traffic) { t.from(who, 0, 3*time.Minute, 29, wrongPassword) },
		},
		"many who log in at one office, and err": {
			traffic: func(t *traffic) {
				t.from(who, 0, 2*time.Minute, 200, func(i int) (string, string, int, int64) {
					return "POST", "/login", []int{401, 302, 302}[i%3], 300
				})
			},
		},
		"a scanner of 1,000 codes in a minute": {
			traffic: func(t *traffic) { t.from(who, 0, time.Minute, 1000, codes) },
			reason:  "31 different paths tried in vain within 10m0s, 31 requests of 32 failed", after: 2 * time.Second,
		},
		"a scanner of 1,000 codes in three hours": {
			traffic: func(t *traffic) { t.from(who, 0, 3*time.Hour, 1000, codes) },
			reason:  "31 different paths tried in vain within 10m0s, 31 requests of 32 failed", after: 5*time.Minute + 35*time.Second,
		},
		"a scanner of 1,000 codes, one at a time": {
			traffic: func(t *traffic) { t.from(who, 0, 24*time.Hour, 1000, codes) },
		},
		"the same path in vain": {
			traffic: func(t *traffic) { t.from(who, 0, time.Minute, 100, status("GET", "/feed.xml", 404)) },
			reason:  "51 failed requests within a minute, of 51", after: 30 * time.Second,
		},
		"just as often as it may": {
			traffic: func(t *traffic) { t.from(who, 0, 10*time.Minute, 500, status("GET", "/feed.xml", 404)) },
		},
		"a busy office of which 2 percent fail": {
			traffic: func(t *traffic) {
				t.from(who, 0, 3*time.Minute, 15_000, share(2, func(i int) (string, string, int, int64) { return "GET", fmt.Sprintf("/gone%d", i), 404, 300 }))
			},
		},
		"an office with an attacker in it": {
			traffic: func(t *traffic) {
				t.from(who, 0, time.Minute, 300, share(2, status("GET", "/gone", 404)))
				t.from(who, 0, time.Minute, 200, wrongPassword)
			},
			reason: "11 failed logins within a minute, of 11", after: 3 * time.Second,
		},
		"what browsers ask for by themselves": {
			traffic: func(t *traffic) { t.from(who, 0, time.Minute, 300, status("GET", "/favicon.ico", 404)) },
		},
		"suffixes that are not looked at": {
			rules: func(r *detect.Rules) { r.Ignore = []string{".png"} },
			traffic: func(t *traffic) {
				t.from(who, 0, time.Minute, 300, func(i int) (string, string, int, int64) { return "GET", fmt.Sprintf("/%d.png", i), 404, 300 })
			},
		},
		"a path that may fail more often": {
			rules:   func(r *detect.Rules) { r.URIs = map[string]int{"/search": 100} },
			traffic: func(t *traffic) { t.from(who, 0, time.Minute, 100, status("GET", "/search", 400)) },
		},
		"a path that may, too often": {
			rules:   func(r *detect.Rules) { r.URIs = map[string]int{"/search": 100} },
			traffic: func(t *traffic) { t.from(who, 0, time.Minute, 200, status("GET", "/search", 400)) },
			reason:  `101 failed requests for "/search" within a minute`, after: 30 * time.Second,
		},
		"a path that may fail less often": {
			rules:   func(r *detect.Rules) { r.URIs = map[string]int{"/admin": 3} },
			traffic: func(t *traffic) { t.from(who, 0, time.Minute, 6, status("GET", "/admin", 403)) },
			reason:  `4 failed requests for "/admin" within a minute`, after: 30 * time.Second,
		},
		"what the edge refused": {
			traffic: func(t *traffic) {
				t.from(who, 0, time.Minute, 500, status("POST", "/login", 403))
				for i := range *t {
					(*t)[i].Refused = true
				}
			},
		},
		"who is allowed": {
			rules:   func(r *detect.Rules) { r.Allow = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")} },
			traffic: func(t *traffic) { t.from(who, 0, time.Minute, 500, wrongPassword) },
		},
		"errors of the server": {
			traffic: func(t *traffic) { t.from(who, 0, time.Minute, 500, status("GET", "/", 502)) },
		},
		"clients that leave": {
			traffic: func(t *traffic) { t.from(who, 0, time.Minute, 500, status("GET", "/", 0)) },
		},
		"everything switched off": {
			rules:   func(r *detect.Rules) { r.Failed, r.Probed, r.Logins, r.Bytes, r.Downloads = 0, 0, 0, 0, 0 },
			traffic: func(t *traffic) { t.from(who, 0, time.Minute, 1000, codes) },
		},
		"far more bytes than the others": {
			traffic: func(t *traffic) {
				t.from(who, 0, 4*time.Minute, 300, func(int) (string, string, int, int64) { return "GET", "/film", 206, 100 << 20 })
			},
			reason: "GiB taken within 10m0s; the median of 51 clients is", after: 4 * time.Minute,
		},
		"a film, once": {
			traffic: func(t *traffic) {
				t.from(who, 0, time.Minute, 1, func(int) (string, string, int, int64) { return "GET", "/film", 200, 18 << 30 })
			},
		},
		"far more downloads than the others": {
			traffic: func(t *traffic) {
				t.from(who, 0, 4*time.Minute, 3000, func(i int) (string, string, int, int64) { return "GET", fmt.Sprintf("/raw/%d", i), 200, 1 << 20 })
			},
			reason: "downloads within 10m0s; the median of 51 clients is 0", after: 3 * time.Minute,
		},
		"a few more bytes than the others": {
			rules: func(r *detect.Rules) { r.Bytes = 1 << 20 },
			traffic: func(t *traffic) {
				t.from(who, 0, 4*time.Minute, 48, func(int) (string, string, int, int64) { return "GET", "/page", 200, 300_000 })
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			rules := detect.Default()
			if c.rules != nil {
				c.rules(&rules)
			}
			var records traffic
			c.traffic(&records)
			first := slices.MinFunc(records, func(a, b access.Record) int { return a.Time.Compare(b.Time) }).Time
			records.visitors(4 * time.Minute)
			found := judge(detect.New(rules, nil), records.sorted())
			if c.reason == "" {
				if len(found) > 0 {
					t.Errorf("found: %+v", found)
				}
				return
			}
			if len(found) == 0 {
				t.Fatal("nobody is found")
			}
			if got := clientsOf(found); !slices.Equal(got, []string{who + "/32"}) {
				t.Errorf("found %v: %+v", got, found)
			}
			if v := found[0]; !strings.Contains(v.Reason, c.reason) || v.At.Sub(first) > c.after {
				t.Errorf("found after %v: %q; want it after %v at most: %q", v.At.Sub(first), v.Reason, c.after, c.reason)
			}
		})
	}
}

func TestIPv6IsOneClientPerSubnet(t *testing.T) {
	var records traffic
	for i := range 60 {
		records.from(fmt.Sprintf("2001:db8:0:1::%x", i+1), time.Duration(i)*100*time.Millisecond, time.Second, 1, wrongPassword)
		records.from(fmt.Sprintf("2001:db8:0:%x::1", i+100), time.Duration(i)*100*time.Millisecond, time.Second, 1, wrongPassword)
	}
	records.from("::ffff:203.0.113.7", 0, time.Minute, 6, wrongPassword)
	records.from("203.0.113.7", 0, time.Minute, 6, wrongPassword)
	found := judge(detect.New(detect.Default(), nil), records.sorted())
	if got, want := clientsOf(found), []string{"2001:db8:0:1::/64", "203.0.113.7/32"}; !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

// A ban takes a moment; what is told of the client meanwhile is not held against it.
func TestOneVerdictUntilItHolds(t *testing.T) {
	var records traffic
	records.from("203.0.113.7", 0, time.Minute, 200, wrongPassword)
	if found := judge(detect.New(detect.Default(), nil), records); len(found) != 1 {
		t.Errorf("found %+v, want one", found)
	}
	records.from("203.0.113.7", 3*time.Minute, time.Minute, 200, wrongPassword) // let in again
	if found := judge(detect.New(detect.Default(), nil), records); len(found) != 2 {
		t.Errorf("found %+v, want one each", found)
	}
}

// Objects of a log come out of order; what is found must not depend on it.
func TestTheOrderOfRecordsDoesNotMatter(t *testing.T) {
	var records traffic
	records.visitors(4 * time.Minute)
	records.from("203.0.113.7", time.Minute, 50*time.Second, 51, status("GET", "/feed.xml", 404))
	records.from("203.0.113.8", time.Minute, time.Minute, 31, codes)
	records.from("203.0.113.8", 2*time.Minute, time.Minute, 20, codes)
	rules := detect.Default()
	rules.ProbedShare = 0
	for seed := range uint64(5) {
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
		got := clientsOf(judge(detect.New(rules, nil), records))
		if want := []string{"203.0.113.7/32"}; !slices.Equal(got, want) {
			t.Errorf("order %d: found %v, want %v", seed, got, want)
		}
	}
}

// TestGoingOn: what is kept as JSON is all that counts.
func TestGoingOn(t *testing.T) {
	var records traffic
	records.visitors(2 * time.Minute)
	records.from("203.0.113.7", 0, time.Minute, 200, wrongPassword)
	records.from("203.0.113.8", 0, time.Minute, 1000, codes)
	records.from("203.0.113.9", 0, time.Minute, 9, status("GET", "/search", 400))
	records.sorted()
	rules := detect.Default()
	rules.URIs = map[string]int{"/search": 5}
	want := judge(detect.New(rules, nil), records)

	kept := map[netip.Prefix]json.RawMessage{}
	var got []detect.Verdict
	for batch := range slices.Chunk(records, 100) {
		clients := map[netip.Prefix]*detect.Client{}
		for key, doc := range kept {
			c := &detect.Client{}
			if err := json.Unmarshal(doc, c); err != nil {
				t.Fatal(err)
			}
			clients[key] = c
		}
		d := detect.New(rules, clients)
		got = append(got, judge(d, batch)...)
		for key, c := range d.Forget() {
			doc, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			kept[key] = doc
		}
	}
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" || len(want) != 3 {
		t.Errorf("%d verdicts in one go; in pieces: %s", len(want), d)
	}
}

// TestAClockThatIsSetBack: what came while it was wrong blinds nobody for the rest.
func TestAClockThatIsSetBack(t *testing.T) {
	var ahead, records traffic
	ahead.visitors(time.Minute)
	ahead.from("203.0.113.7", 0, time.Minute, 200, wrongPassword)
	for i := range ahead {
		ahead[i].Time = ahead[i].Time.Add(24 * time.Hour)
	}
	records.visitors(time.Minute)
	records.from("203.0.113.7", 0, time.Minute, 200, wrongPassword)
	records.from("203.0.113.8", 0, time.Minute, 200, wrongPassword)
	d := detect.New(detect.Default(), nil)
	judge(d, ahead.sorted())
	var found []detect.Verdict
	for batch := range slices.Chunk(records.sorted(), 20) {
		d.Forget()
		found = append(found, judge(d, batch)...)
	}
	if diff := cmp.Diff([]string{"203.0.113.7/32", "203.0.113.8/32"}, clientsOf(found)); diff != "" {
		t.Error(diff)
	}
}

func TestWhoIsQuietIsForgotten(t *testing.T) {
	d := detect.New(detect.Default(), nil)
	var records traffic
	records.from("203.0.113.7", 0, time.Minute, 5, codes)
	records.from("203.0.113.8", 10*time.Minute, time.Minute, 5, codes)
	judge(d, records)
	if got := d.Forget(); len(got) != 2 {
		t.Errorf("changed: %v", got)
	}
	if got := d.Forget(); len(got) != 0 {
		t.Errorf("changed again: %v", got)
	}
	records = nil
	records.from("203.0.113.9", 21*time.Minute, time.Minute, 1, codes)
	judge(d, records)
	got := d.Forget()
	if c, changed := got[netip.MustParsePrefix("203.0.113.7/32")]; !changed || c != nil || len(got) != 2 {
		t.Errorf("changed: %v, want the first forgotten and the third known", got)
	}
}

func TestManyClients(t *testing.T) {
	d := detect.New(detect.Default(), nil)
	for i := range 25_000 {
		d.Add(access.Record{Time: noon.Add(time.Duration(i) * time.Millisecond), Client: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), Status: 200})
	}
	gone := 0
	for _, c := range d.Forget() {
		if c == nil {
			gone++
		}
	}
	if gone != 5000 {
		t.Errorf("%d forgotten, want 5000", gone)
	}
}

func BenchmarkAdd(b *testing.B) {
	var records traffic
	records.visitors(4 * time.Minute)
	records.sorted()
	d := detect.New(detect.Default(), nil)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r := records[i%len(records)]
		r.Time = r.Time.Add(time.Duration(i/len(records)) * 4 * time.Minute)
		d.Add(r)
	}
}
