package network

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
)

// Flows keeps the latest flow records in memory. The zero value is ready; its
// methods may be called concurrently.
type Flows struct {
	Max int // records kept; 0 means 10,000

	mu      sync.Mutex
	ring    []FlowRecord
	next    int // where the next record goes once the ring is full
	refused map[refusal]int
}

const defaultMaxFlows = 10_000

// refusalWindow is how long refusals of one kind are counted in one record.
const refusalWindow = time.Minute

type refusal struct {
	function, vpc, reason string
	protocol              Protocol
	destination           netip.AddrPort
}

func (r *FlowRecord) refusal() refusal {
	return refusal{r.Function, r.VPC, r.Reason, r.Protocol, r.Destination}
}

// Record keeps a flow record, in place of the oldest when there are Max. A
// refusal like one recorded within the minute before only adds to its Count, and
// its Duration becomes the time from the first to the latest.
func (f *Flows) Record(r FlowRecord) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refused == nil {
		f.refused = map[refusal]int{}
	}
	r.Count = max(r.Count, 1)
	key := r.refusal()
	if i, known := f.refused[key]; known && !r.Accepted {
		first := &f.ring[i]
		if since := r.Time.Sub(first.Time); since < refusalWindow {
			first.Count += r.Count
			first.Duration = max(first.Duration, since)
			return
		}
	}
	at := f.slot()
	f.ring[at] = r
	if !r.Accepted {
		f.refused[key] = at
	}
}

// slot makes room for a record.
func (f *Flows) slot() int {
	limit := f.Max
	if limit <= 0 {
		limit = defaultMaxFlows
	}
	if len(f.ring) < limit {
		f.ring = append(f.ring, FlowRecord{})
		return len(f.ring) - 1
	}
	at := f.next
	f.next = (f.next + 1) % len(f.ring)
	if key := f.ring[at].refusal(); f.refused[key] == at {
		delete(f.refused, key)
	}
	return at
}

// FlowFilter chooses flow records. Its zero value chooses all.
type FlowFilter struct {
	Function string    `json:"function,omitempty"` // "": any
	VPC      string    `json:"vpc,omitempty"`      // "": any
	Rejected bool      `json:"rejected,omitempty"` // refused ones only
	Since    time.Time `json:"since,omitzero"`     // whose latest packet known of is not older
	Limit    int       `json:"limit,omitempty"`    // the latest so many; 0 means all
}

// List returns the records that a filter chooses, in the order they came in.
func (f *Flows) List(filter FlowFilter) []FlowRecord {
	f.mu.Lock()
	defer f.mu.Unlock()
	var chosen []FlowRecord
	for i := range f.ring {
		r := &f.ring[(f.next+i)%len(f.ring)]
		if filter.Function != "" && r.Function != filter.Function ||
			filter.VPC != "" && r.VPC != filter.VPC ||
			filter.Rejected && r.Accepted ||
			r.Time.Add(r.Duration).Before(filter.Since) {
			continue
		}
		chosen = append(chosen, *r)
	}
	if filter.Limit > 0 && len(chosen) > filter.Limit {
		chosen = chosen[len(chosen)-filter.Limit:]
	}
	return chosen
}

// FlowColumns names the columns of FlowRecord.String, as the first line of a file
// of flow logs does. Names that VPC flow logs have too mean the same: start and
// end in whole seconds of Unix time, IANA's number of the protocol, ACCEPT or
// REJECT. instance-id is FlowRecord.Port; sent and received are bytes.
const FlowColumns = "start end function instance-id vpc-id srcaddr dstaddr srcport dstport protocol sent received count action reject-reason"

// String is the record as a line with FlowColumns, one space between them. What is
// unknown or empty is -, and spaces within a value are - too.
func (r FlowRecord) String() string {
	action, reason := "REJECT", r.Reason
	if r.Accepted {
		action, reason = "ACCEPT", ""
	}
	from, fromPort := columns(r.Source)
	to, toPort := columns(r.Destination)
	return fmt.Sprintf("%d %d %s %s %s %s %s %s %s %s %d %d %d %s %s",
		r.Time.Unix(), r.Time.Add(r.Duration).Unix(), word(r.Function), word(r.Port), word(r.VPC),
		from, to, fromPort, toPort, r.Protocol.number(), r.Sent, r.Received, max(r.Count, 1), action, word(reason))
}

func columns(a netip.AddrPort) (addr, port string) {
	if !a.IsValid() {
		return "-", "-"
	}
	return a.Addr().String(), strconv.Itoa(int(a.Port()))
}

// word makes one column of a value, whatever is in it.
func word(value string) string {
	if value == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return '-'
		}
		return r
	}, value)
}

// number is the protocol's in the registry of IANA.
func (p Protocol) number() string {
	switch p {
	case ICMP:
		return "1"
	case TCP:
		return "6"
	case UDP:
		return "17"
	}
	return "-"
}
