//go:build linux

package conformance_test

func subscribing() []testCase { return nil }
func telling() []testCase     { return nil }
func logging() []testCase     { return nil }
func layering() []testCase    { return nil }
