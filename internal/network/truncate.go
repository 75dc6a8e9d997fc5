package network

import "github.com/miekg/dns"

// Fit is a DNS answer as it goes out over UDP: cut to the bytes that the query has
// room for (RFC 6891, 6.2.3: what its OPT record says, 512 at least and without
// one) and marked as truncated, so that the asker comes again over TCP. An answer
// that fits is returned as it is; nil, for silence, stays nil, and becomes of one
// that is too large and cannot be read.
func Fit(query, answer []byte) []byte {
	if len(answer) <= dns.MinMsgSize {
		return answer
	}
	room := dns.MinMsgSize
	var q, a dns.Msg
	if q.Unpack(query) == nil {
		if opt := q.IsEdns0(); opt != nil {
			room = max(room, int(opt.UDPSize()))
		}
	}
	if len(answer) <= room {
		return answer
	}
	if a.Unpack(answer) != nil {
		return nil
	}
	a.Truncate(room)
	cut, err := a.Pack()
	if err != nil || len(cut) > room {
		return nil
	}
	return cut
}
