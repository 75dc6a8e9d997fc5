package query

import (
	"regexp"
	"strings"
)

// matcher tells whether a text is one that is looked for.
type matcher func(s string) bool

// contains finds a word, which may have asterisks, in a text, in any case. What an
// asterisk stands for has no white space.
func contains(parts []string) matcher {
	switch whole := strings.Join(parts, ""); {
	case whole == "":
		return func(string) bool { return true }
	case len(parts) == 1, len(parts) == 2 && (parts[0] == "" || parts[1] == ""), len(parts) == 3 && parts[0] == "" && parts[2] == "":
		return containsFold(whole)
	}
	quoted := make([]string, len(parts))
	for i, part := range parts {
		quoted[i] = regexp.QuoteMeta(part)
	}
	return regexp.MustCompile("(?i)" + strings.Join(quoted, `\S*`)).MatchString
}

// isLike tells whether a word with asterisks is all of a text, in any case.
func isLike(parts []string) matcher {
	if len(parts) == 1 {
		return func(s string) bool { return strings.EqualFold(s, parts[0]) }
	}
	lower := make([]string, len(parts))
	for i, part := range parts {
		lower[i] = strings.ToLower(part)
	}
	last := len(lower) - 1
	return func(s string) bool {
		s, ok := strings.CutPrefix(strings.ToLower(s), lower[0])
		if !ok {
			return false
		}
		for _, part := range lower[1:last] {
			at := strings.Index(s, part)
			if at < 0 {
				return false
			}
			s = s[at+len(part):]
		}
		return strings.HasSuffix(s, lower[last])
	}
}

// containsFold finds a text within another, in any case. It looks for the letter that
// is rarest in logs first.
func containsFold(text string) matcher {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return regexp.MustCompile("(?i)" + regexp.QuoteMeta(text)).MatchString
		}
	}
	lower := strings.ToLower(text)
	at := 0
	for i := range len(lower) {
		if rarity(lower[i]) > rarity(lower[at]) {
			at = i
		}
	}
	small := lower[at]
	big := small
	if small >= 'a' && small <= 'z' {
		big -= 'a' - 'A'
	}
	return func(s string) bool {
		if len(s) < len(lower) {
			return false
		}
		body := s[at : len(s)-len(lower)+at+1] // where the rare letter may be
		for from := 0; ; {
			next := indexEither(body[from:], small, big)
			if next < 0 {
				return false
			}
			from += next
			if equalFold(s[from:from+len(lower)], lower) {
				return true
			}
			from++
		}
	}
}

// indexEither finds the first of two letters.
func indexEither(s string, a, b byte) int {
	i := strings.IndexByte(s, a)
	if a == b {
		return i
	}
	if i >= 0 {
		s = s[:i]
	}
	if j := strings.IndexByte(s, b); j >= 0 {
		return j
	}
	return i
}

// equalFold compares with a text in lower case, ASCII letters in either case.
func equalFold(s, lower string) bool {
	for i := range len(s) {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// rarity orders letters by how seldom they are in logs.
func rarity(c byte) int {
	const common = " e0t1a2i-o.n/s35r48697:\"hldc,umpfgybwv_kxjqz"
	if i := strings.IndexByte(common, c); i >= 0 {
		return i
	}
	return len(common)
}

// splitter takes the parts of a text that a pattern's asterisks stand for: as little
// as can be, the last, if nothing follows it, all that is left.
func splitter(pattern string) func(s string) []string {
	pieces := strings.Split(pattern, "*")
	return func(s string) []string {
		at := strings.Index(s, pieces[0])
		if at < 0 {
			return nil
		}
		s = s[at+len(pieces[0]):]
		parts := make([]string, 0, len(pieces)-1)
		for i, piece := range pieces[1:] {
			end := strings.Index(s, piece)
			if piece == "" && i == len(pieces)-2 {
				end = len(s)
			}
			if end < 0 {
				return nil
			}
			parts = append(parts, s[:end])
			s = s[end+len(piece):]
		}
		return parts
	}
}

// capturer takes the groups of a regular expression: those with names, or if none has
// one all of them. What took no part in the match is empty.
func capturer(pattern string) func(s string) []string {
	re := regexp.MustCompile(pattern)
	var groups []int
	for i, name := range re.SubexpNames() {
		if i > 0 && (name != "" || namesOf(pattern) == nil) {
			groups = append(groups, i)
		}
	}
	return func(s string) []string {
		m := re.FindStringSubmatch(s)
		if m == nil {
			return nil
		}
		parts := make([]string, len(groups))
		for i, group := range groups {
			parts[i] = m[group]
		}
		return parts
	}
}
