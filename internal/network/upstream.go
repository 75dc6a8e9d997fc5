package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

const (
	upstreamTimeout = 5 * time.Second  // of a query, over all servers
	confAge         = 30 * time.Second // resolv.conf is read again after
	confPath        = "/etc/resolv.conf"
)

// resolvConf asks the servers of this machine's resolv.conf.
type resolvConf struct{ current atomic.Pointer[servers] }

type servers struct {
	read  time.Time
	addrs []string
}

func (r *resolvConf) servers() ([]string, error) {
	known := r.current.Load()
	if known != nil && time.Since(known.read) < confAge {
		return known.addrs, nil
	}
	conf, err := dns.ClientConfigFromFile(confPath)
	if err != nil {
		return nil, fmt.Errorf("find the servers of names: %w", err)
	}
	known = &servers{read: time.Now()}
	for _, server := range conf.Servers {
		known.addrs = append(known.addrs, net.JoinHostPort(server, conf.Port))
	}
	if len(known.addrs) == 0 {
		return nil, fmt.Errorf("%s names no server", confPath)
	}
	r.current.Store(known)
	return known.addrs, nil
}

func (r *resolvConf) exchange(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
	addrs, err := r.servers()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, upstreamTimeout)
	defer cancel()
	return exchange(ctx, q, addrs)
}

// exchange asks servers in their order, each for its share of the time, until one
// answers; over TCP again when the answer was too large for UDP.
func exchange(ctx context.Context, q *dns.Msg, addrs []string) (*dns.Msg, error) {
	share := max(upstreamTimeout/time.Duration(len(addrs)), time.Second)
	var failures []error
	for _, addr := range addrs {
		if ctx.Err() != nil {
			break
		}
		in, _, err := (&dns.Client{Net: "udp", Timeout: share, UDPSize: udpPayload}).ExchangeContext(ctx, q, addr)
		if err == nil && in.Truncated {
			in, _, err = (&dns.Client{Net: "tcp", Timeout: share}).ExchangeContext(ctx, q, addr)
		}
		if err == nil {
			return in, nil
		}
		failures = append(failures, fmt.Errorf("ask %s: %w", addr, err))
	}
	return nil, errors.Join(append(failures, ctx.Err())...)
}
