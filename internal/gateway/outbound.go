package gateway

import (
	"net"
	"net/http"
	"time"

	"github.com/dropstack/dropstack/internal/network"
)

// transport carries what the gateway asks of others: issuers' keys, and the routes
// that lead to a URL. It uses no proxy, and looks at the addresses that it connects
// to and not at names, which may mean something else by then.
func (g *Gateway) transport() *http.Transport {
	g.outbound.Do(func() {
		dialer := &net.Dialer{Timeout: 5 * time.Second, Control: network.Guard(true)} // routes may lead to private addresses
		g.carrier = &http.Transport{
			DialContext: dialer.DialContext, ForceAttemptHTTP2: true, DisableCompression: true,
			TLSHandshakeTimeout: 5 * time.Second, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute,
		}
	})
	return g.carrier
}
