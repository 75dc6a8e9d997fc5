//go:build !linux

package testkit

// BecomeUser does nothing here.
func BecomeUser() {}
