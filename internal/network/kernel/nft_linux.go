package kernel

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/network"
)

// matcher is expressions in a row; all of them must match.
type matcher = []expr.Any

// Registers 1 and 2 are 16 bytes each; an interface's name fills the first.
const (
	reg1 = unix.NFT_REG_1
	reg2 = unix.NFT_REG_2
)

// Offsets into the headers of IPv4, TCP and UDP, in bytes.
const (
	offsetSource      = 12
	offsetDestination = 16
	offsetPort        = 2 // of the destination
)

func ifname(name string) []byte {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return b
}

func inputIs(name string) matcher {
	return matcher{
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: reg1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: ifname(name)},
	}
}

func outputIs(name string) matcher {
	return matcher{
		&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: reg1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: ifname(name)},
	}
}

func familyIsNot4() matcher {
	return matcher{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: reg1},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: reg1, Data: []byte{unix.NFPROTO_IPV4}},
	}
}

func loadAddress(offset, register uint32) *expr.Payload {
	return &expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: 4}
}

func inPrefix(offset uint32, p netip.Prefix) matcher {
	if p.Bits() == 0 {
		return nil
	}
	mask := make([]byte, 4)
	binary.BigEndian.PutUint32(mask, ^uint32(0)<<(32-p.Bits()))
	return matcher{
		loadAddress(offset, reg1),
		&expr.Bitwise{SourceRegister: reg1, DestRegister: reg1, Len: 4, Mask: mask, Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: p.Masked().Addr().AsSlice()},
	}
}

func toPrefix(p netip.Prefix) matcher   { return inPrefix(offsetDestination, p) }
func fromPrefix(p netip.Prefix) matcher { return inPrefix(offsetSource, p) }

func inSet(offset uint32, s *nftables.Set) matcher {
	return matcher{
		loadAddress(offset, reg1),
		&expr.Lookup{SourceRegister: reg1, SetName: s.Name, SetID: s.ID},
	}
}

func toSet(s *nftables.Set) matcher { return inSet(offsetDestination, s) }

// protocolIs matches one of the protocols that have a name; Any matches all.
func protocolIs(p network.Protocol) matcher {
	number, ok := map[network.Protocol]byte{
		network.TCP: unix.IPPROTO_TCP, network.UDP: unix.IPPROTO_UDP, network.ICMP: unix.IPPROTO_ICMP,
	}[p]
	if !ok {
		return nil
	}
	return matcher{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: []byte{number}},
	}
}

func portsAre(from, to uint16) matcher {
	if from == 0 && to == 65535 {
		return nil
	}
	load := &expr.Payload{DestRegister: reg1, Base: expr.PayloadBaseTransportHeader, Offset: offsetPort, Len: 2}
	low, high := binaryutil.BigEndian.PutUint16(from), binaryutil.BigEndian.PutUint16(to)
	if from == to {
		return matcher{load, &expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: low}}
	}
	return matcher{load, &expr.Range{Op: expr.CmpOpEq, Register: reg1, FromData: low, ToData: high}}
}

// tracked matches packets whose flow is in one of the states, which are bits.
func tracked(states uint32) matcher {
	return matcher{
		&expr.Ct{Key: expr.CtKeySTATE, Register: reg1},
		&expr.Bitwise{
			SourceRegister: reg1, DestRegister: reg1, Len: 4,
			Mask: binaryutil.NativeEndian.PutUint32(states), Xor: make([]byte, 4),
		},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: reg1, Data: make([]byte, 4)},
	}
}

func established() matcher { return tracked(expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED) }
func invalid() matcher     { return tracked(expr.CtStateBitINVALID) }

func markIs(mark uint32) matcher {
	return matcher{
		&expr.Meta{Key: expr.MetaKeyMARK, Register: reg1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: binaryutil.NativeEndian.PutUint32(mark)},
	}
}

func setMark(mark uint32) matcher {
	return matcher{
		&expr.Immediate{Register: reg1, Data: binaryutil.NativeEndian.PutUint32(mark)},
		&expr.Meta{Key: expr.MetaKeyMARK, SourceRegister: true, Register: reg1},
	}
}

// toProxy hands the packet to the transparent socket at 127.0.0.1:port.
func toProxy(port uint16) matcher {
	return matcher{
		&expr.Immediate{Register: reg1, Data: []byte{127, 0, 0, 1}},
		&expr.Immediate{Register: reg2, Data: binaryutil.BigEndian.PutUint16(port)},
		&expr.TProxy{Family: unix.NFPROTO_IPV4, TableFamily: unix.NFPROTO_INET, RegAddr: reg1, RegPort: reg2},
	}
}

func accept() matcher { return matcher{&expr.Verdict{Kind: expr.VerdictAccept}} }

func goTo(chain string) matcher {
	return matcher{&expr.Verdict{Kind: expr.VerdictGoto, Chain: chain}}
}

// batch is a table as it is to be; nothing of it exists before flush.
type batch struct {
	conn  *nftables.Conn
	table *nftables.Table
	// deny is the verdict of refusals: accept in a control run that shows which
	// of the rules matter.
	deny expr.VerdictKind
	err  error
}

// replace starts a table that takes the place of the one of its name, if any, in
// the same transaction.
func (b *batch) replace(name string) {
	b.table = &nftables.Table{Name: name, Family: nftables.TableFamilyINet}
	b.conn.AddTable(b.table) // so that there is one to delete
	b.conn.DelTable(b.table)
	b.conn.AddTable(b.table)
}

// base adds a chain that the kernel itself enters. Its policy is what the
// refusals of the batch are.
func (b *batch) base(name string, hook *nftables.ChainHook, priority nftables.ChainPriority, rules ...matcher) {
	policy := nftables.ChainPolicyAccept
	if b.deny == expr.VerdictDrop {
		policy = nftables.ChainPolicyDrop
	}
	b.add(&nftables.Chain{
		Name: name, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: &priority, Policy: &policy,
	}, rules)
}

// watching adds a chain that the kernel enters and that accepts by default.
func (b *batch) watching(name string, kind nftables.ChainType, hook *nftables.ChainHook, priority nftables.ChainPriority, rules ...matcher) {
	policy := nftables.ChainPolicyAccept
	b.add(&nftables.Chain{Name: name, Type: kind, Hooknum: hook, Priority: &priority, Policy: &policy}, rules)
}

func (b *batch) add(c *nftables.Chain, rules []matcher) {
	c.Table = b.table
	b.conn.AddChain(c)
	for _, r := range rules {
		b.conn.AddRule(&nftables.Rule{Table: b.table, Chain: c, Exprs: r})
	}
}

func (b *batch) chain(name string, rules ...matcher) {
	b.add(&nftables.Chain{Name: name}, rules)
}

func (b *batch) set(s *nftables.Set, elements ...nftables.SetElement) *nftables.Set {
	s.Table = b.table
	if err := b.conn.AddSet(s, elements); err != nil && b.err == nil {
		b.err = fmt.Errorf("set %s: %w", s.Name, err)
	}
	return s
}

func (b *batch) addresses(name string, addrs ...netip.Addr) *nftables.Set {
	return b.set(&nftables.Set{Name: name, KeyType: nftables.TypeIPAddr}, addressElements(addrs)...)
}

func addressElements(addrs []netip.Addr) []nftables.SetElement {
	addrs = slices.Clone(addrs)
	slices.SortFunc(addrs, netip.Addr.Compare)
	var elements []nftables.SetElement
	for _, a := range slices.Compact(addrs) {
		if a.Is4() {
			elements = append(elements, nftables.SetElement{Key: a.AsSlice()})
		}
	}
	return elements
}

func (b *batch) flush() error {
	if b.err != nil {
		return b.err
	}
	if err := b.conn.Flush(); err != nil {
		return fmt.Errorf("nftables table %s: %w", b.table.Name, err)
	}
	return nil
}

// all joins matchers into one rule.
func all(parts ...matcher) matcher { return slices.Concat(parts...) }
