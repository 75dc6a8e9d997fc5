package main

import (
	"crypto/sha256"
	"hash"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/testkit"
)

const large = 2 << 30 // bytes

// TestLargeFilePassesInFlatMemory sends 2 GB up and down and watches the
// platform's memory meanwhile.
func TestLargeFilePassesInFlatMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("not run: 2 GB both ways is left to the full test run (make test)")
	}
	p := testkit.Start(t, testkit.Dir(t))
	before := p.RSS(t)
	var peak atomic.Int64
	stop := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				peak.Store(max(peak.Load(), p.RSS(t)))
			}
		}
	}()
	sent := sha256.New()
	started := time.Now()
	l, err := post(t.Context(), http.MethodPut, p.HTTP+"/large.bin", "application/octet-stream", &pattern{left: large, sum: sent})
	if err != nil {
		t.Fatal(err)
	}
	up := time.Since(started)
	started = time.Now()
	resp, err := http.Get(p.HTTP + "/raw/" + code(l))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got := sha256.New()
	n, err := io.Copy(got, resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	close(stop)
	<-watched
	t.Logf("2 GB: up in %v, down in %v; resident memory %d MB before, %d MB at the peak", up, time.Since(started), before>>20, peak.Load()>>20)
	if n != large || string(got.Sum(nil)) != string(sent.Sum(nil)) {
		t.Errorf("got %d bytes with another hash than the %d sent", n, large)
	}
	if grown := peak.Load() - before; grown > 200<<20 {
		t.Errorf("memory grew by %d MB while 2 GB passed; want it flat", grown>>20)
	}
}

// pattern yields bytes that do not repeat within a block, and hashes them.
type pattern struct {
	left int64
	sum  hash.Hash
	next uint64
}

func (p *pattern) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(b)), p.left))
	for i := range b[:n] {
		p.next = p.next*6364136223846793005 + 1442695040888963407
		b[i] = byte(p.next >> 56)
	}
	p.left -= int64(n)
	p.sum.Write(b[:n])
	return n, nil
}
