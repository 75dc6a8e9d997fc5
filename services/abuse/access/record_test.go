package access_test

import (
	"bytes"
	"compress/gzip"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/services/abuse/access"
)

var same = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

func TestALineOfTheStream(t *testing.T) {
	f, err := access.NewFormat(strings.Fields(access.RealTime))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{
		"timestamp": "1764187200.123", "c-ip": "203.0.113.7", "sc-status": "403", "sc-bytes": "1500", "cs-method": "POST",
		"cs-uri-stem": "/a%2520b", "x-edge-request-id": "abc", "x-dropstack-refused": "1", "x-edge-result-type": "Error",
	}
	line := func(change ...string) string {
		var parts []string
		for _, name := range strings.Fields(access.RealTime) {
			v, ok := values[name]
			if len(change) == 2 && change[0] == name {
				v, ok = change[1], true
			}
			if !ok {
				v = "-"
			}
			parts = append(parts, v)
		}
		return strings.Join(parts, "\t") + "\n"
	}
	got, err := f.Parse(line())
	want := access.Record{
		Time: time.Date(2025, 11, 26, 20, 0, 0, 123e6, time.UTC), Client: netip.MustParseAddr("203.0.113.7"), Method: "POST",
		Path: "/a b", Status: 403, Bytes: 1500, Request: "abc", Refused: true,
	}
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, same); d != "" {
		t.Error(d)
	}
	for name, c := range map[string]struct {
		field, value string
		want         func(access.Record) bool
	}{
		"a request that was let in": {"x-dropstack-refused", "-", func(r access.Record) bool { return !r.Refused }},
		"IPv6":                      {"c-ip", "2001:db8::1", func(r access.Record) bool { return r.Client.Is6() }},
		"a client that left":        {"sc-status", "000", func(r access.Record) bool { return r.Status == 0 }},
		"a path encoded once":       {"cs-uri-stem", "/a%20b", func(r access.Record) bool { return r.Path == "/a b" }},
		"a path encoded thrice":     {"cs-uri-stem", "/a%252520b", func(r access.Record) bool { return r.Path == "/a%20b" }},
		"no encoding":               {"cs-uri-stem", "/100%/%zz%4", func(r access.Record) bool { return r.Path == "/100%/%zz%4" }},
		"whole seconds":             {"timestamp", "1764187200", func(r access.Record) bool { return r.Time.Nanosecond() == 0 }},
		"tenths":                    {"timestamp", "1764187200.1", func(r access.Record) bool { return r.Time.Nanosecond() == 100e6 }},
		"a size that nobody knows":  {"sc-bytes", "-", func(r access.Record) bool { return r.Bytes == 0 }},
	} {
		if r, err := f.Parse(line(c.field, c.value)); err != nil || !c.want(r) {
			t.Errorf("%s: got %+v, %v", name, r, err)
		}
	}
	for _, wrong := range [][2]string{{"timestamp", "-"}, {"timestamp", "x"}, {"c-ip", "-"}, {"c-ip", "here"}, {"sc-status", "-"}, {"sc-bytes", "many"}} {
		if r, err := f.Parse(line(wrong[0], wrong[1])); err == nil {
			t.Errorf("%s %q: got %+v", wrong[0], wrong[1], r)
		}
	}
	if _, err := f.Parse("short"); err == nil {
		t.Error("a short line was read")
	}
}

func TestFieldsThatSayNothing(t *testing.T) {
	for _, names := range []string{"", "c-ip sc-status", "timestamp c-ip", "date c-ip sc-status", "time c-ip sc-status", "timestamp sc-status"} {
		if _, err := access.NewFormat(strings.Fields(names)); err == nil {
			t.Errorf("%q was taken", names)
		}
	}
}

const log2017 = `#Version: 1.0
#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version
2017-11-20	08:15:30	FRA2	512	203.0.113.7	GET	d1.cloudfront.net	/x%2520y	404	-	curl%2520/7	-	-	Error	id1	d1.example.org	https	20	0.001	-	TLSv1.2	A	Error	HTTP/1.1
not a line
2017-11-20	08:15:31	FRA2	512	203.0.113.8	GET	d1.cloudfront.net	/	200	-	-	-	-	Hit	id2	d1.example.org	https	20	0.001	-	-	-	Hit	HTTP/1.1
`

func TestObjectsOfTheStandardLog(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte(log2017)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	for name, doc := range map[string]string{"plain": log2017, "gzip": packed.String()} {
		var got []access.Record
		bad, err := access.Read(strings.NewReader(doc), func(r access.Record) { got = append(got, r) })
		if err != nil || bad != 1 {
			t.Errorf("%s: %d bad lines, %v", name, bad, err)
		}
		want := []access.Record{
			{Time: time.Date(2017, 11, 20, 8, 15, 30, 0, time.UTC), Client: netip.MustParseAddr("203.0.113.7"), Method: "GET", Path: "/x y", Status: 404, Bytes: 512, Request: "id1"},
			{Time: time.Date(2017, 11, 20, 8, 15, 31, 0, time.UTC), Client: netip.MustParseAddr("203.0.113.8"), Method: "GET", Path: "/", Status: 200, Bytes: 512, Request: "id2"},
		}
		if d := cmp.Diff(want, got, same); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	cut := packed.String()[:packed.Len()-20]
	for name, doc := range map[string]string{"no fields": "2017-11-20\t08:15:31\n", "too few fields": "#Fields: date time\n", "cut short": cut} {
		if _, err := access.Read(strings.NewReader(doc), func(access.Record) {}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if bad, err := access.Read(strings.NewReader(""), func(access.Record) {}); err != nil || bad != 0 {
		t.Errorf("nothing: %d, %v", bad, err)
	}
}
