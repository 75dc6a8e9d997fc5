// Package access reads the access log of an edge: lines of CloudFront's real-time log
// as they come out of its stream, and the objects of its standard log.
package access

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Record is what one request came to.
type Record struct {
	Time    time.Time // when the answer was out
	Client  netip.Addr
	Method  string
	Path    string // decoded
	Status  int    // 0: the client left before an answer
	Bytes   int64  // of the answer
	Request string // id
	Refused bool   // by the edge itself: a ban, a rule, a limit
}

// RealTime are the fields of a line of the platform's stream, in their order.
const RealTime = "timestamp c-ip time-to-first-byte sc-status sc-bytes cs-method cs-protocol cs-host cs-uri-stem cs-bytes" +
	" x-edge-location x-edge-request-id x-host-header time-taken cs-protocol-version c-ip-version cs-user-agent" +
	" cs-referer cs-cookie cs-uri-query x-edge-response-result-type x-forwarded-for ssl-protocol ssl-cipher x-edge-result-type" +
	" fle-encrypted-fields fle-status sc-content-type sc-content-len sc-range-start sc-range-end c-port x-edge-detailed-result-type" +
	" x-dropstack-distribution x-dropstack-stack x-dropstack-rule x-dropstack-refused"

// Format says in which column of a line a field is.
type Format struct {
	timestamp, date, clock, client, method, path, status, bytes, request, result, refused int
}

// NewFormat reads the names of fields. Those that nobody asks for may have any name;
// without a time, a client and a status nothing can be said of a client.
func NewFormat(names []string) (Format, error) {
	column := func(name string) int {
		for i, n := range names {
			if strings.EqualFold(n, name) {
				return i
			}
		}
		return -1
	}
	f := Format{
		timestamp: column("timestamp"), date: column("date"), clock: column("time"), client: column("c-ip"),
		method: column("cs-method"), path: column("cs-uri-stem"), status: column("sc-status"), bytes: column("sc-bytes"),
		request: column("x-edge-request-id"), result: column("x-edge-result-type"), refused: column("x-dropstack-refused"),
	}
	if f.client < 0 || f.status < 0 || f.timestamp < 0 && (f.date < 0 || f.clock < 0) {
		return f, fmt.Errorf("the fields %.200q lack c-ip, sc-status, or a time: timestamp, or date and time", strings.Join(names, " "))
	}
	return f, nil
}

// Parse reads a line.
func (f Format) Parse(line string) (r Record, err error) {
	values := strings.Split(strings.TrimRight(line, "\r\n"), "\t")
	get := func(column int) string {
		if column < 0 || column >= len(values) || values[column] == "-" {
			return ""
		}
		return values[column]
	}
	if r.Time, err = f.time(get); err != nil {
		return r, err
	}
	if r.Client, err = netip.ParseAddr(get(f.client)); err != nil {
		return r, fmt.Errorf("c-ip: %w", err)
	}
	if r.Status, err = strconv.Atoi(get(f.status)); err != nil {
		return r, fmt.Errorf("sc-status: %w", err)
	}
	if s := get(f.bytes); s != "" {
		if r.Bytes, err = strconv.ParseInt(s, 10, 64); err != nil {
			return r, fmt.Errorf("sc-bytes: %w", err)
		}
	}
	r.Method, r.Path, r.Request = get(f.method), decode(get(f.path)), get(f.request)
	r.Refused = get(f.refused) == "1" || get(f.result) == "LimitExceeded"
	return r, nil
}

func (f Format) time(get func(int) string) (time.Time, error) {
	if f.timestamp < 0 {
		return time.Parse(time.DateTime, get(f.date)+" "+get(f.clock))
	}
	text := get(f.timestamp)
	whole, rest, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("timestamp: %w", err)
	}
	ms := 0
	if rest != "" {
		if ms, err = strconv.Atoi((rest + "00")[:3]); err != nil {
			return time.Time{}, fmt.Errorf("timestamp: %w", err)
		}
	}
	return time.UnixMilli(seconds*1000 + int64(ms)).UTC(), nil
}

// decode undoes percent-encoding, up to twice: some writers of logs encode what is
// encoded already. What is no encoding stays as it is.
func decode(s string) string {
	for range 2 {
		if !strings.Contains(s, "%") {
			return s
		}
		s = once(s)
	}
	return s
}

func once(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
