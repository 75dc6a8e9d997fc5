package edgejudge

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

var identity = regexp.MustCompile(`^(c\d+)#(\d+)$`)

// number is that of the origin's response that the client got; 0: none of this case,
// -1: one of another case, which nothing excuses.
func (p *play) number(g got) int {
	if g.Response == nil {
		return 0
	}
	m := identity.FindStringSubmatch(g.Header.Get("X-Id"))
	if m == nil || g.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		return 0 // the edge's own answer, though it may speak of a response
	}
	if m[1] != p.id {
		return -1
	}
	n, _ := strconv.Atoi(m[2])
	return n
}

// compare holds a response against what the step wants.
func (p *play) compare(s step, g got) {
	w, number := s.want, p.number(g)
	asked, _ := p.scene.asked()
	if number < 0 {
		p.reuse(s, "got %s, a response of another case", g.Header.Get("X-Id"))
		return
	}
	if w.source == "broken" {
		if g.err == nil {
			p.fault(s, "got a whole response (%d, %d bytes), must break off", g.StatusCode, len(g.body))
		}
		return
	}
	if g.err != nil {
		p.fault(s, "%v", g.err)
		return
	}
	newest := w.number
	if newest == 0 {
		newest = p.newest(p.asked)
	}
	empty := g.StatusCode == http.StatusNotModified || g.StatusCode == http.StatusNoContent
	switch fresh := number > p.asked; w.source {
	case "origin":
		if number > 0 && !fresh {
			p.older(s, "got the origin's response %d, must get a new one", number)
		} else if asked == p.asked {
			if empty || number == 0 {
				p.fault(s, "got %d and the origin was not asked, must be", g.StatusCode)
			}
		}
	case "cache", "eventually", "validated", "stale":
		switch {
		case number == 0 && !empty:
			p.fault(s, "got %d that is no response of the origin, must be response %d", g.StatusCode, newest)
		case fresh && newest != number:
			p.fault(s, "got a new response of the origin, must be response %d from the cache", newest)
		case number != 0 && number != newest:
			p.older(s, "got response %d, must be %d", number, newest)
		}
		if w.source == "cache" && asked != p.asked && !fresh && len(s.seen) == 0 {
			p.fault(s, "the origin was asked %d times, must not be", asked-p.asked)
		}
		if w.source == "validated" && asked == p.asked {
			p.older(s, "got response %d without asking the origin", number)
		}
		if w.source == "cache" && number != 0 && g.Header.Get("Age") == "" {
			p.fault(s, "Age is missing of a response that the origin was not asked about")
		}
	case "either":
		if number != 0 && !fresh && number != newest {
			p.older(s, "got response %d, may be %d or a new one", number, newest)
		}
	case "edge":
		if number != 0 {
			if !fresh {
				p.older(s, "got response %d, must be an answer of the edge itself", number)
			} else {
				p.fault(s, "got a response of the origin, must be an answer of the edge itself")
			}
		}
	}
	if g.StatusCode != w.status && w.status != 0 {
		p.fault(s, "status %d, must be %d", g.StatusCode, w.status)
	}
	for _, c := range w.checks {
		values := g.Header.Values(c.name)
		if c.name == "body" {
			values = []string{string(g.body)}
		}
		if bad := c.holds(values); bad != "" {
			p.fault(s, "the client's %s", bad)
		}
	}
	if number > 0 {
		p.bytes(s, g, number)
	}
}

// newest is the last response with a body that the origin sent before.
func (p *play) newest(before int) int {
	p.scene.mu.Lock()
	defer p.scene.mu.Unlock()
	for i := min(before, len(p.scene.sent)); i > 0; i-- {
		if p.scene.sent[i-1].body != nil {
			return i
		}
	}
	return 0
}

// older is a fault of a response that is not new: wrong reuse, except where what is
// asked for is an optimisation.
func (p *play) older(s step, format string, args ...any) {
	if p.kind == "optional" {
		p.fault(s, format, args...)
		return
	}
	p.reuse(s, format, args...)
}

// bytes compares a body with the origin's.
func (p *play) bytes(s step, g got, number int) {
	if s.request != nil && s.request.method == http.MethodHead || g.StatusCode == http.StatusNotModified {
		if len(g.body) > 0 {
			p.fault(s, "a body of %d bytes where none may be", len(g.body))
		}
		return
	}
	p.scene.mu.Lock()
	want := p.scene.sent[number-1].body
	p.scene.mu.Unlock()
	body, err := decoded(g)
	if err != nil {
		p.fault(s, "%v", err)
		return
	}
	if g.StatusCode == http.StatusPartialContent && !strings.HasPrefix(g.Header.Get("Content-Type"), "multipart/") {
		var from, to, of int
		if _, err := fmt.Sscanf(g.Header.Get("Content-Range"), "bytes %d-%d/%d", &from, &to, &of); err != nil {
			p.fault(s, "Content-Range %q: %v", g.Header.Get("Content-Range"), err)
			return
		}
		p.scene.mu.Lock()
		partial := p.scene.sent[number-1].status == http.StatusPartialContent
		p.scene.mu.Unlock()
		if !partial { // else the origin has cut it
			if to >= len(want) || of != len(want) || from > to {
				p.fault(s, "Content-Range %q of a body of %d bytes", g.Header.Get("Content-Range"), len(want))
				return
			}
			want = want[from : to+1]
		}
	} else if g.StatusCode == http.StatusPartialContent {
		return // the case says what must be in it
	}
	if !bytes.Equal(body, want) {
		p.reuse(s, "the body of response %d has %d bytes that are not the origin's %d", number, len(body), len(want))
	}
}

// decoded is a body without its coding, if it is one that the edge has put on.
func decoded(g got) ([]byte, error) {
	coding := g.Header.Get("Content-Encoding")
	if g.StatusCode == http.StatusPartialContent {
		return g.body, nil
	}
	var r io.Reader
	switch coding {
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(g.body))
		if err != nil {
			return nil, fmt.Errorf("body said to be gzip: %w", err)
		}
		r = z
	case "br":
		r = brotli.NewReader(bytes.NewReader(g.body))
	case "zstd":
		z, err := zstd.NewReader(bytes.NewReader(g.body))
		if err != nil {
			return nil, fmt.Errorf("body said to be zstd: %w", err)
		}
		defer z.Close()
		r = z
	default:
		return g.body, nil
	}
	body, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("body said to be %s: %w", coding, err)
	}
	return body, nil
}

// witness holds what the origin has seen in the step against a check.
func (p *play) witness(s step, c check) {
	p.scene.mu.Lock()
	seen := slices.Clone(p.scene.seen[p.asked:])
	p.scene.mu.Unlock()
	if c.name == "asked" {
		if bad := c.holds([]string{strconv.Itoa(len(seen))}); bad != "" {
			p.fault(s, "how often the origin was %s", bad)
		}
		return
	}
	if len(seen) == 0 {
		p.fault(s, "the origin was not asked, so it has seen no %s", c.name)
		return
	}
	last := seen[len(seen)-1]
	values := last.Header.Values(c.name)
	switch c.name {
	case "method":
		values = []string{last.Method}
	case "path":
		values = []string{strings.TrimPrefix(last.RequestURI, p.at+"/"+p.id)}
	case "Host":
		values = []string{last.Host}
	}
	if bad := c.holds(values); bad != "" {
		p.fault(s, "the origin's %s", bad)
	}
}
