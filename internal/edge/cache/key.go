package cache

import (
	"crypto/sha256"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// key names the responses that may answer a request as far as the policy tells them
// apart; Vary tells them apart further. A hash, so that no client can make two
// requests meet in one key, and so that an index of millions stays small.
type key [sha256.Size]byte

// maxKey is how long what goes into a key may be, in bytes. The edge refuses longer
// requests; whoever calls without an edge gets such requests answered but not stored.
const maxKey = 32 << 10

var keyBuffers = sync.Pool{New: func() any { return new([]byte) }}

// identify fills in the exchange's key, the part of its URL that is keyed, and the
// encodings its client may be sent; false: the key would be too long.
//
// Every part is preceded by its length, so no two requests spell the same key. What a
// distribution forwards of headers and cookies is read from the request that the
// origin gets: what the origin never sees cannot have changed its answer. Path and
// query are the client's, because invalidations name those.
func (x *exchange) identify() bool {
	p := x.policy
	x.accept = normalEncodings(x.in.Header["Accept-Encoding"], p.Encodings)
	x.path = x.in.URL.EscapedPath()
	x.query = p.Query.Query(x.in.URL.RawQuery)

	buf := keyBuffers.Get().(*[]byte)
	b := (*buf)[:0]
	add := func(part string) {
		b = strconv.AppendInt(b, int64(len(part)), 10)
		b = append(b, ':')
		b = append(b, part...)
	}
	add(x.zone)
	if x.method == http.MethodOptions {
		add(http.MethodOptions)
	} else {
		add("") // HEAD and GET share what is stored
	}
	// A host that the origin is shown is part of the key even when the policy does not
	// say so: origins write links with it, and a stranger's host must not end up in
	// everybody's pages.
	if p.Headers.HasHeader("Host") || strings.EqualFold(x.out.Host, x.in.Host) {
		add(strings.ToLower(x.in.Host))
	} else {
		add("")
	}
	add(x.path)
	add(p.Query.Mode)
	add(x.query)
	for _, name := range p.Headers.Names {
		canonical := http.CanonicalHeaderKey(name)
		if p.Headers.Mode != Only || canonical == "Host" || canonical == "Accept-Encoding" && len(p.Encodings) > 0 {
			continue
		}
		add(canonical)
		values := x.out.Header[canonical]
		add(strconv.Itoa(len(values)))
		for _, v := range values {
			add(v)
		}
	}
	add(p.Cookies.Mode)
	add(p.Cookies.Cookies(x.out.Header["Cookie"]))
	add(x.accept[0])
	long := len(b) > maxKey
	if !long {
		x.key = sha256.Sum256(b)
	}
	*buf = b
	keyBuffers.Put(buf)
	return !long
}

// preference is the order in which the edge chooses an encoding.
var preference = []string{"br", "zstd", "gzip"}

// acceptable holds every normal form, as a header's lines, so that none is built per
// request.
var acceptable = func() (forms [8][]string) {
	for i := range forms {
		var names []string
		for j, name := range preference {
			if i&(1<<j) != 0 {
				names = append(names, name)
			}
		}
		forms[i] = []string{strings.Join(names, ",")}
	}
	return forms
}()

// normalEncodings reduces Accept-Encoding to those of the policy's encodings that the
// client takes, in the edge's order: one line, "br,gzip", or "" for the plain form only.
// Without encodings in the policy it is always "".
func normalEncodings(lines, offered []string) []string {
	if len(offered) == 0 || len(lines) == 0 {
		return acceptable[0]
	}
	var yes, no, rest int
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(item, ";")
			name = strings.TrimSpace(name)
			refused := params != "" && zeroWeight(params)
			if name == "*" {
				if !refused {
					rest = 7
				}
				continue
			}
			i := slices.IndexFunc(preference, func(p string) bool {
				return strings.EqualFold(p, name) || p == "gzip" && strings.EqualFold(name, "x-gzip")
			})
			switch {
			case i < 0:
			case refused:
				no |= 1 << i
			default:
				yes |= 1 << i
			}
		}
	}
	mask := 0
	for i, name := range preference {
		if (yes|rest)&^no&(1<<i) != 0 && slices.Contains(offered, name) {
			mask |= 1 << i
		}
	}
	return acceptable[mask]
}

// zeroWeight says whether parameters hold "q=0", which refuses (RFC 9110, section
// 12.4.2). A weight that is none refuses too: not to compress is always right.
func zeroWeight(params string) bool {
	for param := range strings.SplitSeq(params, ";") {
		name, value, ok := strings.Cut(param, "=")
		if !ok || !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		return err != nil || !(q > 0)
	}
	return false
}
