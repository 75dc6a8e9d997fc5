package ban_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/edge/ban"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
)

const operator = "arn:aws:iam::000000000000:user/ann"

type trail struct {
	mu     sync.Mutex
	events []audit.Event
}

func (l *trail) Append(_ context.Context, e audit.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
	return nil
}

// names is what has been recorded, and forgets it.
func (l *trail) names() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []string
	for _, e := range l.events {
		list = append(list, fmt.Sprintf("%s by %s of %v", e.EventName, e.UserIdentity.InvokedBy, e.RequestParameters["client"]))
	}
	l.events = nil
	return list
}

// run loads and runs b until the test, or the returned function, ends it.
func run(t testing.TB, b *ban.Bans) (stop func()) {
	t.Helper()
	b.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	if b.Trail == nil {
		b.Trail = &trail{}
	}
	if err := b.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func by(t testing.TB) context.Context {
	return iam.With(t.Context(), iam.Principal{Type: iam.TypeUser, ARN: operator}, iam.Request{})
}

func put(t testing.TB, b *ban.Bans, in ban.PutInput) ban.Ban {
	t.Helper()
	got, err := b.Put(by(t), in)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func held(b *ban.Bans, client string) bool {
	_, is := b.Banned(netip.MustParseAddr(client))
	return is
}

func clients(t testing.TB, b *ban.Bans, in ban.ListInput) []string {
	t.Helper()
	out, err := b.List(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	list := []string{}
	for _, x := range out.Bans {
		list = append(list, x.Client.String())
	}
	return list
}

func bubble(t *testing.T, b *ban.Bans, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if b.Streams == nil {
			b.Streams = &memory{}
		}
		stop := run(t, b)
		test(t)
		stop()
	})
}

func TestWhoIsBanned(t *testing.T) {
	for name, c := range map[string]struct {
		client    string
		banned    []string
		untouched []string
	}{
		"an address":                        {"203.0.113.7", []string{"203.0.113.7", "::ffff:203.0.113.7"}, []string{"203.0.113.6", "203.0.113.8", "2001:db8::1"}},
		"an IPv4 address in IPv6's clothes": {"::ffff:203.0.113.7", []string{"203.0.113.7"}, []string{"203.0.113.8"}},
		"all of a customer's /64":           {"2001:db8:0:1::5", []string{"2001:db8:0:1::5", "2001:db8:0:1:ffff::9", "2001:db8:0:1::1%eth0"}, []string{"2001:db8:0:2::5"}},
		"a network":                         {"198.51.100.0/24", []string{"198.51.100.0", "198.51.100.255"}, []string{"198.51.101.0"}},
		"a network, by one of it":           {"198.51.100.77/24", []string{"198.51.100.1"}, []string{"198.51.99.1"}},
		"a network in IPv6's clothes":       {"::ffff:198.51.100.0/120", []string{"198.51.100.9"}, []string{"198.51.101.0"}},
		"less than a customer":              {"2001:db8::/80", []string{"2001:db8::ffff:0:0:1"}, []string{"2001:db8:0:1::"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := &ban.Bans{}
			bubble(t, b, func(t *testing.T) {
				put(t, b, ban.PutInput{Client: c.client, Seconds: 60})
				for _, a := range c.banned {
					if !held(b, a) {
						t.Errorf("%s gets through", a)
					}
				}
				for _, a := range c.untouched {
					if held(b, a) {
						t.Errorf("%s is turned away", a)
					}
				}
			})
		})
	}
}

func TestWhoIsNeverBanned(t *testing.T) {
	for name, in := range map[string]ban.PutInput{
		"nobody":              {Seconds: 60},
		"a name":              {Client: "example.com", Seconds: 60},
		"everybody":           {Client: "0.0.0.0/0", Seconds: 60},
		"everybody, of IPv6":  {Client: "::/0", Seconds: 60},
		"half of a continent": {Client: "10.0.0.0/15", Seconds: 60},
		"too much of IPv6":    {Client: "2001:db8::/31", Seconds: 60},
		"loopback":            {Client: "127.0.0.1", Seconds: 60},
		"part of loopback":    {Client: "127.3.0.0/16", Seconds: 60},
		"IPv6's loopback":     {Client: "::1", Seconds: 60},
		"loopback, mapped":    {Client: "::ffff:127.0.0.1", Seconds: 60},
		"a proxy of ours":     {Client: "10.1.2.3", Seconds: 60},
		"many at once":        {Client: "224.0.0.5", Seconds: 60},
		"a zone":              {Client: "fe80::1%eth0", Seconds: 60},
		"no time at all":      {Client: "203.0.113.7"},
		"time gone by":        {Client: "203.0.113.7", Seconds: -1},
		"two years":           {Client: "203.0.113.7", Seconds: 2 * 365 * 86400},
		"more than there is":  {Client: "203.0.113.7", Seconds: 1<<63 - 1},
		"a novel of a reason": {Client: "203.0.113.7", Seconds: 60, Reason: string(make([]byte, 513))},
		"a reason of lines":   {Client: "203.0.113.7", Seconds: 60, Reason: "a\nb"},
	} {
		t.Run(name, func(t *testing.T) {
			b := &ban.Bans{Trusted: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}
			bubble(t, b, func(t *testing.T) {
				if got, err := b.Put(by(t), in); fault.KindOf(err) != fault.Invalid {
					t.Errorf("got %+v, %v; want it refused as invalid", got, err)
				}
				if got := clients(t, b, ban.ListInput{Over: true}); len(got) > 0 {
					t.Errorf("banned: %v", got)
				}
			})
		})
	}
}

func TestABanEndsOnTheDot(t *testing.T) {
	b := &ban.Bans{}
	bubble(t, b, func(t *testing.T) {
		made := put(t, b, ban.PutInput{Client: "203.0.113.7", Seconds: 90, Reason: "51 failed requests in a minute", Request: "abc"})
		want := ban.Ban{
			Client: netip.MustParsePrefix("203.0.113.7/32"), Reason: "51 failed requests in a minute", By: operator, Request: "abc",
			Since: time.Now().UTC(), Until: time.Now().UTC().Add(90 * time.Second), Times: 1,
		}
		if d := cmp.Diff(want, made, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
			t.Error(d)
		}
		put(t, b, ban.PutInput{Client: "203.0.113.0/24", Seconds: 60})
		time.Sleep(60*time.Second - 1)
		if !held(b, "203.0.113.7") || !held(b, "203.0.113.8") {
			t.Error("over too early")
		}
		time.Sleep(time.Nanosecond)
		if held(b, "203.0.113.8") {
			t.Error("the network is turned away longer than it should be")
		}
		if !held(b, "203.0.113.7") {
			t.Error("the address's own ban ended with its network's")
		}
		time.Sleep(30 * time.Second)
		if held(b, "203.0.113.7") {
			t.Error("turned away longer than it should be")
		}
		if got := clients(t, b, ban.ListInput{}); len(got) > 0 {
			t.Errorf("listed: %v", got)
		}
	})
}

func TestAShortBanDoesNotHideItsNetworks(t *testing.T) {
	b := &ban.Bans{}
	bubble(t, b, func(t *testing.T) {
		put(t, b, ban.PutInput{Client: "203.0.113.7", Seconds: 10})
		put(t, b, ban.PutInput{Client: "203.0.113.0/25", Seconds: 20})
		put(t, b, ban.PutInput{Client: "203.0.113.0/24", Seconds: 60})
		time.Sleep(30 * time.Second)
		if !held(b, "203.0.113.7") {
			t.Error("an old ban of the address hides the one of its network")
		}
	})
}

// Each step is put after a while; want says for how long in seconds from then, how
// often, and whether it holds.
func TestBanningAgain(t *testing.T) {
	const client = "203.0.113.7"
	type step struct {
		after           time.Duration
		in              ban.PutInput
		seconds, times  int
		shadow, enforce bool
	}
	again := func(seconds int64) ban.PutInput { return ban.PutInput{Seconds: seconds, Escalate: true} }
	for name, steps := range map[string][]step{
		"while it holds it is made longer": {
			{0, again(60), 60, 1, false, true}, {10 * time.Second, again(100), 100, 1, false, true},
		},
		"while it holds it is not made shorter": {
			{0, again(60), 60, 1, false, true}, {10 * time.Second, again(20), 50, 1, false, true},
		},
		"soon after it is twice as long, and so on": {
			{0, again(60), 60, 1, false, true},
			{2 * time.Minute, again(60), 120, 2, false, true},
			{3 * time.Minute, again(60), 240, 3, false, true},
			{5 * time.Minute, again(60), 300, 4, false, true},
		},
		"never shorter than asked for": {
			{0, again(60), 60, 1, false, true}, {2 * time.Minute, again(400), 400, 2, false, true},
		},
		"as long as an operator says": {
			{0, again(60), 60, 1, false, true}, {2 * time.Minute, ban.PutInput{Seconds: 60}, 60, 2, false, true},
		},
		"after a day it is the first": {
			{0, again(60), 60, 1, false, true}, {24*time.Hour + 61*time.Second, again(60), 60, 1, false, true},
		},
		"out of the shadow": {
			{0, ban.PutInput{Seconds: 600, Shadow: true}, 600, 1, true, false}, {time.Minute, again(60), 60, 1, false, true},
		},
		"a shadow takes nothing away": {
			{0, again(60), 60, 1, false, true}, {10 * time.Second, ban.PutInput{Seconds: 600, Shadow: true}, 50, 1, false, true},
		},
		"what was in the shadow does not count": {
			{0, ban.PutInput{Seconds: 60, Shadow: true}, 60, 1, true, false}, {2 * time.Minute, again(60), 60, 1, false, true},
		},
		"shadows count among themselves": {
			{0, ban.PutInput{Seconds: 60, Shadow: true}, 60, 1, true, false}, {2 * time.Minute, ban.PutInput{Seconds: 60, Shadow: true, Escalate: true}, 120, 2, true, false},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := &ban.Bans{Escalation: ban.Escalation{Longest: 5 * time.Minute}}
			bubble(t, b, func(t *testing.T) {
				for i, s := range steps {
					time.Sleep(s.after)
					s.in.Client = client
					got := put(t, b, s.in)
					if d := time.Until(got.Until); d != time.Duration(s.seconds)*time.Second || got.Times != s.times || got.Shadow != s.shadow {
						t.Errorf("ban %d: got %v, %d times, shadow %v; want %d s, %d times, shadow %v", i+1, d, got.Times, got.Shadow, s.seconds, s.times, s.shadow)
					}
					if got := held(b, client); got != s.enforce {
						t.Errorf("ban %d: turned away is %v, want %v", i+1, got, s.enforce)
					}
				}
			})
		})
	}
}

func TestUnban(t *testing.T) {
	b := &ban.Bans{}
	bubble(t, b, func(t *testing.T) {
		put(t, b, ban.PutInput{Client: "2001:db8::1", Seconds: 3600})
		if _, err := b.Remove(by(t), ban.RemoveInput{Client: "2001:db8::2"}); err != nil { // of the same /64
			t.Fatal(err)
		}
		if held(b, "2001:db8::1") {
			t.Error("still turned away")
		}
		if _, err := b.Remove(by(t), ban.RemoveInput{Client: "2001:db8::1"}); fault.KindOf(err) != fault.NotFound {
			t.Errorf("unbanned twice: %v", err)
		}
		if got := put(t, b, ban.PutInput{Client: "2001:db8::1", Seconds: 60, Escalate: true}); got.Times != 1 {
			t.Errorf("the ban after a mistake is number %d", got.Times)
		}
	})
}

func TestWhoIsAllowedIsNotTurnedAway(t *testing.T) {
	b := &ban.Bans{}
	bubble(t, b, func(t *testing.T) {
		put(t, b, ban.PutInput{Client: "203.0.113.0/24", Seconds: 3600})
		got, err := b.Allow(by(t), ban.AllowInput{Client: "203.0.113.7", Reason: "our office"})
		if err != nil || got.By != operator || got.Reason != "our office" || !got.Since.Equal(time.Now()) {
			t.Fatalf("got %+v, %v", got, err)
		}
		if held(b, "203.0.113.7") || !held(b, "203.0.113.8") {
			t.Error("want the office through, its neighbour not")
		}
		if _, err := b.Put(by(t), ban.PutInput{Client: "203.0.113.7", Seconds: 60}); fault.CodeOf(err) != "ClientAllowed" {
			t.Errorf("banned although allowed: %v", err)
		}
		list, err := b.ListAllowed(t.Context(), struct{}{})
		if err != nil || len(list.Allowed) != 1 || list.Allowed[0].Client.String() != "203.0.113.7/32" {
			t.Errorf("allowed: %v, %v", list, err)
		}
		if _, err := b.Disallow(by(t), ban.RemoveInput{Client: "203.0.113.7"}); err != nil {
			t.Fatal(err)
		}
		if !held(b, "203.0.113.7") {
			t.Error("gets through, allowed no longer")
		}
		if _, err := b.Disallow(by(t), ban.RemoveInput{Client: "203.0.113.7"}); fault.KindOf(err) != fault.NotFound {
			t.Errorf("taken from the list twice: %v", err)
		}
		for _, wide := range []string{"0.0.0.0/0", "128.0.0.0/1", "::/0", "here"} {
			if _, err := b.Allow(by(t), ban.AllowInput{Client: wide}); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s allowed: %v", wide, err)
			}
		}
	})
}

func TestShadowTurnsNobodyAway(t *testing.T) {
	b := &ban.Bans{Shadow: true}
	bubble(t, b, func(t *testing.T) {
		if got := put(t, b, ban.PutInput{Client: "203.0.113.7", Seconds: 60, Reason: "a test"}); !got.Shadow {
			t.Error("the ban is not in the shadow")
		}
		got, is := b.Banned(netip.MustParseAddr("203.0.113.7"))
		if is || got.Reason != "a test" {
			t.Errorf("turned away is %v by %+v; want it found and not enforced", is, got)
		}
	})
}

func TestABanInTheShadowDoesNotHideItsNetworks(t *testing.T) {
	b := &ban.Bans{}
	bubble(t, b, func(t *testing.T) {
		put(t, b, ban.PutInput{Client: "203.0.113.0/24", Seconds: 60})
		put(t, b, ban.PutInput{Client: "203.0.113.7", Seconds: 30, Shadow: true})
		if !held(b, "203.0.113.7") {
			t.Error("what is only written down of the address lets it in")
		}
	})
}

func TestTheMachineItselfAndItsProxies(t *testing.T) {
	stored := &memory{}
	b := &ban.Bans{Streams: stored, Loopback: true}
	bubble(t, b, func(t *testing.T) {
		put(t, b, ban.PutInput{Client: "127.0.0.1", Seconds: 3600})
		put(t, b, ban.PutInput{Client: "10.1.2.3", Seconds: 3600})
		if !held(b, "127.0.0.1") || !held(b, "10.1.2.3") {
			t.Fatal("not banned")
		}
	})
	b = &ban.Bans{Streams: &memory{docs: stored.docs, last: stored.last}, Trusted: []netip.Prefix{netip.MustParsePrefix("10.1.2.0/24")}}
	synctest.Test(t, func(t *testing.T) {
		stop := run(t, b)
		if held(b, "127.0.0.1") {
			t.Error("loopback is turned away")
		}
		if held(b, "10.1.2.3") {
			t.Error("a proxy that became trusted is turned away")
		}
		stop()
	})
}

func TestOldBansAreForgotten(t *testing.T) {
	b := &ban.Bans{Escalation: ban.Escalation{Memory: time.Hour}}
	bubble(t, b, func(t *testing.T) {
		put(t, b, ban.PutInput{Client: "203.0.113.7", Seconds: 60})
		put(t, b, ban.PutInput{Client: "203.0.113.8", Seconds: 7200})
		time.Sleep(time.Hour)
		if got := clients(t, b, ban.ListInput{Over: true}); !slices.Equal(got, []string{"203.0.113.7/32", "203.0.113.8/32"}) {
			t.Errorf("remembered: %v", got)
		}
		time.Sleep(2*time.Minute + time.Second)
		synctest.Wait()
		if got := clients(t, b, ban.ListInput{Over: true}); !slices.Equal(got, []string{"203.0.113.8/32"}) {
			t.Errorf("remembered: %v", got)
		}
		if got := clients(t, b, ban.ListInput{Client: "203.0.113.7"}); len(got) > 0 {
			t.Errorf("of one: %v", got)
		}
		if got := clients(t, b, ban.ListInput{Client: "203.0.113.0/24"}); len(got) != 1 {
			t.Errorf("of its network: %v", got)
		}
	})
}

func TestTooManyBans(t *testing.T) {
	l := &trail{}
	b := &ban.Bans{Max: 3, Trail: l}
	bubble(t, b, func(t *testing.T) {
		for i, seconds := range []int64{300, 60, 120, 30, 600} {
			put(t, b, ban.PutInput{Client: fmt.Sprintf("203.0.113.%d", i), Seconds: seconds})
		}
		// the fourth stays although it ends first: it was asked for just then; the fifth ends it
		if got, want := clients(t, b, ban.ListInput{}), []string{"203.0.113.0/32", "203.0.113.2/32", "203.0.113.4/32"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		want := []string{"EvictBan by edge of 203.0.113.1/32", "EvictBan by edge of 203.0.113.3/32"}
		if d := cmp.Diff(want, l.names()); d != "" {
			t.Error(d)
		}
	})
}
