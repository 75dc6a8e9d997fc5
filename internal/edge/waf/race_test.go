//go:build race

package waf_test

func init() { every = 7 }
