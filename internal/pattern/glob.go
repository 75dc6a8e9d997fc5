package pattern

import "strings"

// Glob compares a whole text with a pattern in which "*" is any run of characters and
// "?" any one, as CloudFront's path patterns and the resources of its signed URLs are.
func Glob(pattern, text string) bool {
	// It goes back to the last star only, which is enough because a star takes anything.
	p, t, star, from := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			from++
			p, t = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
