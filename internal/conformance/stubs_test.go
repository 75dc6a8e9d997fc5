//go:build linux

package conformance_test

func logging() []testCase  { return nil }
func layering() []testCase { return nil }
