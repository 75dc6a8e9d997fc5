package ban_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/edge/ban"
)

// ask makes requests of one client, evenly over a while.
func ask(b *ban.Bans, client string, requests int, over time.Duration) {
	a := netip.MustParseAddr(client)
	for range requests {
		if _, is := b.Banned(a); !is {
			b.Seen(a, time.Now())
		}
		time.Sleep(over / time.Duration(requests))
	}
	synctest.Wait()
}

func TestFloodsAreBanned(t *testing.T) {
	limits := ban.Flood{Requests: 100, Window: time.Minute, For: time.Hour}
	for name, c := range map[string]struct {
		flood  ban.Flood
		do     func(b *ban.Bans)
		banned bool
	}{
		"as many as they may":    {limits, func(b *ban.Bans) { ask(b, "203.0.113.7", 100, time.Second) }, false},
		"one too many":           {limits, func(b *ban.Bans) { ask(b, "203.0.113.7", 101, time.Second) }, true},
		"as fast as they may":    {limits, func(b *ban.Bans) { ask(b, "203.0.113.7", 490, 5*time.Minute) }, false},
		"a little faster":        {limits, func(b *ban.Bans) { ask(b, "203.0.113.7", 550, 5*time.Minute) }, true},
		"over a window's border": {limits, func(b *ban.Bans) { time.Sleep(50 * time.Second); ask(b, "203.0.113.7", 150, 20*time.Second) }, true},
		"again after a pause": {limits, func(b *ban.Bans) {
			for range 3 {
				ask(b, "203.0.113.7", 90, time.Second)
				time.Sleep(2 * time.Minute)
			}
		}, false},
		"two at once": {limits, func(b *ban.Bans) {
			ask(b, "203.0.113.6", 60, time.Second)
			ask(b, "203.0.113.7", 60, time.Second)
		}, false},
		"switched off":       {ban.Flood{Requests: -1}, func(b *ban.Bans) { ask(b, "203.0.113.7", 5000, time.Second) }, false},
		"the usual, kept to": {ban.Flood{}, func(b *ban.Bans) { ask(b, "203.0.113.7", 2000, 4*time.Minute) }, false},
		"the usual, passed":  {ban.Flood{}, func(b *ban.Bans) { ask(b, "203.0.113.7", 2001, 4*time.Minute) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			l := &trail{}
			b := &ban.Bans{Flood: c.flood, Trail: l}
			bubble(t, b, func(t *testing.T) {
				c.do(b)
				if got := held(b, "203.0.113.7"); got != c.banned {
					t.Errorf("turned away is %v, want %v", got, c.banned)
				}
				want := []string(nil)
				if c.banned {
					want = []string{"PutBan by edge of 203.0.113.7/32"}
				}
				if d := cmp.Diff(want, l.names()); d != "" {
					t.Error(d)
				}
			})
		})
	}
}

func TestAFloodFromOneSubnet(t *testing.T) {
	b := &ban.Bans{Flood: ban.Flood{Requests: 100, Window: time.Minute}}
	bubble(t, b, func(t *testing.T) {
		for i := range 101 { // another address each time
			ask(b, fmt.Sprintf("2001:db8::%x", i+1), 1, time.Millisecond)
		}
		got, is := b.Banned(netip.MustParseAddr("2001:db8::ffff:1"))
		if !is || got.By != ban.Edge || got.Reason != "more than 100 requests in 1m0s" || time.Until(got.Until) > 10*time.Minute {
			t.Errorf("turned away is %v by %+v", is, got)
		}
		if held(b, "2001:db8:0:1::1") {
			t.Error("the neighbour is turned away")
		}
	})
}

func TestWhoMayFlood(t *testing.T) {
	b := &ban.Bans{Flood: ban.Flood{Requests: 100}, Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	bubble(t, b, func(t *testing.T) {
		if _, err := b.Allow(by(t), ban.AllowInput{Client: "203.0.113.0/24"}); err != nil {
			t.Fatal(err)
		}
		for _, client := range []string{"127.0.0.1", "::1", "10.1.1.1", "203.0.113.7", "198.51.100.1"} {
			ask(b, client, 300, time.Second)
		}
		if got := clients(t, b, ban.ListInput{Over: true}); !slices.Equal(got, []string{"198.51.100.1/32"}) {
			t.Errorf("banned: %v", got)
		}
	})
}

func TestFloodsAgainTakeLonger(t *testing.T) {
	b := &ban.Bans{Flood: ban.Flood{Requests: 10, Window: time.Minute, For: time.Minute}}
	bubble(t, b, func(t *testing.T) {
		for i, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
			ask(b, "203.0.113.7", 11, time.Nanosecond)
			got, is := b.Banned(netip.MustParseAddr("203.0.113.7"))
			if !is || got.Until.Sub(got.Since) != want || got.Times != i+1 {
				t.Errorf("turned away is %v for %v, %d times; want %v", is, got.Until.Sub(got.Since), got.Times, want)
			}
			time.Sleep(want + time.Second)
		}
	})
}

// TestAClockThatIsSetBack: what was counted by the wrong clock does not count for
// longer than a window.
func TestAClockThatIsSetBack(t *testing.T) {
	b := &ban.Bans{Flood: ban.Flood{Requests: 100, Window: time.Minute}}
	bubble(t, b, func(t *testing.T) {
		client := netip.MustParseAddr("203.0.113.7")
		b.Seen(client, time.Now().Add(time.Hour))
		for i := range 600 { // 20 a minute
			b.Seen(client, time.Now().Add(time.Duration(i)*3*time.Second))
		}
		synctest.Wait()
		if got := clients(t, b, ban.ListInput{}); len(got) > 0 {
			t.Errorf("banned: %v", got)
		}
	})
}

// TestManyClientsAreCounted: what is kept of clients stays bounded, and a flood among
// them is found all the same.
func TestManyClientsAreCounted(t *testing.T) {
	b := &ban.Bans{Flood: ban.Flood{Requests: 100, Window: time.Minute}}
	bubble(t, b, func(t *testing.T) {
		flooder := netip.MustParseAddr("203.0.113.7")
		for i := range 200_000 {
			b.Seen(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), time.Now())
			if i%1000 == 0 {
				b.Seen(flooder, time.Now())
			}
		}
		synctest.Wait()
		if got := clients(t, b, ban.ListInput{}); !slices.Equal(got, []string{"203.0.113.7/32"}) {
			t.Errorf("banned: %v", got)
		}
	})
}

// full is 10,000 bans.
func full(t testing.TB) *ban.Bans {
	t.Helper()
	m := &memory{}
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for i := range 10_000 {
		client := fmt.Sprintf("10.%d.%d.%d/32", i>>16, i>>8&255, i&255)
		m.set("ban."+client, fmt.Appendf(nil, `{"client":%q,"until":%q}`, client, until))
	}
	b := &ban.Bans{Streams: m}
	if err := b.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLookingUpTakesNoMemory(t *testing.T) {
	b := full(t)
	for _, client := range []string{"10.0.5.5", "203.0.113.7", "2001:db8::1"} {
		a := netip.MustParseAddr(client)
		if n := testing.AllocsPerRun(100, func() { b.Banned(a); b.Seen(a, time.Unix(1, 0)) }); n > 0 {
			t.Errorf("%s: %v allocations", client, n)
		}
	}
	if !held(b, "10.0.5.5") || held(b, "11.0.0.1") {
		t.Error("the wrong ones are turned away")
	}
}

func BenchmarkBanned(b *testing.B) {
	bans := full(b)
	for name, client := range map[string]string{"banned": "10.0.5.5", "not": "203.0.113.7", "not, IPv6": "2001:db8::1"} {
		b.Run(name, func(b *testing.B) {
			a := netip.MustParseAddr(client)
			b.ReportAllocs()
			for b.Loop() {
				bans.Banned(a)
			}
		})
	}
}

func BenchmarkSeen(b *testing.B) {
	bans, now := &ban.Bans{Flood: ban.Flood{Requests: 1 << 30}}, time.Now()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := uint16(0); pb.Next(); i++ {
			bans.Seen(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), now)
		}
	})
}
