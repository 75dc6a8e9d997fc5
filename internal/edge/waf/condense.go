package waf

// Expressions cost some nanoseconds a byte each, and a client may send what makes all of
// them run. So they see no more than maxHead and maxTail of a text from which padding has
// been taken: what the tokenizer folds away, an attacker may repeat at will.
const (
	maxHead = 2048
	maxTail = 1024
	// maxRun is how long words, and spaces and signs that repeat, stay as they are.
	maxRun = 40
)

// condensed is a text in lower case without padding: white space is one space, long
// words lose their middle, signs come four times in a row at most, and of numbers that
// are added up or multiplied the last two stay.
func condensed(s string) string {
	if len(s) <= 256 {
		return s
	}
	out := make([]byte, 0, min(len(s), maxHead+maxTail))
	for i := 0; i < len(s); {
		c := s[i]
		end := i + 1
		switch {
		case c <= ' ':
			for end < len(s) && s[end] <= ' ' {
				end++
			}
			out = append(out, ' ')
		case isDigit(c):
			end = sum(s, i)
			out = append(out, short(s[i:end])...)
		case isLetter(c) || c >= 0x80 || c == '_':
			for end < len(s) && (isLetter(s[end]) || s[end] >= 0x80 || s[end] == '_') {
				end++
			}
			out = append(out, short(s[i:end])...)
		default:
			for end < len(s) && s[end] == c {
				end++
			}
			out = append(out, s[i:min(end, i+4)]...)
		}
		i = end
	}
	if len(out) <= maxHead+maxTail {
		return string(out)
	}
	return string(out[:maxHead]) + " " + string(out[len(out)-maxTail:])
}

// sum is where numbers end that are put together by operators from i on.
func sum(s string, i int) int {
	for i < len(s) {
		for i < len(s) && (isDigit(s[i]) || s[i] == '.') {
			i++
		}
		next := i
		for next < len(s) && (s[next] <= ' ' || s[next] == '+' || s[next] == '-' && (next+1 >= len(s) || s[next+1] != '-') || s[next] == '*' || s[next] == '/') {
			next++
		}
		if next == i || next >= len(s) || !isDigit(s[next]) {
			return i
		}
		i = next
	}
	return i
}

// short is a run without its middle.
func short(run string) string {
	if len(run) <= maxRun {
		return run
	}
	return run[:maxRun/2] + run[len(run)-maxRun/2:]
}
