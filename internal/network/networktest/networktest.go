// Package networktest proves engines: it builds a small world out of network
// namespaces, joins functions to it with the engine under test and tries every
// row of the rule matrix with real packets.
//
//	                   host (the engine dials from here; the platform's admin port)
//	        wan0 203.0.113.1 │            │ lan0 192.168.50.1
//	internet 203.0.113.10 ───┘            └─── databases 192.168.50.10
//	  tcp 80, tcp 443, udp 443                   tcp 27017, 6379, 22
//
//	VPC A 10.0.0.0/16   app 10.0.1.0/24 (NAT, peered)  functions .10 and .11, .12 without rules
//	                    far 10.0.2.0/24 (neither)      function .10
//	VPC B 10.0.0.0/16   app 10.0.1.0/24 (NAT)          function .10: A's block and address again
//	VPC D 10.9.0.0/16   db  10.9.0.0/24 (peered to A)  Mongo .10, Redis .11
//
// Everything lives in namespaces that the test makes by running itself again
// (Isolate); the machine's own network is not touched.
package networktest

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"text/tabwriter"

	"github.com/dropstack/dropstack/internal/network"
)

// Networks is what the harness needs of the rules under test.
type Networks interface {
	Decide(*network.Port, network.Protocol, netip.AddrPort) network.Verdict
	Answer(ctx context.Context, port *network.Port, query []byte) []byte
}

// Setup is what an engine under test is built from.
type Setup struct {
	Networks   Networks // already permissive in a control run
	Model      network.Model
	Host       []netip.Addr // the host's own addresses
	Permissive bool         // for engines that don't ask Decide: turn every drop into accept
}

// Config is one run of the matrix.
type Config struct {
	// Networks compiles a model; the harness calls replace to change it while
	// flows are open. host is the addresses of the machine, which no function may
	// reach.
	Networks func(m network.Model, host []netip.Addr) (n Networks, replace func(network.Model) error, err error)
	// Engine starts the engine under test in the host's namespace; the harness
	// attaches the ports and closes it.
	Engine func(Setup) (network.Engine, error)
	// Permissive makes this the control run: every drop becomes an accept.
	Permissive bool
	// Kernel leaves Namespace.TUN nil and function namespaces without a device:
	// the engine makes its own.
	Kernel bool
	// NATGateway is the address that a function's traffic leaves the host with,
	// if the engine has one; asked after all ports are attached. Nil means
	// 100.64.0.1, an address of the host's loopback device.
	NATGateway func() netip.Addr
}

// Result is one row of the matrix.
type Result struct {
	Row  string
	Want bool   // reachable (of DNS rows: right)
	Got  bool   // likewise
	How  string // what ended the attempt: "answered", "timed out", "refused", …
}

// Holds reports whether the row came out as the rules demand.
func (r Result) Holds() bool { return r.Want == r.Got }

// Turned is how many rows a control run of the same rows turns over: those test a
// rule.
func Turned(results, control []Result) (n int) {
	for i, r := range results {
		if i < len(control) && !r.Want && !r.Got && control[i].Got {
			n++
		}
	}
	return n
}

// LeastTurned is how many have to be: with fewer the matrix tests no rules.
const LeastTurned = 12

// Table prints results, and beside them what a control run made of the same
// rows: a row that the control run turns over tests a rule, any other holds by
// structure. control may be nil.
func Table(results, control []Result) string {
	word := map[bool]string{true: "reachable", false: "blocked"}
	loose := map[string]Result{}
	for _, r := range control {
		loose[r.Row] = r
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	head := "row\tmust be\tgot\thow\tholds"
	if control != nil {
		head += "\twith every drop an accept\ttests"
	}
	fmt.Fprintln(w, head)
	held, rules := 0, 0
	for _, r := range results {
		holds := "NO"
		if r.Holds() {
			holds = "yes"
			held++
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s", r.Row, word[r.Want], word[r.Got], r.How, holds)
		if c, ok := loose[r.Row]; ok {
			tests := ""
			switch {
			case r.Want:
			case c.Got:
				tests = "a rule"
				rules++
			default:
				tests = "structure"
			}
			fmt.Fprintf(w, "\t%s (%s)\t%s", word[c.Got], c.How, tests)
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // into memory
	fmt.Fprintf(&b, "%d of %d hold", held, len(results))
	if control != nil {
		fmt.Fprintf(&b, "; the control run turns %d over: those test a rule", rules)
	}
	return b.String() + "\n"
}
