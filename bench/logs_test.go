//go:build bench

package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/logs"
)

const dayLines = 1_000_000

// accessFields are those of CloudFront's standard log.
var accessFields = strings.Fields("date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) " +
	"cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken " +
	"x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields " +
	"c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start sc-range-end")

// TestFiguresOfTheLogs stores a day of a million lines in CloudFront's format and asks
// about them, beside what a file and the tools of Unix do with the same lines.
func TestFiguresOfTheLogs(t *testing.T) {
	path, needle := writeDay(t)
	fmt.Println("\n| what | took | lines a second | CPU a line | bytes a line | ratio | budget |\n|---|---:|---:|---:|---:|---:|---|")
	plain := toFile(t, path, func(f *os.File) (io.Writer, func() error) { return f, func() error { return nil } })
	plain.print("lines appended to a file that is synced every 100 ms", 0, "")
	packed := toFile(t, path, func(f *os.File) (io.Writer, func() error) {
		w, err := zstd.NewWriter(f, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		return w, w.Flush
	})
	packed.print("the same through zstd", plain.took, "")
	streams := enginetest.Streams(t)
	s := &logs.Store{Dir: t.TempDir(), Streams: streams, State: streams, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	toStore(t, s, path).print("lines appended to the log store, 33 fields each", plain.took, "≥ 150,000 lines/s")
	byAwk := repeat(t, func() (int, error) {
		out, err := exec.CommandContext(t.Context(), "awk", "-F", "\t", "{n[$5]++} END {for (c in n) k++; print k}", path).Output()
		n, _ := strconv.Atoi(string(bytes.TrimSpace(out)))
		return n, err
	})
	clients := repeat(t, func() (int, error) { return countClients(t, s) })
	byAwk.print("count by client: awk", 0, "")
	clients.print("count by client", byAwk.took, "≤ 100 ms")
	if clients.found != byAwk.found {
		t.Errorf("%d clients, awk says %d", clients.found, byAwk.found)
	}
	for _, n := range []struct{ what, text string }{{"needle", needle}, {"part of a needle, of 12 letters", needle[20:32]}, {"needle that is not there", "Th1s1sN0tThere"}} {
		byGrep := repeat(t, func() (int, error) { return grep(t, path, n.text) })
		mine := repeat(t, func() (int, error) { return find(t, s, n.text) })
		byGrep.print(n.what+": grep -F", 0, "")
		mine.print(n.what, byGrep.took, "≤ 50 ms")
		if mine.found != byGrep.found {
			t.Errorf("%s: found %d times, grep says %d", n.what, mine.found, byGrep.found)
		}
	}
	at := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	closed := time.Since(at)
	again := &logs.Store{Dir: s.Dir, Streams: streams, State: streams, Log: s.Log}
	at = time.Now()
	if err := again.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("| opened again (closed in %s) | %s | | | | | |\n", precise(closed), precise(time.Since(at)))
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// work is what came of storing or asking.
type work struct {
	took, cpu time.Duration
	lines     int
	bytes     int64
	found     int
}

func (w work) print(what string, base time.Duration, budget string) {
	rate, cpu, size, ratio := "", "", "", ""
	if w.lines > 0 {
		rate = fmt.Sprintf("%.0f", float64(w.lines)/w.took.Seconds())
		cpu = fmt.Sprintf("%.1f µs", float64(w.cpu.Nanoseconds())/1000/float64(w.lines))
		size = fmt.Sprint(w.bytes / int64(w.lines))
	} else {
		cpu = precise(w.cpu) + " in all"
	}
	if base > 0 {
		ratio = fmt.Sprintf("%.2f ×", float64(w.took)/float64(base))
	}
	fmt.Printf("| %s | %s | %s | %s | %s | %s | %s |\n", what, precise(w.took), rate, cpu, size, ratio, budget)
}

// repeat asks seven times and takes the median. The processor's time is this process's.
func repeat(t *testing.T, ask func() (int, error)) work {
	t.Helper()
	var w work
	var took []time.Duration
	before := processor()
	for range 7 {
		at := time.Now()
		n, err := ask()
		if err != nil {
			t.Fatal(err)
		}
		took, w.found = append(took, time.Since(at)), n
	}
	slices.Sort(took)
	w.took, w.cpu = took[len(took)/2], (processor()-before)/7
	return w
}

// writeDay writes the lines, of which one alone has the needle.
func writeDay(t *testing.T) (path, needle string) {
	path = filepath.Join(t.TempDir(), "day.log")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	random := rand.New(rand.NewPCG(5, 6))
	popular := rand.NewZipf(random, 1.2, 8, 19_999)
	start := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	id := make([]byte, 54)
	for i := range dayLines {
		for k := range id {
			id[k] = letters[random.Uint64()&63]
		}
		if i == dayLines/3 {
			needle = string(id)
		}
		at, c := start.Add(time.Duration(i)*24*time.Hour/dayLines), popular.Uint64()
		fmt.Fprintf(w, "%s\tWAW1-P1\t%d\t10.%d.%d.%d\tGET\td111111abcdef8.cloudfront.net\t/drops/%x\t%d\t-\tMozilla/5.0%%20(X11;%%20Linux%%20x86_64)%%20Chrome/%d.0\t-\t-\t%s\t%s==\twww.example.com\thttps\t%d\t0.%03d\t-\tTLSv1.3\tTLS_AES_128_GCM_SHA256\tHit\tHTTP/2.0\t-\t-\t%d\t0.%03d\tHit\ttext/html\t%d\t-\t-\n",
			at.Format("2006-01-02\t15:04:05"), 400+random.IntN(50_000), c%200, c/200%200, c%251, popular.Uint64()*7919, []int{200, 200, 200, 304, 404, 206}[random.IntN(6)],
			60+popular.Uint64()%300, []string{"Hit", "Hit", "Miss", "Error"}[random.IntN(4)], id, 30+random.IntN(500), random.IntN(999), 1024+random.IntN(60_000), random.IntN(99), 400+random.IntN(50_000))
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path, needle
}

// eachLine reads the day from memory, so that reading it is no part of the figures.
func eachLine(t *testing.T, path string, take func(line string)) (took, cpu time.Duration) {
	t.Helper()
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, at := processor(), time.Now()
	for line := range bytes.Lines(doc) {
		take(string(line[:len(line)-1]))
	}
	return time.Since(at), processor() - before
}

func toFile(t *testing.T, path string, through func(f *os.File) (io.Writer, func() error)) work {
	f, err := os.Create(filepath.Join(t.TempDir(), "lines"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, flush := through(f)
	buf := bufio.NewWriterSize(w, 1<<20)
	sync := func() {
		if err := buf.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := flush(); err != nil {
			t.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	synced, n := time.Now(), 0
	took, cpu := eachLine(t, path, func(line string) {
		buf.WriteString(line)
		buf.WriteByte('\n')
		if n++; n%1000 == 0 && time.Since(synced) > 100*time.Millisecond {
			sync()
			synced = time.Now()
		}
	})
	at := time.Now()
	sync()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return work{took: took + time.Since(at), cpu: cpu, lines: dayLines, bytes: info.Size()}
}

// toStore appends each line with its fields, no faster than it is stored: nothing is to
// be dropped.
func toStore(t *testing.T, s *logs.Store, path string) work {
	n, start := 0, time.Now().Add(-24*time.Hour)
	flush := func() {
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	took, cpu := eachLine(t, path, func(line string) {
		r := logs.Record{Group: logs.DistributionGroup + "E1", Stream: "WAW1-P1", Message: line, Fields: make([]logs.Field, 0, len(accessFields))}
		i := 0
		for value := range strings.SplitSeq(line, "\t") {
			if value != "-" {
				r.Fields = append(r.Fields, logs.Field{Name: accessFields[i], Value: value})
			}
			i++
		}
		r.Time = start.Add(time.Duration(n) * 24 * time.Hour / dayLines)
		r.Request = r.Fields[11].Value
		s.Append(r)
		if n++; n%20_000 == 0 {
			flush()
		}
	})
	at := time.Now()
	flush()
	st := s.Stats()
	if st.Lost > 0 {
		t.Errorf("%d lines were lost", st.Lost)
	}
	w := work{took: took + time.Since(at), cpu: cpu, lines: dayLines}
	if err := s.Expire(t.Context()); err != nil { // has blocks be made of what is in none
		t.Fatal(err)
	}
	w.bytes = s.Stats().Bytes
	return w
}

func countClients(t *testing.T, s *logs.Store) (int, error) {
	counts := map[string]int{}
	for b, err := range s.Batches(t.Context(), logs.Selection{Columns: []string{"c-ip"}}) {
		if err != nil {
			return 0, err
		}
		c := b.Column("c-ip")
		of := make([]int, len(c.Values)+1)
		for i := range b.Len() {
			if c.Codes != nil {
				of[c.Codes[i]]++
			} else {
				of[i+1]++
			}
		}
		for i, v := range c.Values {
			counts[v] += of[i+1]
		}
	}
	return len(counts), nil
}

func find(t *testing.T, s *logs.Store, needle string) (n int, err error) {
	for b, err := range s.Batches(t.Context(), logs.Selection{Has: []string{needle}, Columns: []string{logs.FieldMessage}}) {
		if err != nil {
			return 0, err
		}
		c := b.Column(logs.FieldMessage)
		for i := range b.Len() {
			if m, _ := c.At(i); strings.Contains(m, needle) {
				n++
			}
		}
	}
	return n, nil
}

func grep(t *testing.T, path, needle string) (int, error) {
	out, err := exec.CommandContext(t.Context(), "grep", "-c", "-F", needle, path).Output()
	if exit, ok := err.(*exec.ExitError); ok && exit.ExitCode() == 1 { // none
		err = nil
	}
	n, _ := strconv.Atoi(string(bytes.TrimSpace(out)))
	return n, err
}

// processor is the time that this process has taken of processors.
func processor() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
