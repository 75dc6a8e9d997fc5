package edgejudge

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
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
