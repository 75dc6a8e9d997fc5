// Package trace follows one request on its way: from the edge through an API and a
// function to the topics, queues and buses that it puts messages into, and the
// functions that get them.
//
// What travels is X-Ray's header, as on AWS: functions find it as
// Lambda-Runtime-Trace-Id, their SDKs send it along with every call, and messages
// carry it to whoever receives them. Each room that a request passes opens a Span
// and hands on the header with the span as the parent (span.go). A span is a record
// of the log group Group, so it is stored, searched and expired as logs are.
//
// Not every request is kept: the first of each second, 5 % of the others and those
// whose caller has decided so, as X-Ray does it; of strangers' wishes so many a second. Spans that failed or took long are
// kept in any case (sample.go). Traces reads them back (read.go), with what the
// functions have logged meanwhile.
package trace

import (
	"context"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"time"
)

// HeaderName is the header that a trace travels in.
const HeaderName = "X-Amzn-Trace-Id"

// maxHeader is how long a header may be that we look at: AWS's own stay below 200.
const maxHeader = 512

// Header says which trace something belongs to.
type Header struct {
	Root    string // 1-<8 hex>-<24 hex>
	Parent  string // 16 hex; "": it is the first
	Sampled byte   // '1', '0', or 0: not decided
	Lineage string // how often functions have called each other, as Lambda counts it
}

// Parse reads a header. What is in it besides is dropped; a part that is wrong
// makes it nothing, since it comes from whoever sends a request.
func Parse(s string) (h Header, ok bool) {
	if s == "" || len(s) > maxHeader {
		return Header{}, false
	}
	for part := range strings.SplitSeq(s, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Root":
			ok = isRoot(value)
			h.Root = value
		case "Parent":
			if !isHex(value, 16) {
				return Header{}, false
			}
			h.Parent = value
		case "Sampled":
			switch value {
			case "0", "1":
				h.Sampled = value[0]
			case "", "?":
			default:
				return Header{}, false
			}
		case "Lineage":
			if !isLineage(value) {
				return Header{}, false
			}
			h.Lineage = value
		}
	}
	if !ok {
		return Header{}, false
	}
	return h, true
}

// Root is the trace that a header names, or "".
func Root(header string) string {
	h, _ := Parse(header)
	return h.Root
}

func (h Header) String() string {
	b := make([]byte, 0, 160)
	b = append(append(b, "Root="...), h.Root...)
	if h.Parent != "" {
		b = append(append(b, ";Parent="...), h.Parent...)
	}
	if h.Sampled != 0 {
		b = append(append(b, ";Sampled="...), h.Sampled)
	}
	if h.Lineage != "" {
		b = append(append(b, ";Lineage="...), h.Lineage...)
	}
	return string(b)
}

// ParseParent reads a traceparent header of W3C Trace Context. Its trace ID is
// X-Ray's without the dashes.
func ParseParent(s string) (Header, bool) {
	// version-traceid-parentid-flags; later versions may have more behind them
	if len(s) < 55 || len(s) > maxHeader || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return Header{}, false
	}
	version, id, parent, flags := s[:2], s[3:35], s[36:52], s[53:55]
	switch {
	case !isHex(version, 2) || version == "ff" || !isHex(id, 32) || !isHex(parent, 16) || !isHex(flags, 2):
		return Header{}, false
	case len(s) > 55 && (version == "00" || s[55] != '-'):
		return Header{}, false
	case strings.Trim(id, "0") == "" || strings.Trim(parent, "0") == "":
		return Header{}, false
	}
	h := Header{Root: "1-" + id[:8] + "-" + id[8:], Parent: parent, Sampled: '0'}
	if strings.IndexByte("13579bdf", flags[1]) >= 0 {
		h.Sampled = '1'
	}
	return h, true
}

// TraceParent is the header in W3C's form.
func (h Header) TraceParent() string {
	flags := "-00"
	if h.Sampled == '1' {
		flags = "-01"
	}
	return "00-" + h.Root[2:10] + h.Root[11:] + "-" + h.Parent + flags
}

// Start begins a trace.
func Start(at time.Time) Header {
	var b [16]byte
	b[0], b[1], b[2], b[3] = byte(at.Unix()>>24), byte(at.Unix()>>16), byte(at.Unix()>>8), byte(at.Unix())
	random(b[4:12])
	var last [8]byte
	random(last[:])
	copy(b[12:], last[:])
	var text [35]byte
	text[0], text[1], text[10] = '1', '-', '-'
	hex.Encode(text[2:10], b[:4])
	hex.Encode(text[11:], b[4:])
	return Header{Root: string(text[:])}
}

// newID names a span.
func newID() string {
	var b [8]byte
	random(b[:])
	var text [16]byte
	hex.Encode(text[:], b[:])
	return string(text[:])
}

// random fills 8 bytes. What it makes has to be different, not secret, and costs no
// system call.
func random(b []byte) {
	for i, n := 0, rand.Uint64(); i < 8; i++ {
		b[i] = byte(n >> (8 * i))
	}
}

func isRoot(s string) bool {
	return len(s) == 35 && s[0] == '1' && s[1] == '-' && s[10] == '-' && isHex(s[2:10], 8) && isHex(s[11:], 24)
}

func isHex(s string, length int) bool {
	if len(s) != length {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func isLineage(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') && c != ':' && c != '|' {
			return false
		}
	}
	return true
}

type contextKey struct{}

// With is a context of something that belongs to the trace of a header.
func With(ctx context.Context, header string) context.Context {
	if header == "" {
		return ctx
	}
	return context.WithValue(ctx, contextKey{}, header)
}

// From is the header that With has put there, or "".
func From(ctx context.Context) string {
	header, _ := ctx.Value(contextKey{}).(string)
	return header
}
