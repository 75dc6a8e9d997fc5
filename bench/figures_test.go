//go:build bench

package bench

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/testkit"
)

// period is how long each figure is measured, after a moment to warm up.
const (
	period = 3 * time.Second
	warmUp = 300 * time.Millisecond
)

// TestFigures prints the table. It fails only when something does not work.
func TestFigures(t *testing.T) {
	echo, js := build(t), nodeDir(t)
	fmt.Println("\n| what | per second | p50 | p99 | beside | ratio, rate | ratio, p50 |\n|---|---:|---:|---:|---|---:|---:|")
	t.Run("warm", func(t *testing.T) { warmGo(t, echo) })
	t.Run("warm node", func(t *testing.T) { warmNode(t, js) })
	t.Run("cold", func(t *testing.T) { cold(t, echo, js) })
	t.Run("burst", func(t *testing.T) { burst(t, echo, js) })
	p := testkit.Start(t, testkit.Dir(t), "--services", "none")
	for _, service := range []string{"bench/echo", "bench/node"} {
		if out, errs, code := p.Run(t, "", "deploy", filepath.Join(testkit.Root(t), service)); code != 0 {
			t.Fatalf("deploy: %s%s", out, errs)
		}
	}
	t.Run("http", func(t *testing.T) { overHTTP(t, p) })
	t.Run("http node", func(t *testing.T) { nodeOverHTTP(t, p, js) })
	t.Run("publish", func(t *testing.T) { publish(t, p) })
	p.Stop(t)
	t.Run("upload", func(t *testing.T) { drops(t) })
}

// figure is a run's throughput and latencies; perSecond 0: there is none.
type figure struct {
	perSecond float64
	p50, p99  time.Duration
}

// measure calls f from n goroutines for the period.
func measure(t *testing.T, n int, f func(worker int) error) figure {
	t.Helper()
	during(t, n, warmUp, f)
	return during(t, n, period, f)
}

func during(t *testing.T, n int, period time.Duration, f func(worker int) error) figure {
	t.Helper()
	took := make([][]time.Duration, n)
	var wg sync.WaitGroup
	started := time.Now()
	for worker := range n {
		wg.Go(func() {
			for time.Since(started) < period {
				at := time.Now()
				if err := f(worker); err != nil {
					t.Error(err)
					return
				}
				took[worker] = append(took[worker], time.Since(at))
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(started)
	all := slices.Concat(took...)
	if len(all) == 0 {
		t.Fatal("nothing was measured")
	}
	f2 := spread(all)
	f2.perSecond = float64(len(all)) / elapsed.Seconds()
	return f2
}

func spread(all []time.Duration) figure {
	slices.Sort(all)
	return figure{p50: all[len(all)/2], p99: all[len(all)*99/100]}
}

// row prints a figure; compare prints it beside a baseline's.
func row(what string, got figure) { fmt.Printf("| %s %s | | | |\n", what, cells(got)) }

func compare(what, baseline string, got, base figure) {
	rate := ""
	if got.perSecond > 0 && base.perSecond > 0 {
		rate = fmt.Sprintf("%.2f ×", got.perSecond/base.perSecond)
	}
	fmt.Printf("| %s %s | %s: %s | %s | %.2f × |\n", what, cells(got), baseline, short(base), rate, float64(got.p50)/float64(base.p50))
}

func cells(f figure) string {
	rate := ""
	if f.perSecond > 0 {
		rate = fmt.Sprintf("%.0f", f.perSecond)
	}
	return fmt.Sprintf("| %s | %s | %s", rate, precise(f.p50), precise(f.p99))
}

func short(f figure) string {
	if f.perSecond == 0 {
		return precise(f.p50)
	}
	return fmt.Sprintf("%.0f/s, %s", f.perSecond, precise(f.p50))
}

// precise is a duration with three digits.
func precise(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
	default:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
}
