package networktest

import (
	"encoding/binary"
	"net/netip"
)

// datagram is an IPv4 packet with a UDP datagram (RFC 791, RFC 768; a UDP
// checksum of zero says there is none).
func datagram(from, to netip.AddrPort, payload string) []byte {
	const ip, udp = 20, 8
	p := make([]byte, ip+udp, ip+udp+len(payload))
	p[0], p[8], p[9] = 0x45, 64, 17 // version and header length, TTL, UDP
	binary.BigEndian.PutUint16(p[2:], uint16(ip+udp+len(payload)))
	src, dst := from.Addr().As4(), to.Addr().As4()
	copy(p[12:], src[:])
	copy(p[16:], dst[:])
	binary.BigEndian.PutUint16(p[10:], checksum(p[:ip]))
	binary.BigEndian.PutUint16(p[ip:], from.Port())
	binary.BigEndian.PutUint16(p[ip+2:], to.Port())
	binary.BigEndian.PutUint16(p[ip+4:], uint16(udp+len(payload)))
	return append(p, payload...)
}

func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
