package waf

import "strings"

// suspicious says in one pass whether any of the expressions of plain can match: they
// are too slow for every value. A word of SQL has to stand where injection has it.
func suspicious(text string) bool {
	if last := text[len(text)-1]; len(text) <= 16 && (text[0] == '\'' || text[0] == '"') && (last == text[0] || last == '-' || last == '+') {
		return true
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '#':
			if b := before(text, i); b == '\'' || b == '"' {
				return true
			}
		case c == '/' && i+1 < len(text) && text[i+1] == '*':
			return true
		case c == '|' && i+1 < len(text) && text[i+1] == '|', c == '&' && i+1 < len(text) && text[i+1] == '&':
			return strings.ContainsAny(text, `'"`) || isDigit(text[0])
		case c == '-' && i+1 < len(text) && text[i+1] == '-':
			if len(text)-i < 16 && strings.ContainsAny(text[:i], `'"`) {
				return true
			}
		case isLetter(c):
			end := i + 1
			for end < len(text) && (isLetter(text[end]) || text[end] == '_') {
				end++
			}
			if suspect(text, i, end) {
				return true
			}
			i = end - 1
		}
	}
	return false
}

// suspect says whether the word stands as in an injection.
func suspect(text string, from, to int) bool {
	if to-from < 2 || to-from > 24 {
		return false
	}
	var low [24]byte
	for i := range to - from {
		low[i] = lower(text[from+i])
	}
	switch string(low[:to-from]) {
	case "or", "and", "xor":
		b := before(text, from)
		return b == 0 || b == '\'' || b == '"' || b == ')' || isDigit(b) || after(text, to) == '('
	case "union", "waitfor", "procedure":
		return true
	case "drop", "delete", "truncate", "insert", "exec", "execute", "shutdown", "declare", "alter", "create", "copy", "grant", "revoke",
		"select", "begin", "call", "update", "use", "attach", "backup", "merge", "replace":
		return before(text, from) == ';'
	case "sleep", "pg_sleep", "dbms_pipe", "benchmark", "randomblob", "extractvalue", "updatexml":
		return true
	}
	return false
}

// before is the last character before a place that is neither white space nor (.
func before(text string, at int) byte {
	for at--; at >= 0; at-- {
		if c := text[at]; c > ' ' && c != '(' {
			return c
		}
	}
	return 0
}

// after is the first character from a place on that is no white space.
func after(text string, at int) byte {
	for ; at < len(text); at++ {
		if text[at] > ' ' {
			return text[at]
		}
	}
	return 0
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func isLetter(c byte) bool { c |= 0x20; return 'a' <= c && c <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
