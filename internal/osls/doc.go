// Package osls has the Serverless Framework's own command line deploy services to
// a running platform: unmodified, with an endpoint and keys set and nothing else.
//
// The commands are those of npm (testdata/clis): osls, which carries the third
// version of the framework on, as it is today and in its last 3.x, and the last
// version of the framework itself that has no account of its own. Each takes the
// services of testdata/services through their whole life (walk_test.go), and each
// service is used between, as its clients would (NAME_test.go).
package osls
