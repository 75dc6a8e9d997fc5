package network

import "net/netip"

// place is an address of a VPC; two VPCs may have the same.
type place struct {
	vpc  string
	addr netip.Addr
}

func (c *checker) checkHosts() {
	taken := map[place]string{}
	for _, i := range c.model.Interfaces {
		c.checkHost(i.ID, i.Subnet, i.Address, i.Groups, taken)
		switch a := i.Attach.Unmap(); {
		case !a.IsValid():
			c.bad(i.ID, "names no host to attach to; name its address in dropstack:attach")
		case a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
			c.bad(i.ID, "cannot be attached to %s, which is not the address of one host", a)
		}
	}
	for _, e := range c.model.Endpoints {
		c.checkHost(e.ID, e.Subnet, e.Address, e.Groups, taken)
		if e.Service == "" {
			c.bad(e.ID, "names no service")
		}
		for _, name := range e.Names {
			if fault := nameFault(name, true); fault != "" {
				c.bad(e.ID, "name %q %s", name, fault)
			}
		}
		if _, ok := validLabel(e.Service); e.PrivateDNS && !ok && e.Service != "" {
			c.bad(e.ID, "service %q cannot be part of a name", e.Service)
		}
	}
}

// checkHost checks the address and groups of an interface or an endpoint.
func (c *checker) checkHost(id, in string, addr netip.Addr, groups []string, taken map[place]string) {
	s, known := c.subnets[in]
	if !known {
		c.bad(id, "subnet %q does not exist", in)
		return
	}
	at := place{s.VPC, addr}
	other, twice := taken[at]
	switch {
	case !addr.IsValid():
		c.bad(id, "has no address")
	case !addr.Is4() || !s.CIDR.IsValid() || !s.CIDR.Contains(addr):
		c.bad(id, "address %s is outside of subnet %s, %s", addr, s.ID, s.CIDR)
	case !assignable(s.CIDR, addr):
		c.bad(id, "address %s is reserved: the first four and the last of subnet %s, %s, are AWS's own", addr, s.ID, s.CIDR)
	case twice:
		c.bad(id, "address %s is that of %s", addr, other)
	}
	taken[at] = id
	for _, g := range groups {
		if group, known := c.groups[g]; !known {
			c.bad(id, "security group %q does not exist", g)
		} else if group.VPC != s.VPC {
			c.bad(id, "security group %s is of VPC %s, not %s", g, group.VPC, s.VPC)
		}
	}
}
