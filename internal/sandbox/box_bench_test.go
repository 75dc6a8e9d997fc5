//go:build linux

package sandbox_test

import (
	"log/slog"
	"testing"

	"github.com/dropstack/dropstack/internal/sandbox"
)

var true_ = sandbox.Spec{Path: "/bin/true", Dir: "/", Env: []string{"PATH=/bin"}, Log: slog.New(slog.DiscardHandler)}

func BenchmarkPlain(b *testing.B) {
	for b.Loop() {
		p, err := sandbox.Start(true_)
		if err != nil {
			b.Fatal(err)
		}
		p.Wait()
		p.Stdout.Close()
		p.Stderr.Close()
	}
}

func BenchmarkFull(b *testing.B) {
	m := maker(b, sandbox.Full)
	for b.Loop() {
		box, err := m.Open()
		if err != nil {
			b.Fatal(err)
		}
		if err := box.Furnish(sandbox.Furniture{MemoryMB: 128}); err != nil {
			b.Fatal(err)
		}
		p, err := box.Start(true_)
		if err != nil {
			b.Fatal(err)
		}
		p.Wait()
		b.StopTimer()
		p.Stdout.Close()
		p.Stderr.Close()
		box.Close()
		b.StartTimer()
	}
}

func BenchmarkFurnished(b *testing.B) {
	m := maker(b, sandbox.Full)
	for b.Loop() {
		b.StopTimer()
		box, err := m.Open()
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := box.Furnish(sandbox.Furniture{MemoryMB: 128}); err != nil {
			b.Fatal(err)
		}
		p, err := box.Start(true_)
		if err != nil {
			b.Fatal(err)
		}
		p.Wait()
		b.StopTimer()
		p.Stdout.Close()
		p.Stderr.Close()
		box.Close()
		b.StartTimer()
	}
}
