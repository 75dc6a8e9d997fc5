//go:build amd64 || arm64

package confine

import (
	"testing"

	"golang.org/x/sys/unix"
)

// BenchmarkCall makes a call that is allowed whatever its arguments, one that is
// judged, and one that is refused, on a thread with the filter and on one without.
func BenchmarkCall(b *testing.B) {
	for _, thread := range []struct {
		name    string
		prepare func() error
	}{{"free", func() error { return nil }}, {"filtered", filtered}} {
		for _, call := range []struct {
			name string
			make func()
		}{
			{"getpid", func() { unix.RawSyscall(unix.SYS_GETPID, 0, 0, 0) }},
			{"ioctl", func() { unix.RawSyscall(unix.SYS_IOCTL, bad, unix.TCGETS, 0) }},
			{"unlisted", func() { unix.RawSyscall(9999, 0, 0, 0) }},
		} {
			b.Run(call.name+"/"+thread.name, func(b *testing.B) {
				err := alone(func() error {
					if err := thread.prepare(); err != nil {
						return err
					}
					for b.Loop() {
						call.make()
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

// BenchmarkLoad is what a sandbox's start pays: the kernel's compiling of the
// program.
func BenchmarkLoad(b *testing.B) {
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			if err := alone(filtered); err != nil { // a thread each: filters add up
				b.Fatal(err)
			}
		}
	})
	b.Run("thread alone", func(b *testing.B) {
		for b.Loop() {
			_ = alone(NoNewPrivs)
		}
	})
}
