package network

import (
	"context"
	"net/netip"
	"os"
	"time"
)

// Engine carries the packets of ports. Engines ask Decide about the first packet
// of every flow and record what became of it.
type Engine interface {
	// Attach joins a network namespace to the networks as port, and returns once
	// packets flow. The files stay the caller's. Detach ends all flows of the port
	// and returns when nothing of it is left.
	Attach(ctx context.Context, port *Port, ns Namespace) (detach func() error, err error)
	Close() error
}

// Namespace is the network namespace of a sandbox as its init hands it over.
type Namespace struct {
	// TUN is the device of the engine in user space: without packet information,
	// MTU bytes at most a packet, its only address Port.Address, with the default
	// route to it.
	TUN *os.File
	// Net is the namespace itself, for the engine in the kernel.
	Net *os.File
}

// MTU of sandboxes' devices, in bytes.
const MTU = 65520

// FlowRecord is one finished or refused flow, in the manner of VPC flow logs.
type FlowRecord struct {
	Time        time.Time      `json:"time"` // of the first packet
	Function    string         `json:"function"`
	Port        string         `json:"instance"` // ID of the instance
	VPC         string         `json:"vpc,omitempty"`
	Protocol    Protocol       `json:"protocol"`
	Source      netip.AddrPort `json:"source"`
	Destination netip.AddrPort `json:"destination"`
	Accepted    bool           `json:"accepted"`
	Reason      string         `json:"reason"`             // Verdict.Reason; "unreachable" when an accepted one could not be connected
	Sent        int64          `json:"sent"`               // bytes from the function
	Received    int64          `json:"received"`           // bytes to the function
	Duration    time.Duration  `json:"duration,omitempty"` // in JSON: nanoseconds
	Count       int            `json:"count"`              // of refusals alike within a minute that Flows counts as one; 0 means 1
}
