// Package conformance holds no code, only a suite of tests: named cases that say
// what a function may rely on, each with the place where AWS says so. Real
// clients run them against the platform: aws-lambda-go, the newest and one of
// 2020, our Node client, AWS's own for Node, and a bootstrap in bash with curl.
//
// A case that is missing a client's tools fails and says what to install;
// tools/test-deps installs it.
package conformance
