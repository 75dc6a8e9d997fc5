package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/instance"
	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/network/kernel"
	"github.com/dropstack/dropstack/internal/network/user"
	"github.com/dropstack/dropstack/internal/sandbox"
)

// The engines that carry packets.
const (
	userEngine   = "user"
	kernelEngine = "kernel"
)

// networks is the private networks, and the engine that carries the packets of
// functions in sandboxes.
type networks struct {
	*network.Networks
	flows  network.Flows
	engine network.Engine
	kernel *kernel.Engine // the engine, if it is that one: it wants to hear of changes
	level  string         // at which functions run
	log    *slog.Logger
}

// newNetworks takes where the AWS endpoint is, and where it speaks TLS.
func newNetworks(cfg Config, level string, at api.Endpoints, secure net.Addr) (*networks, error) {
	names := netip.MustParseAddrPort(sandbox.NamesAddress)
	n := &networks{Networks: &network.Networks{Region: cfg.Region, Services: names.Addr(), Log: cfg.Log}, level: level, log: cfg.Log}
	service, err := serviceAt(at.AWS, secure)
	if err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 {
		if err := kernel.Sweep(); err != nil { // a kernel without nftables has nothing of ours either
			cfg.Log.Debug("what a killed platform may have left in the network of this machine stays", "err", err)
		}
	}
	switch cfg.Network {
	case "", userEngine:
		n.engine = &user.Engine{Decide: n.Decide, Answer: n.Answer, Record: n.flows.Record, Service: service, Log: cfg.Log}
	case kernelEngine:
		if level != sandbox.Full {
			return nil, fault.Errorf(fault.Invalid, "--network kernel takes isolation level full; it is %s", level)
		}
		n.kernel = &kernel.Engine{Model: n.Model, Decide: n.Decide, Answer: n.Answer, Record: n.flows.Record, Service: service, Log: cfg.Log}
		n.engine = n.kernel
	default:
		return nil, fault.Errorf(fault.Invalid, "--network %q: the engines are user and kernel", cfg.Network)
	}
	return n, nil
}

// serviceAt is where the platform's services listen for the engines: all of them
// at the AWS endpoint, which speaks TLS to what comes to the port of HTTPS.
func serviceAt(endpoint string, secure net.Addr) (func(string, uint16) (netip.AddrPort, bool), error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, err
	}
	plain, err := netip.ParseAddrPort(u.Host)
	if err != nil {
		return nil, err
	}
	tls, err := netip.ParseAddrPort(secure.String())
	return func(_ string, port uint16) (netip.AddrPort, bool) {
		if port == 443 {
			return tls, true
		}
		return plain, true
	}, err
}

// Load takes the networks of all stacks; Replace those of one.
func (n *networks) Load(stacks map[string]network.Model) error {
	return errors.Join(n.Networks.Load(stacks), n.tell())
}

// Replace takes the networks of a stack.
func (n *networks) Replace(stack string, m network.Model) error {
	if err := n.Networks.Replace(stack, m); err != nil {
		return err
	}
	return n.tell()
}

func (n *networks) tell() error {
	if n.kernel == nil {
		return nil
	}
	return n.kernel.Apply(n.Model())
}

// Admit refuses functions in a VPC where nothing would keep them to it.
func (n *networks) Admit(stack string, m network.Model, uses []network.Use) error {
	if len(uses) > 0 && n.level == sandbox.Confine {
		return fault.Errorf(fault.Invalid, "function %s is in a VPC, and at isolation level %s functions have the network of this machine: `dropstack doctor` says what the levels with private networks take; --isolation none runs it without, for development", uses[0].Function, n.level)
	}
	return n.Networks.Admit(stack, m, uses)
}

// join connects an instance to the network that its function asks for.
func (n *networks) join(cfg instance.Config, stream string) (sandbox.Network, error) {
	port, err := n.Connect(stream, cfg.Name, cfg.Subnets, cfg.Groups)
	if err != nil {
		return sandbox.Network{}, err
	}
	return sandbox.Network{
		Address: port.Address,
		Own:     n.kernel != nil,
		Leave:   func() { n.Release(port) },
		Attach: func(ctx context.Context, tun, namespace *os.File) (func() error, error) {
			return n.engine.Attach(ctx, port, network.Namespace{TUN: tun, Net: namespace})
		},
	}, nil
}

func (n *networks) close(log *slog.Logger) {
	if err := n.engine.Close(); err != nil {
		log.Warn("the network does not end cleanly", "err", err)
	}
}
