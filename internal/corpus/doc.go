// Package corpus holds no code, only service descriptions, each of which tests one
// key or one combination, and the test that reads them as dropstack and as the
// Serverless Framework does.
//
// A case is a txtar file in testdata/cases: a line that says what it tests, the
// service's files, and
//
//	run          "osls 3", where version 4 refuses the file; "stage=", "region=",
//	             "env X=", "param X=" for both
//	package      is there: what would be deployed is compared too
//	differences  "path: why", a line for each path at which the two differ;
//	             "refused: why" where the framework takes no such file, and
//	             "unresolved: why" where dropstack does not
//
// A difference that is not listed fails the test, and so does one that is listed and
// is none. Nothing the framework answers is kept: osls 4 and 3, from npm, resolve
// every file anew, all in one process, in a few seconds.
package corpus
