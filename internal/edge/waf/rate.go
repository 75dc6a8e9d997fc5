package waf

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// MaxRateKeys is how many clients, or whatever else requests are counted by, a
// rate-based rule keeps apart: beyond, whoever has been quiet for longest is forgotten.
const MaxRateKeys = 10_000

// rate matches the requests of whoever makes more than limit of them within a window.
type rate struct {
	limit  int64
	window time.Duration
	scope  matcher // nil: every request is counted
	key    func(x *exam, key []byte) (_ []byte, ok bool)
	counts *counts
	absent bool // what becomes of a request whose header has no address
}

func (m rate) match(x *exam) bool {
	if m.scope != nil && !m.scope.match(x) {
		return false
	}
	key, ok := m.key(x, make([]byte, 0, 64))
	if !ok {
		return m.absent
	}
	if len(key) > sha256.Size { // which a client may make as long as a request
		sum := sha256.Sum256(key)
		key = sum[:]
	}
	if m.counts.hit(string(key), time.Now(), m.window) <= m.limit {
		return false
	}
	x.found = finding{name: "rate", text: x.q.Client.String()}
	return true
}

// counts estimates how many requests there were in the last window: those of the
// present stretch of time, and of the one before the share that is still within.
type counts struct {
	mu    sync.Mutex
	known map[string]*list.Element
	order list.List // of *count, who was seen last in front
}

type count struct {
	key       string
	stretch   int64 // number of the present one
	now, past int64 // in it, and in the one before
}

// hit counts a request and returns how many there have been.
func (c *counts) hit(key string, at time.Time, window time.Duration) int64 {
	stretch := at.UnixNano() / int64(window)
	into := at.UnixNano() % int64(window)
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.known[key]
	if e == nil {
		if c.known == nil {
			c.known = map[string]*list.Element{}
		}
		if len(c.known) >= MaxRateKeys {
			oldest := c.order.Back()
			delete(c.known, c.order.Remove(oldest).(*count).key)
		}
		e = c.order.PushFront(&count{key: key, stretch: stretch})
		c.known[key] = e
	}
	c.order.MoveToFront(e)
	one := e.Value.(*count)
	switch stretch - one.stretch {
	case 0:
	case 1:
		one.past, one.now = one.now, 0
	default:
		one.past, one.now = 0, 0
	}
	one.stretch = stretch
	one.now++
	return one.now + int64(float64(one.past)*(1-float64(into)/float64(window)))
}

// appendPart adds a part of a key so that no two sets of parts make one key.
func appendPart(key []byte, text string) []byte {
	return append(binary.AppendUvarint(key, uint64(len(text))), text...)
}

// appendAddr adds who a client is: of IPv6 its /64, within which it chooses addresses
// as it likes.
func appendAddr(key []byte, a netip.Addr) []byte {
	whole := a.Unmap().AsSlice()
	return append(key, whole[:min(len(whole), 8)]...)
}

// rateKey compiles what requests are counted by.
func (c *compiler) rateKey(r *RateBased) (func(x *exam, key []byte) ([]byte, bool), error) {
	switch r.AggregateKeyType {
	case "IP":
		return func(x *exam, key []byte) ([]byte, bool) { return appendAddr(key, x.q.Client), true }, nil
	case "FORWARDED_IP":
		return forwardedKey(r.ForwardedIPConfig.HeaderName), nil
	case "CONSTANT":
		return func(_ *exam, key []byte) ([]byte, bool) { return key, true }, nil
	}
	parts := make([]func(x *exam, key []byte) ([]byte, bool), len(r.CustomKeys))
	for i, k := range r.CustomKeys {
		var err error
		if parts[i], err = c.customKey(r, k); err != nil {
			return nil, err
		}
	}
	return func(x *exam, key []byte) (_ []byte, ok bool) {
		for _, part := range parts {
			if key, ok = part(x, key); !ok {
				return nil, false
			}
		}
		return key, true
	}, nil
}

func forwardedKey(header string) func(x *exam, key []byte) ([]byte, bool) {
	return func(x *exam, key []byte) ([]byte, bool) {
		addrs, ok := forwardedAddrs(x, header)
		if !ok {
			return nil, false
		}
		return appendAddr(key, addrs[0]), true
	}
}

// customKey compiles one part. A request that does not have the part is not counted.
func (c *compiler) customKey(r *RateBased, k RateCustomKey) (func(x *exam, key []byte) ([]byte, bool), error) {
	var f Field
	var steps []Transformation
	switch {
	case k.IP != nil:
		return func(x *exam, key []byte) ([]byte, bool) {
			return appendPart(key, string(appendAddr(nil, x.q.Client))), true
		}, nil
	case k.ForwardedIP != nil:
		one := forwardedKey(r.ForwardedIPConfig.HeaderName)
		return func(x *exam, key []byte) ([]byte, bool) {
			addr, ok := one(x, nil)
			return appendPart(key, string(addr)), ok
		}, nil
	case k.HTTPMethod != nil:
		f = Field{Method: &struct{}{}}
	case k.Header != nil:
		f, steps = Field{SingleHeader: &NamedField{Name: k.Header.Name}}, k.Header.TextTransformations
	case k.QueryArgument != nil:
		f, steps = Field{SingleQueryArgument: &NamedField{Name: k.QueryArgument.Name}}, k.QueryArgument.TextTransformations
	case k.QueryString != nil:
		f, steps = Field{QueryString: &struct{}{}}, k.QueryString.TextTransformations
	case k.UriPath != nil:
		f, steps = Field{UriPath: &struct{}{}}, k.UriPath.TextTransformations
	case k.Cookie != nil:
		f = Field{Cookies: &SeveralFields{MatchPattern: FieldPattern{IncludedCookies: []string{k.Cookie.Name}}, MatchScope: "VALUE"}}
		steps = k.Cookie.TextTransformations
	}
	from, err := c.sources.of(f, steps)
	if err != nil {
		return nil, err
	}
	return func(x *exam, key []byte) ([]byte, bool) {
		values := x.take(from).values
		if len(values) == 0 {
			return nil, false
		}
		var all strings.Builder
		for _, v := range values {
			all.Write(appendPart(nil, v.text))
		}
		return appendPart(key, all.String()), true
	}, nil
}
