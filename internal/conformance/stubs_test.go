//go:build linux

package conformance_test

func extending() []testCase   { return nil }
func internally() []testCase  { return nil }
func subscribing() []testCase { return nil }
func telling() []testCase     { return nil }
func logging() []testCase     { return nil }
func layering() []testCase    { return nil }
