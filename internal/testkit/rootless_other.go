//go:build !linux

package testkit

const rootless = "DROPSTACK_TEST_ROOTLESS"

// BecomeUser does nothing here.
func BecomeUser() {}
