package network_test

import (
	"fmt"
	"testing"

	"github.com/miekg/dns"

	"github.com/dropstack/dropstack/internal/network"
)

func TestFit(t *testing.T) {
	zone := network.Zone{Name: "big.example", VPCs: []string{"vpc-a"}, Records: []network.Record{{Name: "all.big.example", Type: "A", TTL: 60}}}
	for i := range 100 {
		zone.Records[0].Values = append(zone.Records[0].Values, fmt.Sprintf("10.9.1.%d", i+1))
	}
	m := world(true)
	m.Zones = append(m.Zones, zone)
	n := networks(t, m)
	for _, row := range []struct {
		edns uint16 // 0: without
		room int
		cut  bool
	}{
		{0, 512, true},
		{100, 512, true}, // less than anybody may say
		{512, 512, true},
		{1232, 1232, true},
		{4096, 4096, false},
	} {
		q := new(dns.Msg).SetQuestion("all.big.example.", dns.TypeA)
		if row.edns > 0 {
			q.SetEdns0(row.edns, false)
		}
		query, err := q.Pack()
		if err != nil {
			t.Fatal(err)
		}
		full := n.Answer(t.Context(), ports["app"], query)
		fitted := network.Fit(query, full)
		var a, b dns.Msg
		if err := a.Unpack(full); err != nil || a.Truncated || len(a.Answer) != 100 {
			t.Fatalf("EDNS %d: the whole answer: %d records, %v", row.edns, len(a.Answer), err)
		}
		if err := b.Unpack(fitted); err != nil || b.Id != q.Id || len(fitted) > row.room || b.Truncated != row.cut || (len(b.Answer) < 100) != row.cut || (b.IsEdns0() != nil) != (row.edns > 0) {
			t.Errorf("EDNS %d: %d bytes, truncated %t, %d records, %v", row.edns, len(fitted), b.Truncated, len(b.Answer), err)
		}
	}
	if got := network.Fit(nil, nil); got != nil {
		t.Errorf("silence: got %x", got)
	}
}

func FuzzFit(f *testing.F) {
	f.Add([]byte("query"), make([]byte, 600))
	f.Fuzz(func(t *testing.T, query, answer []byte) {
		got := network.Fit(query, answer)
		var q dns.Msg
		if room := 512; q.Unpack(query) != nil && len(got) > room {
			t.Fatalf("%d bytes for a query that says nothing of its room", len(got))
		}
	})
}
