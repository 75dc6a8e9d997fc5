// Package user carries the packets of functions in user space: a TCP/IP stack in
// this process (gVisor's) for every port, at the other end of the TUN device in
// the function's namespace. It needs no root, no forwarding and no table of the
// host, so it serves every level of isolation that has a network namespace.
//
//	packet → admit: IPv4? own source? whole? → stack → first of a flow? → Decide
//	  Drop    → nothing answers, the flow is recorded
//	  Dial    → connected from this machine first, only then is the function's
//	            handshake completed: it sees refusals as refusals, silence as silence
//	  Resolve → Answer, over UDP and TCP
//	  Serve   → Service says where the platform's own service listens
//
// The function is not trusted: flows, half-open connections, buffers and flow
// records are bounded per port, flows over all ports too, and ICMP, fragments and other protocols never
// reach the stack. Traffic towards functions starts nowhere: nothing listens.
package user

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dropstack/dropstack/internal/network"
)

// Engine is the engine in user space. Its methods may be called concurrently.
type Engine struct {
	// Decide is asked about the first packet of every flow, from many goroutines
	// and on the packets' path: it must not block.
	Decide func(*network.Port, network.Protocol, netip.AddrPort) network.Verdict
	// Answer answers a DNS message (RFC 1035) in wire format; nil means silence.
	// Over UDP the engine truncates what the asker has no room for. Without
	// Answer, no query is answered.
	Answer func(ctx context.Context, port *network.Port, query []byte) []byte
	// Record takes each flow when it ends, or at once when it is refused; nil
	// records nothing. Of a refused flow's retries within a minute only the first
	// is recorded. It is on the packets' path and must not block.
	Record func(network.FlowRecord)
	// Service says where a service of the platform listens for Serve, for what
	// comes to a port of an endpoint.
	Service func(service string, port uint16) (netip.AddrPort, bool)
	Log     *slog.Logger // nil: slog.Default
	// MaxFlows is how many flows a port may have open, over all protocols; first
	// packets of further ones are dropped. 0 means 1024.
	MaxFlows int
	// MaxAll is how many flows all ports together may have: each takes a descriptor
	// and buffers of this process. 0 means 16384.
	MaxAll int

	flows    atomic.Int64
	mu       sync.Mutex
	closed   bool
	attached map[*attachment]struct{}
}

// Limits besides MaxFlows and MaxAll: those of a port.
const (
	defaultMaxFlows = 1024
	defaultMaxAll   = 16384
	maxHalfOpen     = 256       // TCP connections before their handshake is complete
	tcpBuffer       = 256 << 10 // bytes a TCP flow, each way
	udpBuffer       = 128 << 10 // bytes a UDP flow, each way
	maxQueries      = 16        // DNS queries of a flow being answered at once
	maxRefusals     = 1024      // refusals recorded per refusalWindow
	refusalWindow   = time.Minute
	dialTimeout     = 10 * time.Second
	udpIdle         = time.Minute      // a UDP flow without packets ends
	dnsIdle         = 30 * time.Second // one of port 53, over TCP too
)

// Close detaches all ports. Ports attached later are refused.
func (e *Engine) Close() error {
	e.mu.Lock()
	e.closed = true
	var open []*attachment
	for a := range e.attached {
		open = append(open, a)
	}
	e.mu.Unlock()
	var errs []error
	for _, a := range open {
		errs = append(errs, a.detach())
	}
	return errors.Join(errs...)
}

func (e *Engine) log() *slog.Logger {
	if e.Log == nil {
		return slog.Default()
	}
	return e.Log
}

func (e *Engine) maxFlows() int {
	if e.MaxFlows == 0 {
		return defaultMaxFlows
	}
	return e.MaxFlows
}

// take counts a flow of any port in, unless there are too many; give counts it out.
func (e *Engine) take() bool {
	most := int64(defaultMaxAll)
	if e.MaxAll != 0 {
		most = int64(e.MaxAll)
	}
	if e.flows.Add(1) <= most {
		return true
	}
	e.flows.Add(-1)
	return false
}

func (e *Engine) give() { e.flows.Add(-1) }
