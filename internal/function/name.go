package function

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
)

var validName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,140}$`)

// ValidName reports whether a function can have a name.
func ValidName(s string) bool { return validName.MatchString(s) }

// parseName splits name, name:qualifier, account:function:name[:qualifier] and
// ARNs. ok is false if s has none of these forms or names another account.
func parseName(region, s string) (name, qualifier string, ok bool) {
	if rest, found := strings.CutPrefix(s, "arn:aws:lambda:"+region+":"); found {
		if rest, found = strings.CutPrefix(rest, arn.Account+":function:"); !found {
			return "", "", false
		}
		s = rest
	} else if rest, found := strings.CutPrefix(s, arn.Account+":function:"); found {
		s = rest
	}
	name, qualifier, qualified := strings.Cut(s, ":")
	return name, qualifier, validName.MatchString(name) && (!qualified || qualifier != "")
}

func notFound(region, s string) error {
	if !strings.HasPrefix(s, "arn:") {
		s = arn.Function(region, s)
	}
	return fault.Coded(fault.NotFound, "ResourceNotFoundException", "Function not found: %s", s)
}

// newID is a random UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return uuid(b, 4)
}

// requestID makes an id that can be part of a URL: id itself if it can, else a
// UUID that is always the same for it.
func requestID(id string) string {
	if id == "" {
		return newID()
	}
	if validName.MatchString(id) {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return uuid([16]byte(sum[:16]), 8)
}

func uuid(b [16]byte, version byte) string {
	b[6] = b[6]&0x0f | version<<4
	b[8] = b[8]&0x3f | 0x80
	text := make([]byte, 0, 36)
	for n, part := range [][]byte{b[:4], b[4:6], b[6:8], b[8:10], b[10:]} {
		if n > 0 {
			text = append(text, '-')
		}
		text = hex.AppendEncode(text, part)
	}
	return string(text)
}
