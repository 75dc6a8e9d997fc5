//go:build linux && !amd64

package probe

// ports are attacks that other processors have.
var ports []Assertion

func compatPart(*world, []string) int { return 1 }
