package verdict_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/services/abuse/state"
	"github.com/dropstack/dropstack/services/abuse/verdict"
)

// waf is WAFv2 as far as IP sets go: two sets, lock tokens, addresses of IPv6 written
// out as AWS does.
type waf struct {
	t         *testing.T
	addresses map[string][]string // by the set's id
	token     int
	updates   int
	between   func() // called once, after the next read
	fail      error
}

func (w *waf) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.fail != nil {
		return nil, w.fail
	}
	if auth := r.Header.Get("Authorization"); !strings.Contains(auth, "/us-east-1/wafv2/aws4_request") || r.Header.Get("Content-Type") != "application/x-amz-json-1.1" {
		w.t.Errorf("headers: %v", r.Header)
	}
	var in struct {
		Name, Id, Scope, LockToken, Description string //nolint:revive // AWS's names
		Addresses                               []string
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		w.t.Error(err)
	}
	version := map[string]string{"id4": "IPV4", "id6": "IPV6"}[in.Id]
	if version == "" || in.Scope != "CLOUDFRONT" || in.Name != "bans" {
		return answer(400, `{"__type":"com.amazonaws.wafv2#WAFNonexistentItemException","Message":"there is none"}`), nil
	}
	switch r.Header.Get("X-Amz-Target") {
	case "AWSWAF_20190729.GetIPSet":
		out, err := json.Marshal(map[string]any{"LockToken": fmt.Sprint(w.token), "IPSet": map[string]any{
			"Name": in.Name, "Id": in.Id, "ARN": "arn:aws:wafv2:…", "Description": "kept", "IPAddressVersion": version, "Addresses": w.addresses[in.Id],
		}})
		if err != nil {
			w.t.Error(err)
		}
		if f := w.between; f != nil {
			w.between = nil
			f()
		}
		return answer(200, string(out)), nil
	case "AWSWAF_20190729.UpdateIPSet":
		if in.LockToken != fmt.Sprint(w.token) {
			return answer(400, `{"__type":"WAFOptimisticLockException","Message":"changed"}`), nil
		}
		if in.Description != "kept" || in.Addresses == nil || len(in.Addresses) > 10_000 {
			w.t.Errorf("description %q, %d addresses", in.Description, len(in.Addresses))
		}
		w.updates++
		w.token++
		w.addresses[in.Id] = nil
		for _, a := range in.Addresses {
			p := netip.MustParsePrefix(a)
			if p.Addr().Is6() != (version == "IPV6") {
				w.t.Errorf("%s in a set of %s", a, version)
			}
			w.addresses[in.Id] = append(w.addresses[in.Id], fmt.Sprintf("%s/%d", p.Addr().StringExpanded(), p.Bits()))
		}
		slices.Sort(w.addresses[in.Id])
		return answer(200, fmt.Sprintf(`{"NextLockToken":"%d"}`, w.token)), nil
	}
	w.t.Errorf("operation %s", r.Header.Get("X-Amz-Target"))
	return answer(400, `{}`), nil
}

func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewBufferString(body))}
}

func sets(t *testing.T) (*verdict.IPSets, *waf) {
	t.Helper()
	w := &waf{t: t, addresses: map[string][]string{"id4": {"192.0.2.1/32"}, "id6": nil}}
	s := &verdict.IPSets{
		Client: &verdict.Client{Endpoint: "https://waf.test", Region: "us-east-1", Keys: aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, HTTP: &http.Client{Transport: w}},
		V4:     &verdict.Set{Name: "bans", ID: "id4", Scope: "CLOUDFRONT"}, V6: &verdict.Set{Name: "bans", ID: "id6", Scope: "CLOUDFRONT"},
		Bans: &state.Journal[verdict.Entry]{Path: filepath.Join(t.TempDir(), "bans.journal")},
	}
	return s, w
}

func ban(t *testing.T, s *verdict.IPSets, client string, length time.Duration) verdict.Made {
	t.Helper()
	made, err := s.Ban(t.Context(), verdict.Ban{Client: netip.MustParsePrefix(client), Reason: "a test", For: length})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func has(t *testing.T, w *waf, id string, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, append([]string(nil), w.addresses[id]...)); d != "" {
		t.Errorf("set %s: %s", id, d)
	}
}

func TestBansInIPSets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w := sets(t)
		made := ban(t, s, "203.0.113.7/32", time.Hour)
		if d := time.Until(made.Until); d != time.Hour || made.Times != 1 {
			t.Errorf("banned for %v, %d times", d, made.Times)
		}
		ban(t, s, "2001:db8:0:1::/64", 2*time.Hour)
		has(t, w, "id4", "192.0.2.1/32", "203.0.113.7/32")
		has(t, w, "id6", "2001:0db8:0000:0001:0000:0000:0000:0000/64")
		client := netip.MustParsePrefix("203.0.113.7/32")
		if !s.Held(client, time.Now().Add(time.Minute)) || s.Held(client, time.Now().Add(time.Hour)) || s.Held(client, time.Now().Add(-2*time.Second)) {
			t.Error("want the ban to hold from now on for an hour")
		}
		before := w.updates
		time.Sleep(30 * time.Minute)
		if again := ban(t, s, "203.0.113.7/32", time.Hour); again != made || w.updates != before {
			t.Errorf("a ban that holds became %+v, with %d updates", again, w.updates-before)
		}
		if err := s.Expire(t.Context()); err != nil || w.updates != before {
			t.Errorf("nothing is over: %v, %d updates", err, w.updates-before)
		}
		time.Sleep(30 * time.Minute)
		if err := s.Expire(t.Context()); err != nil {
			t.Fatal(err)
		}
		has(t, w, "id4", "192.0.2.1/32") // which is not ours
		has(t, w, "id6", "2001:0db8:0000:0001:0000:0000:0000:0000/64")
		made = ban(t, s, "203.0.113.7/32", time.Hour)
		if d := time.Until(made.Until); d != 2*time.Hour || made.Times != 2 {
			t.Errorf("again for %v, %d times; want twice as long", d, made.Times)
		}
		time.Sleep(2*time.Hour + 24*time.Hour + time.Second)
		if err := s.Expire(t.Context()); err != nil {
			t.Fatal(err)
		}
		all, _, err := s.Bans.Load()
		if err != nil || len(all) != 0 {
			t.Errorf("remembered: %v, %v", all, err)
		}
		has(t, w, "id6")
	})
}

// TestASetThatIsGone keeps nobody in the other.
func TestASetThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w := sets(t)
		ban(t, s, "203.0.113.7/32", time.Hour)
		ban(t, s, "2001:db8:0:1::/64", time.Hour)
		time.Sleep(2 * time.Hour)
		s.V4.Name = "gone"
		if err := s.Expire(t.Context()); err == nil {
			t.Error("nothing is said of the set that is gone")
		}
		has(t, w, "id6")
	})
}

func TestOthersChangeTheSetMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w := sets(t)
		w.between = func() { w.addresses["id4"] = append(w.addresses["id4"], "192.0.2.9/32"); w.token++ }
		ban(t, s, "203.0.113.7/32", time.Hour)
		has(t, w, "id4", "192.0.2.1/32", "192.0.2.9/32", "203.0.113.7/32")
	})
}

func TestABanThatCannotBeMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w := sets(t)
		w.fail = errors.New("no route")
		b := verdict.Ban{Client: netip.MustParsePrefix("203.0.113.7/32"), For: time.Hour}
		if _, err := s.Ban(t.Context(), b); err == nil || errors.Is(err, verdict.ErrRefused) {
			t.Errorf("got %v, want it to be tried again", err)
		}
		if s.Held(b.Client, time.Now()) {
			t.Error("taken for banned")
		}
		w.fail = nil
		if made := ban(t, s, "203.0.113.7/32", time.Hour); made.Times != 1 {
			t.Errorf("made %d times", made.Times)
		}
		s.V6 = nil
		if _, err := s.Ban(t.Context(), verdict.Ban{Client: netip.MustParsePrefix("2001:db8::/64"), For: time.Hour}); !errors.Is(err, verdict.ErrRefused) {
			t.Errorf("without a set of IPv6: %v", err)
		}
	})
}

func TestShadowBansAreWrittenDownOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w := sets(t)
		b := verdict.Ban{Client: netip.MustParsePrefix("203.0.113.7/32"), For: time.Hour, Shadow: true}
		if _, err := s.Ban(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		has(t, w, "id4", "192.0.2.1/32")
		if s.Held(b.Client, time.Now()) {
			t.Error("taken for banned")
		}
		if made := ban(t, s, "203.0.113.7/32", time.Hour); made.Times != 1 {
			t.Errorf("made %d times", made.Times)
		}
		has(t, w, "id4", "192.0.2.1/32", "203.0.113.7/32")
	})
}

func TestAFullSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w := sets(t)
		many := map[string]verdict.Entry{}
		for i := range 10_000 {
			a := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32)
			many[a.String()] = verdict.Entry{Since: time.Now(), Until: time.Now().Add(time.Hour + time.Duration(i)*time.Second), Times: 1}
		}
		if _, _, err := s.Bans.Load(); err != nil {
			t.Fatal(err)
		}
		if err := s.Bans.Save(many, nil); err != nil {
			t.Fatal(err)
		}
		ban(t, s, "203.0.113.7/32", 4*time.Hour)
		got := w.addresses["id4"]
		if len(got) != 10_000 || !slices.Contains(got, "203.0.113.7/32") || !slices.Contains(got, "192.0.2.1/32") || slices.Contains(got, "10.0.0.0/32") {
			t.Errorf("%d addresses; want the new one, the one of others, and those that end last", len(got))
		}
	})
}

func TestNamesOfSets(t *testing.T) {
	if got, err := verdict.ParseSet("bans/a-b/REGIONAL"); err != nil || got != (verdict.Set{Name: "bans", ID: "a-b", Scope: "REGIONAL"}) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, wrong := range []string{"", "bans", "bans/a", "bans/a/", "bans/a/EVERYWHERE", "/a/REGIONAL", "bans//REGIONAL", "a/b/c/REGIONAL"} {
		if got, err := verdict.ParseSet(wrong); err == nil {
			t.Errorf("%q: got %+v", wrong, got)
		}
	}
}
