//go:build linux

package sandbox_test

import (
	"log/slog"
	"testing"

	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/testkit"
)

var true_ = sandbox.Spec{Path: "/bin/true", Dir: "/", Env: []string{"PATH=/bin"}, Log: slog.New(slog.DiscardHandler)}

func BenchmarkPlain(b *testing.B) {
	for b.Loop() {
		p, err := sandbox.Start(true_)
		ends(b, p, err)
	}
}

func BenchmarkFull(b *testing.B)      { benchmark(b, false) }
func BenchmarkFurnished(b *testing.B) { benchmark(b, true) }

// benchmark runs a program in a sandbox of its own, which is ready or has to be
// made.
func benchmark(b *testing.B, ready bool) {
	m := testkit.Maker(b, testkit.Strongest())
	for b.Loop() {
		if ready {
			b.StopTimer()
		}
		box, err := m.Open()
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := box.Furnish(sandbox.Furniture{MemoryMB: 128}); err != nil {
			b.Fatal(err)
		}
		p, err := box.Start(true_)
		ends(b, p, err)
		b.StopTimer()
		box.Close()
		b.StartTimer()
	}
}

func ends(b *testing.B, p *sandbox.Process, err error) {
	if err != nil {
		b.Fatal(err)
	}
	p.Wait()
	p.Stdout.Close()
	p.Stderr.Close()
}
