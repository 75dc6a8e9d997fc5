// Package iam knows principals and their access keys, and verifies signatures.
package iam

// Principal is who made a call.
type Principal struct {
	Admin    bool
	Function string // ARN, when the caller is a function
}
