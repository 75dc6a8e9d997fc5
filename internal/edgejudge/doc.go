// Package edgejudge judges the edge as a shared HTTP cache: named cases, each with
// the section of the RFC that it holds the edge to, run through the real binary
// between a client and an origin that are both the test's own.
//
// The cases are the text files in testdata (case_test.go says how they read). Every
// response of the origin has a number and a body of its own, so the judge knows what
// it sees: a response from the origin, one that may be reused, or one that must not
// be, which is the one thing that ends the argument. Besides the cases, chance_test.go
// plays random requests against a small model of RFC 9111, and soak_test.go keeps the
// edge saturated and watches its memory.
package edgejudge
