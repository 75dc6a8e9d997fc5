package accesslog

import (
	"net/netip"
	"time"

	"github.com/dropstack/dropstack/internal/edge"
)

// field is a column of a log: where in a record it is, both to write and to read it.
type field struct {
	name  string
	text  func(r *edge.AccessRecord) *string
	uri   bool // the text is percent-encoded already
	whole func(r *edge.AccessRecord) *int64
	small func(r *edge.AccessRecord) *int
	none  int64 // the number that stands for none
	width int   // digits of a number at least
	span  func(r *edge.AccessRecord) *time.Duration
	when  string                            // layout of the moment when the answer was out; epoch: seconds since 1970
	value func(r *edge.AccessRecord) string // of what follows from the rest, and is not read
}

const epoch = "epoch"

var (
	date     = field{name: "date", when: time.DateOnly}
	clock    = field{name: "time", when: time.TimeOnly}
	moment   = field{name: "timestamp", when: epoch}
	location = field{name: "x-edge-location", value: func(*edge.AccessRecord) string { return edge.Location }}
	client   = field{name: "c-ip", text: func(r *edge.AccessRecord) *string { return &r.Client }}
	port     = field{name: "c-port", small: func(r *edge.AccessRecord) *int { return &r.Port }}
	family   = field{name: "c-ip-version", value: ipVersion}
	method   = field{name: "cs-method", text: func(r *edge.AccessRecord) *string { return &r.Method }}
	domain   = field{name: "cs(Host)", text: func(r *edge.AccessRecord) *string { return &r.Domain }}
	host     = field{name: "x-host-header", text: func(r *edge.AccessRecord) *string { return &r.Host }}
	stem     = field{name: "cs-uri-stem", uri: true, text: func(r *edge.AccessRecord) *string { return &r.Path }}
	query    = field{name: "cs-uri-query", uri: true, text: func(r *edge.AccessRecord) *string { return &r.Query }}
	status   = field{name: "sc-status", width: 3, none: -1, small: func(r *edge.AccessRecord) *int { return &r.Status }}
	sent     = field{name: "sc-bytes", none: -1, whole: func(r *edge.AccessRecord) *int64 { return &r.BytesOut }}
	received = field{name: "cs-bytes", none: -1, whole: func(r *edge.AccessRecord) *int64 { return &r.BytesIn }}
	taken    = field{name: "time-taken", span: func(r *edge.AccessRecord) *time.Duration { return &r.Took }}
	first    = field{name: "time-to-first-byte", span: func(r *edge.AccessRecord) *time.Duration { return &r.FirstByte }}
	referrer = field{name: "cs(Referer)", text: func(r *edge.AccessRecord) *string { return &r.Referrer }}
	agent    = field{name: "cs(User-Agent)", text: func(r *edge.AccessRecord) *string { return &r.UserAgent }}
	cookie   = field{name: "cs(Cookie)", text: func(r *edge.AccessRecord) *string { return &r.Cookie }}
	hops     = field{name: "x-forwarded-for", text: func(r *edge.AccessRecord) *string { return &r.ForwardedFor }}
	request  = field{name: "x-edge-request-id", text: func(r *edge.AccessRecord) *string { return &r.Request }}
	protocol = field{name: "cs-protocol", text: func(r *edge.AccessRecord) *string { return &r.Protocol }}
	version  = field{name: "cs-protocol-version", text: func(r *edge.AccessRecord) *string { return &r.Version }}
	tls      = field{name: "ssl-protocol", text: func(r *edge.AccessRecord) *string { return &r.TLSVersion }}
	cipher   = field{name: "ssl-cipher", text: func(r *edge.AccessRecord) *string { return &r.TLSCipher }}
	result   = field{name: "x-edge-result-type", text: func(r *edge.AccessRecord) *string { return &r.Result }}
	response = field{name: "x-edge-response-result-type", text: func(r *edge.AccessRecord) *string { return &r.ResponseResult }}
	detail   = field{name: "x-edge-detailed-result-type", text: func(r *edge.AccessRecord) *string { return &r.Detail }}
	fle      = field{name: "fle-status", value: nothing}
	fleCount = field{name: "fle-encrypted-fields", value: nothing}
	kind     = field{name: "sc-content-type", text: func(r *edge.AccessRecord) *string { return &r.ContentType }}
	length   = field{name: "sc-content-len", none: -1, whole: func(r *edge.AccessRecord) *int64 { return &r.ContentLength }}
	from     = field{name: "sc-range-start", text: func(r *edge.AccessRecord) *string { return &r.RangeStart }}
	to       = field{name: "sc-range-end", text: func(r *edge.AccessRecord) *string { return &r.RangeEnd }}

	// What CloudFront's log does not have.
	distribution = field{name: "x-dropstack-distribution", text: func(r *edge.AccessRecord) *string { return &r.Distribution }}
	stack        = field{name: "x-dropstack-stack", text: func(r *edge.AccessRecord) *string { return &r.Stack }}
	rule         = field{name: "x-dropstack-rule", text: func(r *edge.AccessRecord) *string { return &r.Rule }}
	refused      = field{name: "x-dropstack-refused", value: yes}
)

// standard are the 33 fields of CloudFront's standard log, in its order.
var standard = []field{
	date, clock, location, sent, client, method, domain, stem, status, referrer, agent, query, cookie,
	result, request, host, protocol, received, taken, hops, tls, cipher, response, version,
	fle, fleCount, port, first, detail, kind, length, from, to,
}

// realTime are the fields of a line of the stream: those of CloudFront's real-time
// log in the order of its documentation, up to the last that the edge knows of, then
// our own. What is the client's Host header and what the distribution's domain has
// other names there.
var realTime = []field{
	moment, client, first, status, sent, method, protocol, named(host, "cs-host"), stem, received,
	location, request, named(domain, "x-host-header"), taken, version, family, named(agent, "cs-user-agent"),
	named(referrer, "cs-referer"), named(cookie, "cs-cookie"), query, response, hops, tls, cipher, result,
	fleCount, fle, kind, length, from, to, port, detail,
	distribution, stack, rule, refused,
}

func named(f field, name string) field {
	f.name = name
	return f
}

func nothing(*edge.AccessRecord) string { return "" }

// ipVersion is IPv4 or IPv6.
func ipVersion(r *edge.AccessRecord) string {
	addr, err := netip.ParseAddr(r.Client)
	switch {
	case err != nil:
		return ""
	case addr.Unmap().Is4():
		return "IPv4"
	}
	return "IPv6"
}

// yes says that the edge itself turned the request away.
func yes(r *edge.AccessRecord) string {
	if r.Refused {
		return "1"
	}
	return ""
}
