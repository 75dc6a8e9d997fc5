package edgejudge

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// patience is how long anything may take that has an event of its own; it only ends
// what has gone wrong.
const patience = 20 * time.Second

// got is a response as the client has it.
type got struct {
	*http.Response
	body []byte
	err  error // of the request, or of the body
}

// flight is a request, or many alike, in the background.
type flight struct {
	asked   int // the origin, before
	leave   context.CancelFunc
	written chan struct{} // as many as there are requests
	heads   chan struct{}
	done    chan got
	times   int
}

// play is one case on its way.
type play struct {
	testCase
	door    *door
	scene   *scene
	flights map[string]*flight
	asked   int // before the step
	wrong   []string
	reused  []string // wrong reuse
}

// run plays the case and says what was wrong.
func (d *door) run(ctx context.Context, c testCase) (wrong, reused []string) {
	p := &play{testCase: c, door: d, scene: d.origin.scene(c.id), flights: map[string]*flight{}}
	defer func() {
		for _, f := range p.flights {
			f.leave()
		}
	}()
	for _, s := range c.steps {
		before := len(p.wrong) + len(p.reused)
		p.step(ctx, s)
		if len(p.wrong)+len(p.reused) > before && slices.Contains(p.wrong, gaveUp) {
			break
		}
	}
	return p.wrong, p.reused
}

const gaveUp = "gave up waiting"

func (p *play) fault(s step, format string, args ...any) {
	p.wrong = append(p.wrong, fmt.Sprintf("line %d: ", s.line)+fmt.Sprintf(format, args...))
}

func (p *play) reuse(s step, format string, args ...any) {
	p.reused = append(p.reused, fmt.Sprintf("line %d: WRONG REUSE: ", s.line)+fmt.Sprintf(format, args...))
}

func (p *play) step(ctx context.Context, s step) {
	if len(s.answers) > 0 {
		p.scene.mu.Lock()
		p.scene.queue = slices.Clone(s.answers)
		p.scene.mu.Unlock()
	}
	if s.request == nil {
		p.command(ctx, s)
		return
	}
	p.asked, _ = p.scene.asked()
	f := p.send(ctx, s.request)
	if s.request.name != "" {
		p.flights[s.request.name] = f
		return
	}
	defer f.leave()
	p.judge(ctx, s, f)
}

// judge looks at what came of a request.
func (p *play) judge(ctx context.Context, s step, f *flight) {
	p.asked = f.asked
	for range f.times {
		var g got
		select {
		case g = <-f.done:
		case <-time.After(patience):
			p.fault(s, "no answer within %v", patience)
			p.wrong = append(p.wrong, gaveUp)
			return
		}
		if s.want == nil {
			continue
		}
		if s.want.source == "eventually" {
			g = p.again(ctx, s, g)
		}
		p.compare(s, g)
	}
	for _, c := range s.seen {
		p.witness(s, c)
	}
}

// again asks until the response is the one that is waited for.
func (p *play) again(ctx context.Context, s step, g got) got {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if p.number(g) == s.want.number {
			break
		}
		f := p.send(ctx, s.request)
		g = <-f.done
		f.leave()
	}
	return g
}

// send makes a step's requests.
func (p *play) send(ctx context.Context, r *request) *flight {
	ctx, cancel := context.WithCancel(ctx)
	f := &flight{
		asked: p.asked, leave: cancel, times: r.times,
		written: make(chan struct{}, r.times), heads: make(chan struct{}, r.times), done: make(chan got, r.times),
	}
	for range r.times {
		go func() { f.done <- p.once(ctx, r, f) }()
	}
	return f
}

func (p *play) once(ctx context.Context, r *request, f *flight) got {
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) {
			select {
			case f.written <- struct{}{}:
			default: // the transport has tried again
			}
		},
	})
	req, err := http.NewRequestWithContext(ctx, r.method, p.door.url, strings.NewReader(r.body))
	if err != nil {
		return got{err: err}
	}
	if r.body == "" {
		req.Body = http.NoBody
	}
	req.Host = p.door.host(p.at)
	req.URL = &url.URL{Scheme: "http", Host: req.URL.Host, Opaque: p.path(r.path)}
	for _, h := range r.headers {
		value := filled(strings.ReplaceAll(h.value, "{url}", "http://"+req.Host+p.at+"/"+p.id))
		if http.CanonicalHeaderKey(h.name) == "Host" {
			req.Host = value
			continue
		}
		req.Header[h.name] = append(req.Header[h.name], value)
	}
	resp, err := p.door.once.Do(req)
	if err != nil {
		return got{err: err}
	}
	defer resp.Body.Close()
	f.heads <- struct{}{}
	body, err := io.ReadAll(resp.Body)
	return got{Response: resp, body: body, err: err}
}

// path is where the case lives; "{as is}" in front takes a path as it is.
func (p *play) path(of string) string {
	if rest, ok := strings.CutPrefix(of, "{as-is}"); ok {
		return rest
	}
	return p.at + "/" + p.id + of
}

func (p *play) command(ctx context.Context, s step) {
	name := ""
	if len(s.command) > 1 {
		name = s.command[1]
	}
	f := p.flights[name]
	switch verb := s.command[0]; verb {
	case "release":
		close(p.scene.held(name))
	case "leave":
		f.leave()
		p.await(s, f.done, 1)
	case "join":
		p.judge(ctx, s, f)
	case "written":
		p.await(s, f.written, f.times)
	case "head":
		p.await(s, f.heads, f.times)
	case "asked":
		n, err := strconv.Atoi(name)
		if err != nil {
			p.fault(s, "%v", err)
			return
		}
		deadline := time.After(patience)
		for {
			count, news := p.scene.asked()
			if count >= n {
				return
			}
			select {
			case <-news:
			case <-deadline:
				p.fault(s, "the origin was asked %d times, must be asked %d times", count, n)
				p.wrong = append(p.wrong, gaveUp)
				return
			}
		}
	case "pause":
		d, _ := time.ParseDuration(name) // parse has looked
		time.Sleep(d)                    // what a case says in seconds has to pass: all such cases wait at once
	case "invalidate":
		if err := p.door.invalidate(ctx, p.at, p.path(name)); err != nil {
			p.fault(s, "invalidate: %v", err)
		}
	default:
		p.fault(s, "command %q", verb)
	}
}

// await receives n times.
func (p *play) await(s step, from any, n int) {
	deadline := time.After(patience)
	for range n {
		switch c := from.(type) {
		case chan struct{}:
			select {
			case <-c:
				continue
			case <-deadline:
			}
		case chan got:
			select {
			case <-c:
				continue
			case <-deadline:
			}
		}
		p.fault(s, "%s: nothing within %v", strings.Join(s.command, " "), patience)
		p.wrong = append(p.wrong, gaveUp)
		return
	}
}

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
