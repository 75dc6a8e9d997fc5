package cgroup

import (
	"fmt"
	"os/exec"
	"testing"
	"time"
)

// The life of a group, and the parts of it that somebody may have to wait for.
func BenchmarkGroup(b *testing.B) {
	limits := Limits{Memory: 256 << 20, CPUs: CPUsFor(256), Pids: PidsMax}
	tree := openTree(b, Kill)
	i := 0
	life := func(b *testing.B, use func(*Group)) {
		for b.Loop() {
			i++
			g, err := tree.New(fmt.Sprintf("b%d", i))
			if err != nil {
				b.Fatal(err)
			}
			use(g)
			if err := g.Remove(); err != nil {
				b.Fatal(err)
			}
		}
	}
	limit := func(g *Group) {
		if err := g.Limit(limits); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("New+Remove", func(b *testing.B) { life(b, func(*Group) {}) })
	b.Run("New+Limit+Remove", func(b *testing.B) { life(b, limit) })
	b.Run("New+Limit+Watch+Remove", func(b *testing.B) {
		life(b, func(g *Group) {
			limit(g)
			if _, err := g.Watch(); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("New+Limit+Add+Kill+Remove", func(b *testing.B) {
		var adds, kills time.Duration
		life(b, func(g *Group) {
			limit(g)
			c := exec.Command("sleep", "1000")
			if err := c.Start(); err != nil {
				b.Fatal(err)
			}
			at := time.Now()
			if err := g.Add(c.Process.Pid); err != nil {
				b.Fatal(err)
			}
			adds += time.Since(at)
			at = time.Now()
			if err := g.Kill(); err != nil {
				b.Fatal(err)
			}
			kills += time.Since(at)
			_ = c.Wait()
		})
		b.ReportMetric(float64(adds.Microseconds())/float64(b.N), "add-µs/op")
		b.ReportMetric(float64(kills.Microseconds())/float64(b.N), "kill-µs/op")
	})
}
