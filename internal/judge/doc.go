// Package judge has AWS's own clients judge the AWS endpoint: the command line,
// the SDK for JavaScript and the SDK for Go make named calls to a running platform,
// unmodified, with an endpoint and keys set and nothing else.
//
// The calls of the command line are scripts in testdata/cli, those of JavaScript
// are in testdata/js, those of Go beside this file.
package judge
