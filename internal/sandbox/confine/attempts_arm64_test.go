//go:build linux

package confine

func nativeAttempts(string) []attempt { return nil }
