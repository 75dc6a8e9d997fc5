package network

import (
	"net/netip"
	"slices"

	"github.com/dropstack/dropstack/internal/fault"
)

// Lambda's limits of a function's VpcConfig.
const (
	maxSubnets = 16
	maxGroups  = 5
)

// outsideAddress is that of every port without a VPC: each has a network
// namespace of its own, so all may share it.
var outsideAddress = netip.MustParseAddr("169.254.100.2")

// leases is the addresses that running instances have. Networks.mu guards it.
type leases struct {
	taken map[place]*Port
	next  map[string]uint32 // by subnet: the offset at which to look next, so that addresses come back late
}

// Check returns the VPC that subnets and security groups of a function belong to,
// "" when there are none. Its errors carry Lambda's wire names.
func (n *Networks) Check(subnets, groups []string) (string, error) {
	return n.tables().common(subnets, groups)
}

func (t *tables) common(subnets, groups []string) (string, error) {
	const invalid = "InvalidParameterValueException"
	switch {
	case len(subnets) == 0 && len(groups) == 0:
		return "", nil
	case len(subnets) == 0 || len(groups) == 0:
		return "", fault.Coded(fault.Invalid, invalid, "a function in a VPC names at least one subnet and one security group")
	case len(subnets) > maxSubnets || len(groups) > maxGroups:
		return "", fault.Coded(fault.Invalid, invalid, "%d subnets and %d security groups: %d and %d are possible", len(subnets), len(groups), maxSubnets, maxGroups)
	}
	var in *vpc
	for _, id := range subnets {
		s := t.subnets[id]
		switch {
		case s == nil:
			return "", fault.Coded(fault.Invalid, "InvalidSubnetIDException", "subnet %q does not exist", id)
		case in != nil && s.vpc != in:
			return "", fault.Coded(fault.Invalid, "InvalidSubnetIDException", "subnet %s is of VPC %s, subnet %s of %s: a function is in one VPC", id, s.vpc.id, subnets[0], in.id)
		}
		in = s.vpc
	}
	for _, id := range groups {
		g := t.groups[id]
		switch {
		case g == nil:
			return "", fault.Coded(fault.Invalid, "InvalidSecurityGroupIDException", "security group %q does not exist", id)
		case g.vpc != in:
			return "", fault.Coded(fault.Invalid, "InvalidSecurityGroupIDException", "security group %s is of VPC %s, the subnets are of %s", id, g.vpc.id, in.id)
		}
	}
	return in.id, nil
}

// Connect makes the port of an instance, with an address of whichever of the
// subnets has the most free ones. Without subnets and groups, the port has no VPC.
// Release gives the address back. The kind of an error is Invalid when subnets or
// groups do not exist or do not fit together, Unavailable when all addresses are
// taken.
func (n *Networks) Connect(id, function string, subnets, groups []string) (*Port, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.tables()
	in, err := t.common(subnets, groups)
	if err != nil {
		return nil, err
	}
	p := &Port{ID: id, Function: function, VPC: in, Groups: slices.Clone(groups), Address: outsideAddress}
	if in == "" {
		return p, nil
	}
	var best *subnet
	most := 0
	for _, id := range subnets {
		if free := n.leases.free(t.subnets[id]); free > most {
			best, most = t.subnets[id], free
		}
	}
	if best == nil {
		return nil, fault.Coded(fault.Unavailable, "SubnetIPAddressLimitReachedException", "subnets %q have no free address; add a subnet, or lower the functions' concurrency", subnets)
	}
	p.Subnet, p.Address = best.id, n.leases.take(best)
	n.leases.taken[place{in, p.Address}] = p
	return p, nil
}

// Release gives the address of a port back, once its instance is gone and it is
// detached. Releasing a port twice does nothing.
func (n *Networks) Release(p *Port) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := place{p.VPC, p.Address}
	if n.leases.taken[at] == p {
		delete(n.leases.taken, at)
	}
}

// free counts the addresses of a subnet that nobody has.
func (l *leases) free(s *subnet) int {
	free := 1<<(32-s.cidr.Bits()) - 5
	for at := range l.taken {
		if at.vpc == s.vpc.id && assignable(s.cidr, at.addr) {
			free--
		}
	}
	for addr := range s.vpc.hosts {
		if s.cidr.Contains(addr) {
			free--
		}
	}
	return free
}

// take finds a free address of a subnet that has one.
func (l *leases) take(s *subnet) netip.Addr {
	if l.taken == nil {
		l.taken, l.next = map[place]*Port{}, map[string]uint32{}
	}
	size := uint32(1) << (32 - s.cidr.Bits())
	at := l.next[s.id]
	for {
		addr := offset(s.cidr.Addr(), at%size)
		at++
		if !assignable(s.cidr, addr) || s.vpc.hosts[addr] != nil || l.taken[place{s.vpc.id, addr}] != nil {
			continue
		}
		l.next[s.id] = at % size
		return addr
	}
}

// clash says which running instance has an address that the next tables want.
func (l *leases) clash(t *tables) error {
	for at, p := range l.taken {
		if v := t.vpcs[at.vpc]; v != nil && v.hosts[at.addr] != nil {
			return fault.Errorf(fault.Conflict, "%s: address %s is in use by an instance of function %s; choose another, or deploy again when it has ended",
				v.hosts[at.addr].id, at.addr, p.Function)
		}
	}
	return nil
}
