//go:build !linux

package networktest

import "testing"

// Isolate skips: network namespaces are Linux's.
func Isolate(t testing.TB) bool {
	t.Skip("not run: only Linux has network namespaces")
	return false
}

// Run skips: network namespaces are Linux's.
func Run(t testing.TB, _ Config) []Result {
	t.Skip("not run: only Linux has network namespaces")
	return nil
}
