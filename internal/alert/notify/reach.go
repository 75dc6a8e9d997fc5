package notify

import (
	"net"
	"strings"

	"github.com/prometheus/common/config"

	"github.com/dropstack/dropstack/internal/network"
)

// outside ends a stored configuration whose author reaches nothing but the internet
// through the platform. Its author may write it too, and bars only himself.
const outside = "\n# Whoever has put this reaches only the internet through the platform.\n"

// inside says whether a stored configuration may lead to private addresses.
func inside(text string) bool { return !strings.HasSuffix(text, outside) }

// dialer connects to a receiver. What it connects to is checked, not what a name meant
// some time before.
func (p *plan) dialer() *net.Dialer {
	return &net.Dialer{Control: network.Guard(p.inside)}
}

// web is how senders that speak HTTP connect.
func (p *plan) web() config.HTTPClientOption {
	return config.WithDialContextFunc(p.dialer().DialContext)
}
