package edge

import (
	"net"
	"path"
	"strings"
)

// normal resolves ".", "..", doubled slashes, and backslashes, which some servers
// take for slashes, so that no pattern can be walked around; the origin still gets
// the path as it was sent.
func normal(at string) string {
	if strings.Contains(at, `\`) {
		at = strings.ReplaceAll(at, `\`, "/")
	}
	if !strings.Contains(at, "/.") && !strings.Contains(at, "//") {
		return at
	}
	clean := path.Clean("/" + at)
	if strings.HasSuffix(at, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}

// climbs says whether a path has a segment "." or "..", or what some servers take for
// one, so that it is of another place than it looks.
func climbs(at string) bool {
	if !strings.Contains(at, "/.") && !strings.Contains(at, `\.`) {
		return false
	}
	for part := range strings.FieldsFuncSeq(at, func(r rune) bool { return r == '/' || r == '\\' }) {
		if part, _, _ = strings.Cut(part, ";"); part == "." || part == ".." {
			return true
		}
	}
	return false
}

// hostOf is a Host header as a name: lower case, without port and final dot.
func hostOf(header string) string {
	host := header
	if name, _, err := net.SplitHostPort(header); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
