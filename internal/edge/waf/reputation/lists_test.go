package reputation_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/edge/waf/reputation"
	"github.com/google/go-cmp/cmp"
)

func TestFormats(t *testing.T) {
	tests := []struct {
		name, doc string
		want      []string
		notice    string
		leftOut   int
		err       string
	}{
		{
			name: "Spamhaus as text", doc: "; Spamhaus DROP List 2026/11/26 - (c) 2026\n; https://www.spamhaus.org/drop/drop.txt\n192.0.2.0/24 ; SBL1\n198.51.100.0/25 ; SBL2\n",
			want: []string{"192.0.2.0/24", "198.51.100.0/25"}, notice: "Spamhaus DROP List 2026/11/26 - (c) 2026\nhttps://www.spamhaus.org/drop/drop.txt",
		},
		{
			name: "Spamhaus as JSON", doc: `{"cidr":"2001:db8::/32","sblid":"SBL1","rir":"arin"}` + "\n" + `{"cidr":"192.0.2.0/24","sblid":"SBL2","rir":"ripencc"}` + "\n" + `{"type":"metadata","timestamp":1795689600,"size":2,"records":2,"copyright":"(c) 2026 The Spamhaus Project SLU","terms":"https://www.spamhaus.org/drop/terms/"}`,
			want: []string{"2001:db8::/32", "192.0.2.0/24"}, notice: "metadata (c) 2026 The Spamhaus Project SLU https://www.spamhaus.org/drop/terms/",
		},
		{
			name: "exits of Tor", doc: "ExitNode 0011BD2485AD45D984EC4159C88FC066E5E3300E\nPublished 2026-11-25 05:40:20\nLastStatus 2026-11-25 14:00:00\nExitAddress 203.0.113.9 2026-11-25 14:05:31\n",
			want: []string{"203.0.113.9/32"},
		},
		{name: "Emerging Threats", doc: "# comment\n\n203.0.113.9\r\n192.0.2.0/24 # why\n", want: []string{"203.0.113.9/32", "192.0.2.0/24"}, notice: "comment"},
		{
			name: "what no list may have", doc: "0.0.0.0/0\n127.0.0.1\n10.1.0.0/16\n192.168.1.1\n::1\n::/0\nfe80::1\n8.0.0.0/7\n2001:db8::/32\n169.254.169.254\n255.255.255.255\n",
			want: []string{"2001:db8::/32"}, leftOut: 10,
		},
		{name: "an address within a range that is not its beginning", doc: "192.0.2.77/24\n", want: []string{"192.0.2.0/24"}},
		{name: "nothing", doc: "; nothing today\n", err: "there is no address in it"},
		{name: "a page", doc: "<html>\n<body>\n<h1>Sorry</h1>\n192.0.2.1\n</body>\n", err: "4 lines are no addresses, beside 1 that are: this is no list"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list, err := reputation.Parse([]byte(tt.doc))
			if fmt.Sprint(err) != tt.err && (err != nil || tt.err != "") {
				t.Fatalf("err %v, want %q", err, tt.err)
			}
			var got []string
			for _, p := range list.Prefixes {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("other prefixes (-want +got):\n%s", diff)
			}
			if err == nil && (list.Notice != tt.notice || list.LeftOut != tt.leftOut) {
				t.Errorf("notice %q, left out %d; want %q, %d", list.Notice, list.LeftOut, tt.notice, tt.leftOut)
			}
		})
	}
}

// source serves one list, by its validator.
type source struct {
	doc, etag string
	status    int
	asked     []string // If-None-Match of each request
}

func (s *source) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked = append(s.asked, r.Header.Get("If-None-Match"))
	if s.status != 0 {
		w.WriteHeader(s.status)
		return
	}
	w.Header().Set("ETag", s.etag)
	if r.Header.Get("If-None-Match") == s.etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	fmt.Fprint(w, s.doc)
}

// many is a list of n addresses.
func many(n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, "203.0.113.%d\n", i)
	}
	return out.String()
}

func TestListsAreKept(t *testing.T) {
	list := &source{doc: many(100), etag: `"1"`}
	server := httptest.NewServer(list)
	defer server.Close()
	dir := t.TempDir()
	if err := reputation.Change(dir, func(c *reputation.Config) error {
		c.Lists = append(c.Lists, reputation.Source{Name: "bad", URL: server.URL, Every: "12h"})
		c.Allow = []string{"203.0.113.50/32"}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	lists := &reputation.Lists{Dir: dir, Log: log}
	at := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	refresh := func(after time.Duration) {
		t.Helper()
		at = at.Add(after)
		if err := lists.Refresh(t.Context(), at); err != nil {
			t.Fatal(err)
		}
	}
	listed := func(client string, want bool) {
		t.Helper()
		if got := lists.Contains(netip.MustParseAddr(client)); got != want {
			t.Errorf("%s is listed: %v, want %v", client, got, want)
		}
	}
	state := func() reputation.State {
		t.Helper()
		states, err := lists.States()
		if err != nil || len(states) != 1 {
			t.Fatal(states, err)
		}
		return states[0]
	}
	listed("203.0.113.7", false)
	refresh(0)
	listed("203.0.113.7", true)
	listed("203.0.113.50", false) // the operator allows it
	listed("203.0.113.150", false)

	refresh(time.Hour)      // not due
	refresh(11 * time.Hour) // as it was
	if diff := cmp.Diff([]string{"", `"1"`}, list.asked); diff != "" {
		t.Errorf("the source was asked otherwise (-want +got):\n%s", diff)
	}

	for name, bad := range map[string]source{
		"empty": {doc: "# nothing\n", etag: `"2"`}, "shrunken": {doc: many(40), etag: `"3"`}, "away": {status: 503}, "a page": {doc: strings.Repeat("<p>x\n", 99), etag: `"4"`},
	} {
		*list = bad
		refresh(12 * time.Hour)
		listed("203.0.113.99", true)
		if s := state(); s.Err == "" || s.Addresses != 100 || s.ETag != `"1"` {
			t.Errorf("%s: state %+v, want an error and the list of before", name, s)
		}
	}

	*list = source{doc: many(60), etag: `"5"`}
	refresh(time.Hour) // sooner than usual, since the last answer was no good
	listed("203.0.113.99", false)
	listed("203.0.113.59", true)
	if s := state(); s.Err != "" || s.Addresses != 60 {
		t.Errorf("state %+v, want 60 addresses", s)
	}

	lists = &reputation.Lists{Dir: dir, Log: log} // a restart, and the source is away
	server.Close()
	if err := lists.Load(); err != nil {
		t.Fatal(err)
	}
	listed("203.0.113.59", true)

	if err := reputation.Change(dir, func(c *reputation.Config) error { c.Lists = nil; return nil }); err != nil {
		t.Fatal(err)
	}
	refresh(0)
	listed("203.0.113.59", false)
}

func TestFilesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "mine.txt")
	write := func(doc string, at time.Time) {
		t.Helper()
		if err := os.WriteFile(file, []byte(doc), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	write("192.0.2.1\n", now.Add(-time.Hour))
	if err := os.WriteFile(reputation.Path(dir), []byte("lists:\n  - name: mine\n    file: "+file+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lists := &reputation.Lists{Dir: dir, Log: slog.New(slog.DiscardHandler)}
	for _, want := range []string{"192.0.2.1", "192.0.2.2"} {
		write(want+"\n", now)
		now = now.Add(time.Second)
		if err := lists.Refresh(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		if !lists.Contains(netip.MustParseAddr(want)) {
			t.Errorf("%s is not listed", want)
		}
	}
}

func TestConfigurationsThatAreWrong(t *testing.T) {
	for doc, want := range map[string]string{
		"lists: [{name: A, url: https://example.com}]":                                      `name "A" must have`,
		"lists: [{name: a}]":                                                                "it must have a url or a file",
		"lists: [{name: a, url: ftp://example.com}]":                                        "must begin with https://",
		"lists: [{name: a, file: x}]":                                                       "must be a whole path",
		"lists: [{name: a, url: https://example.com, every: 5m}]":                           "not below 1h0m0s",
		"lists: [{name: a, url: https://example.com, evry: 5h}]":                            "evry",
		"lists: [{name: a, url: https://example.com}, {name: a, url: https://example.org}]": "be there once",
		"allow: [192.0.2.1]":                                                                "is no CIDR",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(reputation.Path(dir), []byte(doc), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := reputation.Read(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: err %v, want %q", doc, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("192.0.2.0/24 ; SBL1\n{\"cidr\":\"2001:db8::/32\"}\nExitAddress 203.0.113.9 x\n"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		list, err := reputation.Parse(doc)
		if err != nil {
			return
		}
		for _, p := range list.Prefixes {
			if !p.IsValid() || p.Bits() == 0 || p.Contains(netip.MustParseAddr("127.0.0.1")) || p.Contains(netip.MustParseAddr("::1")) {
				t.Errorf("%v is listed", p)
			}
		}
	})
}
