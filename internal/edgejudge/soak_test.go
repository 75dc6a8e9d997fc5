package edgejudge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Who asks at once during a soak.
const (
	readers     = 16 // whole bodies, as fast as they come
	cutters     = 4  // ranges
	squeezers   = 4  // compressed
	leavers     = 4  // who go in the middle of a body
	slowReaders = 24 // a kilobyte a second
	changers    = 1  // POSTs, which invalidate
)

// things are what can be asked for: more bytes than the cache may keep in memory.
const things = 2400

// soak keeps the edge saturated. It takes 20 seconds, or as long as DROPSTACK_SOAK says.
type soak struct {
	door         *door
	noise, prose []byte // that bodies are cut out of
	asked, bytes atomic.Int64
	hits         atomic.Int64
}

func saturate(t *testing.T, d *door) {
	long := 20 * time.Second
	if testing.Short() {
		long = 3 * time.Second
	}
	if of := os.Getenv("DROPSTACK_SOAK"); of != "" {
		var err error
		if long, err = time.ParseDuration(of); err != nil {
			t.Fatalf("DROPSTACK_SOAK: %v", err)
		}
	}
	s := newSoak(d)
	d.origin.lend("s0", s.answer)
	files := d.Files(t)
	ctx, stop := context.WithTimeout(t.Context(), long)
	defer stop()
	var wg sync.WaitGroup
	for kind, n := range map[string]int{"read": readers, "cut": cutters, "squeeze": squeezers, "leave": leavers, "slow": slowReaders, "change": changers} {
		for i := range n {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(uint64(i), uint64(len(kind))))
				for ctx.Err() == nil {
					if err := s.ask(ctx, kind, random); err != nil && ctx.Err() == nil {
						t.Errorf("%s: %v", kind, err)
						stop()
					}
				}
			})
		}
	}
	memory := watch(ctx, t, d)
	wg.Wait()
	d.client.CloseIdleConnections()
	t.Logf("%v: %d requests, %.1f GB checked byte by byte, %d %% from the cache", long, s.asked.Load(), float64(s.bytes.Load())/1e9, 100*s.hits.Load()/max(1, s.asked.Load()))
	early, late := memory[len(memory)/3:len(memory)*2/3], memory[len(memory)*2/3:]
	t.Logf("resident memory: %s MB", megabytes(memory))
	if now, before := slices.Max(late), slices.Max(early); long >= 20*time.Second && now > before+before/8+(32<<20) { // before that it gets warm
		t.Errorf("resident memory was at most %d MB in the second third and %d MB in the last: it grows", before>>20, now>>20)
	}
	if left := settled(t, d, files); left > files+8 {
		t.Errorf("%d files are open, %d were", left, files)
	}
	stacks := d.Stacks(t)
	for _, at := range strings.Split(stacks, "\n\n") {
		if busy.MatchString(at) {
			t.Errorf("a goroutine is left that serves or fetches:\n%s", at)
		}
	}
	t.Logf("%d goroutines and %d files at the end", strings.Count(stacks, "\ngoroutine "), d.files)
}

// busy goroutines serve a request, or fetch for the cache.
var busy = regexp.MustCompile(`edge\.\(\*Server\)\.ServeHTTP|edge/cache\.\(\*flight\)|edge/origin\.\(\*Domain\)\.ServeHTTP`)

// watch samples the platform's resident memory until the end.
func watch(ctx context.Context, t *testing.T, d *door) (samples []int64) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		samples = append(samples, d.RSS(t))
		select {
		case <-ctx.Done():
			return samples
		case <-tick.C:
		}
	}
}

func megabytes(samples []int64) string {
	var list []string
	for i := range 20 {
		list = append(list, strconv.FormatInt(samples[i*len(samples)/20]>>20, 10))
	}
	return strings.Join(append(list, strconv.FormatInt(samples[len(samples)-1]>>20, 10)), " ")
}

// settled waits until no more files are closed, connections above all: of what is over
// the platform learns by and by, and whatever still serves or fetches has one.
func settled(t *testing.T, d *door, want int) int {
	const quiet = 20 // looks without a change
	same := 0
	for end := time.Now().Add(patience); ; {
		now := d.Files(t)
		if same++; now != d.files {
			same = 0
		}
		d.files = now
		if now <= want+8 && same >= quiet || time.Now().After(end) {
			return now
		}
		<-time.After(50 * time.Millisecond)
	}
}

func newSoak(d *door) *soak {
	s := &soak{door: d, noise: make([]byte, 16<<20)}
	source := rand.NewChaCha8([32]byte{7})
	_, _ = source.Read(s.noise)
	random := rand.New(source)
	words := strings.Fields("the edge keeps what it may keep and asks for what it must ask and no byte of it is ever anybody else's")
	for len(s.prose) < 4<<20 {
		s.prose = append(s.prose, words[random.IntN(len(words))]...)
		s.prose = append(s.prose, ' ')
	}
	return s
}

// body is that of a thing in a version.
func (s *soak) body(thing, version int) []byte {
	size := []int{2 << 10, 3 << 10, 1500, 6 << 10, 9 << 10, 50 << 10, 80 << 10, 30 << 10, 1 << 20, 4 << 10}[thing%10]
	if thing%100 == 8 {
		size = 5 << 20
	}
	from := s.noise
	if text(thing) {
		from = s.prose
	}
	at := (uint(thing)*2654435761 + uint(version)*40503) % uint(len(from)-size)
	return from[at : int(at)+size]
}

func text(thing int) bool { return thing%10 < 4 }

// answer is the origin's: what a thing is changes every two seconds.
func (s *soak) answer(w http.ResponseWriter, r *http.Request) {
	_, name, _ := strings.Cut(r.URL.Path, "/s0/")
	thing, err := strconv.Atoi(name)
	if err != nil {
		http.Error(w, "no such thing", http.StatusTeapot)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	version := int(time.Now().Unix()) / 2
	h := w.Header()
	h.Set("Cache-Control", []string{
		"max-age=3600", "max-age=3600", "max-age=60", "max-age=1, stale-while-revalidate=60", "no-cache", "max-age=2", "private, no-store",
	}[thing/10%7])
	tag := fmt.Sprintf(`"%d-%d"`, thing, version)
	h.Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("X-Version", strconv.Itoa(version))
	h.Set("Content-Type", "application/octet-stream")
	if text(thing) {
		h.Set("Content-Type", "text/plain")
	}
	body := s.body(thing, version)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

// ask makes one request and looks at every byte of what comes.
func (s *soak) ask(ctx context.Context, kind string, random *rand.Rand) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	thing := int(float64(things) * random.Float64() * random.Float64()) // some are asked for more often
	at, method := "/plain", http.MethodGet
	switch kind {
	case "squeeze":
		at, thing = "/compress", thing/10*10+thing%4
	case "slow":
		thing = thing/10*10 + 5 + thing%4
	case "change":
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, s.door.url, http.NoBody)
	if err != nil {
		return err
	}
	req.URL = &url.URL{Scheme: "http", Host: req.URL.Host, Opaque: fmt.Sprintf("%s/s0/%d", at, thing)}
	req.Host = "site.localhost"
	if kind == "cut" {
		from := random.IntN(1500)
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, from+random.IntN(4000)))
	}
	if kind == "squeeze" {
		req.Header.Set("Accept-Encoding", []string{"gzip", "br", "br, gzip"}[random.IntN(3)])
	}
	resp, err := s.door.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	s.asked.Add(1)
	if strings.HasPrefix(resp.Header.Get("X-Cache"), "Hit") {
		s.hits.Add(1)
	}
	version, err := strconv.Atoi(resp.Header.Get("X-Version"))
	if err != nil {
		return fmt.Errorf("%s: %s without a version", req.URL.Opaque, resp.Status)
	}
	want := s.body(thing, version)
	if resp.StatusCode == http.StatusPartialContent {
		var from, to, of int
		if _, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d/%d", &from, &to, &of); err != nil || of != len(want) || to >= of || from > to {
			return fmt.Errorf("Content-Range %q of %d bytes", resp.Header.Get("Content-Range"), len(want))
		}
		want = want[from : to+1]
	}
	return s.read(ctx, kind, resp, want, random)
}

// read compares as it reads.
func (s *soak) read(ctx context.Context, kind string, resp *http.Response, want []byte, random *rand.Rand) error {
	wrong := func(at int) error {
		return fmt.Errorf("WRONG BODY of %s, version %s, at byte %d of %d (%s)", resp.Request.URL.Opaque, resp.Header.Get("X-Version"), at, len(want), resp.Header.Get("X-Cache"))
	}
	if resp.Header.Get("Content-Encoding") != "" {
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		body, err := decoded(got{Response: resp, body: raw})
		if err != nil || !bytes.Equal(body, want) {
			return errors.Join(err, wrong(len(body)))
		}
		s.bytes.Add(int64(len(body)))
		return nil
	}
	buffer, leave := make([]byte, 32<<10), len(want)
	switch kind {
	case "leave":
		leave = random.IntN(len(want))
	case "slow":
		buffer = buffer[:1<<10]
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		return s.compare(resp.Body, buffer, want, leave, wrong, func() bool {
			select {
			case <-ctx.Done():
				return false
			case <-tick.C:
				return true
			}
		})
	}
	return s.compare(resp.Body, buffer, want, leave, wrong, func() bool { return true })
}

func (s *soak) compare(from io.Reader, buffer, want []byte, leave int, wrong func(int) error, more func() bool) error {
	at := 0
	for at < leave {
		n, err := from.Read(buffer)
		if at+n > len(want) || !bytes.Equal(buffer[:n], want[at:at+n]) {
			return wrong(at)
		}
		at += n
		s.bytes.Add(int64(n))
		if err == io.EOF && at == len(want) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("after %d of %d bytes: %w", at, len(want), err)
		}
		if !more() {
			return nil
		}
	}
	return nil
}
