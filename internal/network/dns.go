package network

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/dropstack/dropstack/internal/arn"
)

const (
	headerSize = 12 // bytes of a DNS message (RFC 1035, 4.1.1)
	maxChase   = 8  // CNAMEs followed for one query
	udpPayload = 1232
)

// refusedTypes ask for whole zones, or for all there is of a name: no function
// needs them (RFC 8482), and their answers are large.
var refusedTypes = []uint16{dns.TypeANY, dns.TypeAXFR, dns.TypeIXFR}

// Answer answers a DNS query of a port, in wire format, as the resolver of its
// VPC: from the endpoints' private names and the private zones that the VPC sees,
// then from what the platform is itself (Services), else from Upstream. Nil means silence: what came was no query. The answer may be
// too large for UDP: who sends it over UDP calls Fit.
func (n *Networks) Answer(ctx context.Context, p *Port, query []byte) []byte {
	if len(query) < headerSize || query[2]&0x80 != 0 { // a stray, or an answer: never answer answers
		return nil
	}
	var q dns.Msg
	if q.Unpack(query) != nil || q.Opcode == dns.OpcodeQuery && len(q.Question) != 1 {
		return formatError(query)
	}
	a := n.answer(ctx, p, &q)
	b, err := a.Pack()
	if err != nil {
		n.log().Warn("answer a name", "function", p.Function, "err", err)
		b, err = reply(&q, dns.RcodeServerFailure).Pack()
		if err != nil {
			return formatError(query)
		}
	}
	return b
}

// formatError is the header of an answer alone, to a query that cannot be read.
func formatError(query []byte) []byte {
	b := make([]byte, headerSize)
	binary.BigEndian.PutUint16(b, binary.BigEndian.Uint16(query))
	b[2] = 0x80 | query[2]&0x79 // an answer, with the query's opcode and its wish for recursion
	b[3] = dns.RcodeFormatError
	return b
}

func reply(q *dns.Msg, code int) *dns.Msg {
	a := new(dns.Msg).SetRcode(q, code)
	a.RecursionAvailable = true
	a.CheckingDisabled = q.CheckingDisabled
	if opt := q.IsEdns0(); opt != nil {
		a.SetEdns0(udpPayload, opt.Do())
	}
	return a
}

func (n *Networks) answer(ctx context.Context, p *Port, q *dns.Msg) *dns.Msg {
	if q.Opcode != dns.OpcodeQuery {
		return reply(q, dns.RcodeNotImplemented)
	}
	if opt := q.IsEdns0(); opt != nil && opt.Version() != 0 {
		return reply(q, dns.RcodeBadVers)
	}
	ask := q.Question[0]
	if ask.Qclass != dns.ClassINET || slices.Contains(refusedTypes, ask.Qtype) {
		return reply(q, dns.RcodeRefused)
	}
	a := reply(q, dns.RcodeSuccess)
	v := n.tables().vpcs[p.VPC]
	name := ask.Name
	for range maxChase {
		sets, authority := v.find(plain(name))
		if authority == nil {
			sets, authority = n.service(plain(name))
		}
		if authority == nil {
			return n.forward(ctx, p, q, a, name)
		}
		a.Authoritative = len(a.Answer) == 0 || a.Authoritative
		found := choose(sets, name, ask.Qtype)
		a.Answer = append(a.Answer, found...)
		switch {
		case len(found) == 1 && found[0].Header().Rrtype == dns.TypeCNAME && ask.Qtype != dns.TypeCNAME:
			name = found[0].(*dns.CNAME).Target
			continue
		case sets == nil:
			a.Rcode = dns.RcodeNameError
		}
		if len(found) == 0 {
			a.Ns = []dns.RR{authority}
		}
		return a
	}
	n.log().Warn("private names lead in a circle, or too far", "function", p.Function, "vpc", p.VPC, "name", ask.Name)
	return reply(q, dns.RcodeServerFailure)
}

// plain is a name as the tables have it.
func plain(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }

// localhost is the function's own (RFC 6761, 6.3): no server elsewhere is asked.
var localhost = map[uint16][]dns.RR{
	dns.TypeA:    {&dns.A{Hdr: dns.RR_Header{Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: soaTTL}, A: net.IPv4(127, 0, 0, 1)}},
	dns.TypeAAAA: {&dns.AAAA{Hdr: dns.RR_Header{Rrtype: dns.TypeAAAA, Class: dns.ClassINET, Ttl: soaTTL}, AAAA: net.IPv6loopback}},
}

// find looks a name up in the private names of a VPC, nil for none. authority is
// nil when the name is not private; sets are when it does not exist.
func (v *vpc) find(name string) (sets map[uint16][]dns.RR, authority *dns.SOA) {
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return localhost, soa("localhost")
	}
	if v == nil {
		return nil, nil
	}
	if addrs := v.endpoint(name); addrs != nil {
		return at(addrs...), soa(name)
	}
	for parent := name; parent != ""; _, parent, _ = strings.Cut(parent, ".") {
		if z := v.zones[parent]; z != nil { // the longest zone name wins
			return z.lookup(name), z.soa
		}
	}
	return nil, nil
}

// service finds the name of one of AWS's services, which the platform is to
// functions; authority is nil for other names.
func (n *Networks) service(name string) (sets map[uint16][]dns.RR, authority *dns.SOA) {
	if !n.Services.IsValid() || !arn.ServiceHost(name) {
		return nil, nil
	}
	return at(n.Services), soa(name)
}

// at is the records of a name that has addresses and nothing else.
func at(addrs ...netip.Addr) map[uint16][]dns.RR {
	var rrs []dns.RR
	for _, addr := range addrs {
		rrs = append(rrs, &dns.A{Hdr: dns.RR_Header{Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: soaTTL}, A: addr.AsSlice()})
	}
	return map[uint16][]dns.RR{dns.TypeA: rrs}
}

// endpoint finds the addresses of an endpoint's private name.
func (v *vpc) endpoint(name string) []netip.Addr {
	if addrs := v.names[name]; addrs != nil || len(v.names) == 0 {
		return addrs
	}
	for _, parent, more := strings.Cut(name, "."); more; _, parent, more = strings.Cut(parent, ".") {
		if addrs := v.names["*."+parent]; addrs != nil {
			return addrs
		}
	}
	return nil
}

// choose copies the records of a type, or else the name's CNAME, under the name as
// it was asked for: some resolvers compare its case.
func choose(sets map[uint16][]dns.RR, name string, qtype uint16) []dns.RR {
	var found []dns.RR
	if len(sets[qtype]) > 0 {
		found = slices.Clone(sets[qtype])
	} else {
		found = slices.Clone(sets[dns.TypeCNAME])
	}
	for i := range found {
		found[i] = dns.Copy(found[i])
		found[i].Header().Name = name
	}
	return found
}

// forward completes an answer with what Upstream says about a name.
func (n *Networks) forward(ctx context.Context, p *Port, q, a *dns.Msg, name string) *dns.Msg {
	ask := new(dns.Msg).SetQuestion(name, q.Question[0].Qtype)
	ask.CheckingDisabled = q.CheckingDisabled
	opt := q.IsEdns0()
	ask.SetEdns0(udpPayload, opt != nil && opt.Do())
	upstream := n.Upstream
	if upstream == nil {
		upstream = n.servers.exchange
	}
	in, err := upstream(ctx, ask)
	if err != nil || in == nil {
		n.log().Debug("resolve a name upstream", "function", p.Function, "name", name, "err", err)
		return reply(q, dns.RcodeServerFailure)
	}
	a.Rcode, a.AuthenticatedData = in.Rcode&0xf, in.AuthenticatedData && len(a.Answer) == 0
	a.Authoritative = false
	a.Answer = append(a.Answer, in.Answer...)
	a.Ns = in.Ns
	for _, rr := range in.Extra {
		if rr.Header().Rrtype != dns.TypeOPT { // it is between us and the server
			a.Extra = append(a.Extra, rr)
		}
	}
	return a
}
