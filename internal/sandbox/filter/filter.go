// Package filter says which system calls functions may make, as a program that
// the kernel runs before each. The platform assembles it once; the thread that is
// to become a function loads it (package confine).
package filter
