// Package kernel is the engine of networks that leaves the packets to Linux: for
// root, who asks for it, because it writes to the host's own network namespace.
//
// Every VPC is a router: a network namespace of its own, so blocks may overlap.
// An instance is joined by a routed veth with a /32, the gateway 169.254.1.1 and
// permanent neighbours; there is no bridge and nobody asks by ARP. What passes is
// said by one nftables table per router, written whole in one batch:
//
//	prerouting  who it is (interface and source address together), established flows,
//	            then by interface to the chain of its subnet and groups:
//	            resolver, metadata, egress rules, the subnet's routes, ingress rules
//	proxy       what goes to an interface or an endpoint, to our listener in the router
//	forward     nothing leaves by another door than the one decided about
//
// Interfaces that stand for an outside host, and interface endpoints, are addresses
// of the router itself. A proxy in this process listens there and dials the host from
// the machine's own network, so a database on loopback can be one, and two VPCs
// with the same block can have different ones. The internet is a veth to the host:
// the router translates to the veth's address, the host translates that to its own.
//
// In the host's namespace there is one table of ours, named dropstack- and the
// number of the process, one veth per router that has used NAT, and ip_forward if it was
// off; Close takes all of it back, and of a process that was killed Sweep does. A host firewall that drops forwarded packets still
// does: no table can overrule another's drop.
//
// Flow records: every refused flow (the first packet of it, not its
// retransmissions within a minute), every flow of the proxy with its bytes and
// whether it could be connected, and every flow through NAT with its bytes when the
// kernel has forgotten it, which for TCP is up to two minutes after it closed.
// Questions to the resolver are not recorded. Under a flood of refusals
// the kernel's queue overflows and records are lost; packets are refused regardless.
package kernel

import (
	"context"
	"log/slog"
	"net/netip"

	"github.com/dropstack/dropstack/internal/network"
)

// Engine carries ports through the kernel. Its fields are set before the first
// Attach; the zero value of those below Model is useful.
type Engine struct {
	// Model is the networks as they are now; after it has changed, Apply.
	Model func() *network.Model
	// Decide, when set, is asked about every flow the proxy has accepted: a second
	// lock behind the rules, and the one that names the host and the service.
	Decide func(port *network.Port, protocol network.Protocol, to netip.AddrPort) network.Verdict
	// Answer answers a DNS query of a port, nil for not at all.
	Answer func(ctx context.Context, port *network.Port, query []byte) []byte
	// Service says where a service of the platform listens, for what comes to a
	// port of an endpoint.
	Service func(service string, port uint16) (netip.AddrPort, bool)
	// Record takes flow records; it is called from several goroutines.
	Record func(network.FlowRecord)
	Log    *slog.Logger

	state
}

var _ network.Engine = (*Engine)(nil)

func (e *Engine) log() *slog.Logger {
	if e.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return e.Log
}

func (e *Engine) record(r network.FlowRecord) {
	if e.Record != nil {
		e.Record(r)
	}
}
