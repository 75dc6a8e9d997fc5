package edgejudge

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	seed   = flag.Uint64("seed", 0, "of the random requests; 0: one of its own, which is printed")
	chance = flag.Duration("chance", 3*time.Second, "how long random requests are made")
)

// wanderers is how many make random requests at once, each of paths of its own.
const wanderers = 8

// atRandom makes random requests of a few paths, has the origin answer them at random,
// and asks the model whether what came may have come.
func atRandom(t *testing.T, d *door) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", *seed)
	var wg sync.WaitGroup
	all := make([]*wanderer, wanderers)
	for i := range all {
		w := &wanderer{door: d, id: fmt.Sprintf("w%d", i), random: rand.New(rand.NewPCG(*seed, uint64(2*i))), origin: rand.New(rand.NewPCG(*seed, uint64(2*i+1)))}
		d.origin.lend(w.id, w.answer)
		all[i] = w
		wg.Go(func() {
			for end := time.Now().Add(*chance); time.Now().Before(end); {
				if err := w.step(t.Context()); err != nil {
					t.Errorf("-seed %d, request %d of wanderer %s: %v", *seed, w.asked, w.id, err)
					return
				}
			}
		})
	}
	wg.Wait()
	asked, reused := 0, 0
	for _, w := range all {
		asked, reused = asked+w.asked, reused+w.reused
	}
	t.Logf("%d random requests, %d of them answered by what was stored", asked, reused)
	if reused*10 < asked {
		t.Errorf("%d of %d requests were answered by what was stored: too few to judge by", reused, asked)
	}
}

// wanderer makes requests one after the other.
type wanderer struct {
	door          *door
	id            string
	model         model
	random        *rand.Rand
	asked, reused int

	mu     sync.Mutex // the origin is asked behind answers too
	origin *rand.Rand
	marks  int
}

func pick(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }

// answer is the origin's.
func (w *wanderer) answer(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	status, mark, headers := w.make(r)
	w.mu.Unlock()
	e := event{
		mark: mark, method: r.Method, path: strings.TrimPrefix(r.URL.RequestURI(), "/plain/"+w.id),
		asked: r.Header.Clone(), status: status, headers: headers,
	}
	for name, values := range headers {
		rw.Header()[name] = values
	}
	w.model.add(e)
	rw.WriteHeader(status)
	if mark != "" && r.Method != http.MethodHead {
		_, _ = io.WriteString(rw, mark)
	}
}

func (w *wanderer) make(r *http.Request) (status int, mark string, headers http.Header) {
	headers = http.Header{}
	set := func(name, value string) {
		if value != "" {
			headers.Set(name, value)
		}
	}
	set("Cache-Control", pick(w.origin, "max-age=3600", "max-age=3600", "max-age=60", "s-maxage=3600, max-age=0", "max-age=0", "no-store",
		"private, max-age=3600", "no-cache, max-age=3600", "public, max-age=600", "max-age=60, stale-if-error=600",
		"max-age=60, must-revalidate, stale-if-error=600", "max-age=3600, must-revalidate", ""))
	if strings.Contains(r.URL.Path, "/behind") {
		set("Cache-Control", pick(w.origin, "max-age=60, stale-while-revalidate=600", "max-age=3600, stale-while-revalidate=600"))
	}
	set("Age", pick(w.origin, "", "", "", "30", "90", "500", "5000"))
	if known := tags(r.Header); known[0] != "" && w.origin.IntN(2) == 0 {
		set("ETag", known[0])
		return http.StatusNotModified, "", headers
	}
	w.marks++
	mark = fmt.Sprintf("%s-%d", w.id, w.marks)
	set("X-Mark", mark)
	set("Vary", pick(w.origin, "", "", "", "X-Lang", "X-Device", "X-Lang, X-Device", "*"))
	if w.origin.IntN(2) == 0 {
		set("ETag", fmt.Sprintf("%q", mark))
	}
	if w.origin.IntN(12) == 0 {
		set("Set-Cookie", "session=1")
	}
	return []int{200, 200, 200, 200, 200, 404, 301, 500, 503, 403}[w.origin.IntN(10)], mark, headers
}

// step makes one request.
func (w *wanderer) step(ctx context.Context) error {
	w.asked++
	method := pick(w.random, "GET", "GET", "GET", "GET", "GET", "GET", "GET", "HEAD", "POST", "DELETE")
	path := pick(w.random, "/a", "/b", "/c?q=1", "/c?q=2", "/behind")
	req, err := http.NewRequestWithContext(ctx, method, w.door.url, nil)
	if err != nil {
		return err
	}
	req.URL = &url.URL{Scheme: "http", Host: req.URL.Host, Opaque: "/plain/" + w.id + path}
	req.Host = "site.localhost"
	req.Header.Set("X-Ask", fmt.Sprint(w.asked))
	for name, value := range map[string]string{
		"X-Lang": pick(w.random, "", "de", "en"), "X-Device": pick(w.random, "", "", "big"),
		"Authorization": pick(w.random, "", "", "", "", "Bearer one"),
	} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	from := time.Now()
	resp, err := w.door.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	mark, said := resp.Header.Get("X-Mark"), fmt.Sprintf("%s %s %v", method, path, req.Header)
	if mark == "" {
		return fmt.Errorf("%s: answered %d by nobody: %s", said, resp.StatusCode, body)
	}
	if method != http.MethodHead && string(body) != mark {
		return fmt.Errorf("%s: WRONG BODY %q of response %s\n%s", said, body, mark, w.model.history(path))
	}
	if why := w.model.wrong(mark, method, path, req.Header, from, time.Now()); why != "" {
		return fmt.Errorf("%s: WRONG REUSE of %s: %s\n%s", said, mark, why, w.model.history(path))
	}
	if strings.HasSuffix(resp.Header.Get("Cache-Status"), "; stored") {
		w.model.note(mark)
	}
	if w.model.before(mark, from) {
		w.reused++
	}
	return nil
}

// before says whether the origin said it before a time.
func (m *model) before(mark string, at time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.events {
		if e.mark == mark {
			return e.at.Before(at)
		}
	}
	return false
}

// history is what the origin said of a path last.
func (m *model) history(path string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var lines []string
	for _, e := range m.events {
		if e.path == path {
			line := e.method
			for _, name := range []string{"X-Ask", "X-Lang", "X-Device", "Authorization", "If-None-Match"} {
				if v := e.asked.Get(name); v != "" {
					line += fmt.Sprintf(" %s=%s", name, v)
				}
			}
			lines = append(lines, fmt.Sprintf("%s: %d %v", line, e.status, e.headers))
		}
	}
	return strings.Join(lines[max(0, len(lines)-24):], "\n")
}
