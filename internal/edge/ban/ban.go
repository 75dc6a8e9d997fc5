// Package ban keeps which clients are turned away, why and until when.
//
// A ban is made by whoever watches what clients do (a function, an operator, the
// edge itself for floods) and reaches every edge within a second. It is stored in
// the KV bucket "bans" of the durable engine, by the client's prefix.
package ban

import (
	"net/netip"
	"time"
)

// Ban turns a client away until it expires.
type Ban struct {
	Client  netip.Prefix `json:"client"` // an IPv4 address as /32, of IPv6 its /64
	Reason  string       `json:"reason"` // for operators, such as "51 failed requests in a minute"
	By      string       `json:"by"`     // ARN of who made it, or "edge"
	Since   time.Time    `json:"since"`
	Until   time.Time    `json:"until"`
	Times   int          `json:"times"`            // how often this client has been banned lately, this one included
	Shadow  bool         `json:"shadow,omitempty"` // it is written down only; nobody is turned away
	Request string       `json:"request,omitempty"`
}
