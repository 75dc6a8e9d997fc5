package iam

import (
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/dropstack/dropstack/internal/fault"
)

// AWS's limits.
const (
	maxKeys        = 2 // of a user
	maxVersions    = 5 // of a managed policy
	maxAttached    = 10
	maxTags        = 50
	maxDescription = 1000
	maxManagedSize = 6144 // characters of a document, without white space
	maxTrustSize   = 2048
	defaultSession = 3600 // seconds
	minSession     = 900
	maxSession     = 43200
)

// maxInline is how many characters the inline policies of an identity may have
// together.
var maxInline = map[string]int{"user": 2048, "group": 5120, "role": 10240}

// maxName is how long names may be.
var maxName = map[string]int{"user": 64, "role": 64, "group": 128, "policy": 128}

var (
	nameForm = regexp.MustCompile(`^[\w+=,.@-]+$`)
	pathForm = regexp.MustCompile(`^/([!-~]*/)?$`)
)

// checkName checks a new entity's name and path; an empty path is "/".
func checkName(kind, name, path string) (string, error) {
	if n := maxName[kind]; len(name) > n || !nameForm.MatchString(name) {
		return "", invalid("%sName %q: it has 1 to %d letters, digits and the characters +=,.@_-", title(kind), name, n)
	}
	if path == "" {
		path = "/"
	}
	if len(path) > 512 || !pathForm.MatchString(path) {
		return "", invalid("Path %q: it begins and ends with a slash and has at most 512 printable characters", path)
	}
	return path, nil
}

func checkDescription(text string) error {
	if utf8.RuneCountInString(text) > maxDescription {
		return invalid("Description has more than %d characters", maxDescription)
	}
	return nil
}

// checkSize refuses a document that is too long; white space does not count.
func checkSize(what, document string, limit int) error {
	if n := size(document); n > limit {
		return fault.Coded(fault.Conflict, "LimitExceeded", "Cannot exceed quota for %s: %d; it has %d characters without white space.", what, limit, n)
	}
	return nil
}

func size(document string) int {
	n := 0
	for _, c := range document {
		if !strings.ContainsRune(" \t\r\n", c) {
			n++
		}
	}
	return n
}

func invalid(format string, args ...any) error {
	return fault.Coded(fault.Invalid, "ValidationError", format, args...)
}

func conflict(code, format string, args ...any) error {
	return fault.Coded(fault.Conflict, code, format, args...)
}

// encode is a document as IAM's answers have it: every byte that RFC 3986 reserves
// is escaped.
func encode(document string) string {
	return strings.ReplaceAll(url.QueryEscape(document), "+", "%20")
}
