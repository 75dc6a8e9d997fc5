// Package kernel has what the first process of a sandbox asks of the kernel and
// package syscall does not.
//
// golang.org/x/sys/unix has all of it, and most of our program, which is the first
// process too, would be initialised before whoever imports that. Go initialises of
// the packages whose imports are initialised the one whose path sorts first, so
// what imports nothing but the bottom of the standard library comes early, and
// what imports fmt, strings or unix comes late.
package kernel

// Failed adds to an error what was being done; no error stays none.
func Failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	return &failure{doing, err}
}

type failure struct {
	doing string
	err   error
}

func (f *failure) Error() string { return f.doing + ": " + f.err.Error() }
func (f *failure) Unwrap() error { return f.err }
