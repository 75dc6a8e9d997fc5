package edgejudge

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// origin answers as the cases say. It writes what they say byte by byte, because
// net/http would put right what the edge has to cope with.
type origin struct {
	*httptest.Server
	mu     sync.Mutex
	scenes map[string]*scene // by the first element of a path below the behaviour's
	lent   map[string]http.HandlerFunc
}

// scene is the origin's side of one case.
type scene struct {
	mu    sync.Mutex
	queue []answer
	seen  []*http.Request
	sent  []sent
	holds map[string]chan struct{}
	news  chan struct{} // closed and made anew when the origin has been asked
}

// sent is a response of the origin.
type sent struct {
	status int
	body   []byte
}

func newOrigin(t testing.TB) *origin {
	o := &origin{scenes: map[string]*scene{}, lent: map[string]http.HandlerFunc{}}
	o.Server = httptest.NewServer(o)
	t.Cleanup(o.Close)
	return o
}

func (o *origin) scene(id string) *scene {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.scenes[id]
	if s == nil {
		s = &scene{holds: map[string]chan struct{}{}, news: make(chan struct{})}
		o.scenes[id] = s
	}
	return s
}

// lend has somebody else answer below an element.
func (o *origin) lend(id string, f http.HandlerFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lent[id] = f
}

// errorPage is where the page is that stands for errors.
const errorPage = "/page/error"

var sceneOf = regexp.MustCompile(`^/[a-z]+/([a-z]\d+)(/|$)`)

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	if path == errorPage {
		w.Header().Set("X-Page", "own")
		_, _ = io.WriteString(w, "a page for errors\n")
		return
	}
	m := sceneOf.FindStringSubmatch(path)
	if m == nil {
		http.Error(w, "no case has the path "+path, http.StatusTeapot)
		return
	}
	o.mu.Lock()
	lent := o.lent[m[1]]
	o.mu.Unlock()
	if lent != nil {
		lent(w, r)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	s := o.scene(m[1])
	a, number := s.ask(r)
	if a.hold != "" {
		s.wait(a.hold, r)
	}
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	if !a.refuse {
		s.write(conn, r, a, number, m[1])
	}
}

// ask takes the next answer; of a case that has none left nothing is to be stored.
func (s *scene) ask(r *http.Request) (answer, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := answer{status: http.StatusOK, headers: []header{{"Cache-Control", "no-store"}}, abort: -1, part: -1}
	if len(s.queue) > 0 {
		a = s.queue[0]
		if s.queue[0].repeat--; s.queue[0].repeat <= 0 {
			s.queue = s.queue[1:]
		}
	}
	s.seen = append(s.seen, r)
	s.sent = append(s.sent, sent{status: a.status})
	close(s.news)
	s.news = make(chan struct{})
	return a, len(s.seen)
}

// asked is how often, and what closes when it is once more.
func (s *scene) asked() (int, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen), s.news
}

func (s *scene) held(name string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holds[name] == nil {
		s.holds[name] = make(chan struct{})
	}
	return s.holds[name]
}

func (s *scene) wait(name string, r *http.Request) {
	select {
	case <-s.held(name):
	case <-r.Context().Done():
	case <-time.After(patience):
	}
}

// write sends response number.
func (s *scene) write(conn net.Conn, r *http.Request, a answer, number int, id string) {
	none := a.status == http.StatusNotModified || a.status == http.StatusNoContent || a.status < 200
	body := content(id, number, a)
	s.mu.Lock()
	if !none {
		s.sent[number-1].body = body
	}
	s.mu.Unlock()
	var head bytes.Buffer
	fmt.Fprintf(&head, "HTTP/1.1 %d %s\r\n", a.status, http.StatusText(a.status))
	named := map[string]bool{}
	for _, h := range a.headers {
		named[http.CanonicalHeaderKey(h.name)] = true
		fmt.Fprintf(&head, "%s: %s\r\n", h.name, filled(h.value))
	}
	for _, line := range a.raw {
		name, _, _ := strings.Cut(line, ":")
		named[http.CanonicalHeaderKey(name)] = true
		fmt.Fprintf(&head, "%s\r\n", filled(line))
	}
	if !named["Date"] && !a.nodate {
		fmt.Fprintf(&head, "Date: %s\r\n", time.Now().UTC().Format(http.TimeFormat))
	}
	if !none {
		if !named["Content-Type"] {
			head.WriteString("Content-Type: text/plain\r\n")
		}
		if !a.anonymous {
			fmt.Fprintf(&head, "X-Id: %s#%d\r\n", id, number)
		}
		switch {
		case named["Content-Length"]:
		case a.chunked:
			head.WriteString("Transfer-Encoding: chunked\r\n")
		default:
			fmt.Fprintf(&head, "Content-Length: %d\r\n", len(body))
		}
	}
	if !named["Connection"] {
		head.WriteString("Connection: close\r\n")
	}
	head.WriteString("\r\n")
	if _, err := conn.Write(head.Bytes()); err != nil || none || r.Method == http.MethodHead {
		return
	}
	if a.abort >= 0 {
		body = body[:min(a.abort, len(body))]
	}
	if a.part >= 0 {
		first := body[:min(a.part, len(body))]
		put(conn, first, a.chunked)
		s.wait(a.partHold, r)
		body = body[len(first):]
	}
	put(conn, body, a.chunked)
	if a.chunked && a.abort < 0 {
		_, _ = io.WriteString(conn, "0\r\n\r\n")
	}
}

func put(conn net.Conn, b []byte, chunked bool) {
	if chunked && len(b) > 0 {
		b = fmt.Appendf(nil, "%x\r\n%s\r\n", len(b), b)
	}
	_, _ = conn.Write(b)
}

// content is the body of a response, unlike that of any other.
func content(id string, number int, a answer) []byte {
	b := fmt.Appendf(nil, "%s#%d\n", id, number)
	source := rand.New(rand.NewPCG(uint64(number), 1))
	for len(b) < a.size {
		if a.random {
			b = append(b, byte(source.Uint32()))
		} else {
			b = fmt.Appendf(b, "line %d of response %d\n", len(b), number)
		}
	}
	if a.size > 0 {
		b = b[:a.size]
	}
	return b
}

var dates = regexp.MustCompile(`\{now([+-]\d+)?( [a-z0-9]+)?\}`)

// filled puts dates in: {now-60}, {now+60 rfc850}, {now asctime}.
func filled(value string) string {
	return dates.ReplaceAllStringFunc(value, func(s string) string {
		m := dates.FindStringSubmatch(s)
		at := time.Now().UTC()
		if m[1] != "" {
			d, err := time.ParseDuration(m[1] + "s")
			if err != nil {
				return s
			}
			at = at.Add(d)
		}
		switch strings.TrimSpace(m[2]) {
		case "rfc850":
			return at.Format("Monday, 02-Jan-06 15:04:05 GMT")
		case "asctime":
			return at.Format(time.ANSIC)
		}
		return at.Format(http.TimeFormat)
	})
}
