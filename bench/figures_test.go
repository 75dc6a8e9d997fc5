//go:build bench

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/testkit"
)

// period is how long each figure is measured.
const period = 3 * time.Second

// TestFigures prints the table. It fails only when something does not work.
func TestFigures(t *testing.T) {
	echo := build(t)
	fmt.Printf("\n%-46s %14s %14s   %s\n", "what", "dropstack", "baseline", "ratio")
	t.Run("warm", func(t *testing.T) { warm(t, echo) })
	t.Run("cold", func(t *testing.T) { cold(t, echo) })
	p := testkit.Start(t, testkit.Dir(t), "--services", "none")
	if out, errs, code := p.Run(t, "", "deploy", filepath.Join(testkit.Root(t), "bench/echo")); code != 0 {
		t.Fatalf("deploy: %s%s", out, errs)
	}
	t.Run("http", func(t *testing.T) { overHTTP(t, p) })
	t.Run("publish", func(t *testing.T) { publish(t, p) })
	p.Stop(t)
	t.Run("upload", func(t *testing.T) { drops(t) })
}

// figure is a run's throughput and latencies.
type figure struct {
	perSecond float64
	p50, p99  time.Duration
}

// measure calls f from n goroutines for the period.
func measure(t *testing.T, n int, f func(worker int) error) figure {
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
	slices.Sort(all)
	if len(all) == 0 {
		t.Fatal("nothing was measured")
	}
	return figure{float64(len(all)) / elapsed.Seconds(), all[len(all)/2], all[len(all)*99/100]}
}

// compare prints throughput and median beside a baseline's.
func compare(what, baseline string, got, base figure) {
	row(what+" /s", fmt.Sprintf("%.0f", got.perSecond), fmt.Sprintf("%.0f", base.perSecond), got.perSecond/base.perSecond, baseline)
	row(what+" p50", got.p50.String(), base.p50.String(), float64(got.p50)/float64(base.p50), baseline)
}

func row(what, got, base string, ratio float64, baseline string) {
	fmt.Printf("%-46s %14s %14s   %.2f × %s\n", what, got, base, ratio, baseline)
}

// alone prints a figure that has no baseline.
func alone(what, got string) { fmt.Printf("%-46s %14s\n", what, got) }

// build compiles the measured function into a directory as an artifact has it.
func build(t *testing.T) string {
	t.Helper()
	dir := testkit.Dir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(dir, "bootstrap"), "./echo")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}
