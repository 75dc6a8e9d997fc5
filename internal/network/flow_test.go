package network_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropstack/dropstack/internal/network"
)

func TestFlowRecordString(t *testing.T) {
	start := time.Unix(1_700_000_000, 900_000_000)
	for _, row := range []struct {
		r    network.FlowRecord
		want string
	}{
		{
			network.FlowRecord{
				Time: start, Duration: 1500 * time.Millisecond, Function: "orders", Port: "i-1", VPC: "vpc-a", Protocol: network.TCP,
				Source: at("10.0.1.10:40000"), Destination: at("10.9.0.10:27017"), Accepted: true, Sent: 120, Received: 4096,
			},
			"1700000000 1700000002 orders i-1 vpc-a 10.0.1.10 10.9.0.10 40000 27017 6 120 4096 1 ACCEPT -",
		},
		{
			network.FlowRecord{
				Time: start, Function: "orders", Port: "i-1", Protocol: network.UDP,
				Source: at("[fd00::1]:40000"), Destination: at("10.9.0.10:22"), Reason: "security group", Count: 7,
			},
			"1700000000 1700000000 orders i-1 - fd00::1 10.9.0.10 40000 22 17 0 0 7 REJECT security-group",
		},
		{network.FlowRecord{Time: start, Function: "a\nb c", Protocol: network.ICMP}, "1700000000 1700000000 a-b-c - - - - - - 1 0 0 1 REJECT -"},
		{network.FlowRecord{Time: start, Protocol: network.Any}, "1700000000 1700000000 - - - - - - - - 0 0 1 REJECT -"},
	} {
		got := row.r.String()
		if got != row.want {
			t.Errorf("got  %s\nwant %s", got, row.want)
		}
		if columns := len(strings.Fields(network.FlowColumns)); len(strings.Split(got, " ")) != columns {
			t.Errorf("%q has not %d columns", got, columns)
		}
	}
}

// Refusals differ by function, network, protocol, destination and reason; the
// source's port is another with every attempt.
func TestFlowsCountsRefusalsAlike(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &network.Flows{}
		refuse := func(change func(*network.FlowRecord)) {
			r := network.FlowRecord{Time: time.Now(), Function: "f", VPC: "v", Protocol: network.TCP, Source: at("10.0.0.1:1"), Destination: at("10.0.0.2:80"), Reason: "no host"}
			change(&r)
			f.Record(r)
		}
		same := func(*network.FlowRecord) {}
		refuse(same)
		time.Sleep(time.Minute - 1) // of the bubble's clock
		refuse(func(r *network.FlowRecord) { r.Source, r.Port = at("10.0.0.1:2"), "another instance" })
		refuse(func(r *network.FlowRecord) { r.Function = "g" })
		refuse(func(r *network.FlowRecord) { r.VPC = "w" })
		refuse(func(r *network.FlowRecord) { r.Protocol = network.UDP })
		refuse(func(r *network.FlowRecord) { r.Destination = at("10.0.0.2:81") })
		refuse(func(r *network.FlowRecord) { r.Reason = "no route" })
		refuse(func(r *network.FlowRecord) { r.Accepted = true })
		time.Sleep(time.Nanosecond)
		refuse(same) // a minute after the first: a new record
		var counts []int
		for _, r := range f.List(network.FlowFilter{}) {
			counts = append(counts, r.Count)
		}
		if len(counts) != 8 || counts[0] != 2 || counts[7] != 1 {
			t.Errorf("counts: got %d", counts)
		}
	})
}

func TestFlowsConcurrently(t *testing.T) {
	f, now := &network.Flows{Max: 100}, time.Now()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				f.Record(network.FlowRecord{Time: now, Function: "refused"})
				f.Record(network.FlowRecord{Time: now, Function: "accepted", Accepted: true})
				if got := f.List(network.FlowFilter{Function: "accepted", Limit: 5}); len(got) > 5 {
					t.Errorf("%d records, want at most 5", len(got))
				}
			}
		})
	}
	all.Wait()
	if got := len(f.List(network.FlowFilter{})); got != 100 {
		t.Errorf("kept: got %d, want 100", got)
	}
}
