package build

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// glob is one pattern of package.patterns.
type glob struct {
	exclude bool
	re      *regexp.Regexp
}

// What a pattern that names a directory says about what is in it.
const (
	exactly      = "$"         // nothing, as in the Serverless Framework
	withContents = "(?:/.*)?$" // it is meant too
)

// extended are the beginnings of patterns that are alternatives in some shells.
var extended = regexp.MustCompile(`[!@+?*]\(`)

// compileGlobs reads patterns: * and ? stay within a directory, ** does not,
// {a,b} and [a-z] are alternatives, a leading ! excludes.
func compileGlobs(patterns []string, end string) ([]glob, error) {
	var globs []glob
	for _, p := range patterns {
		body, exclude := strings.CutPrefix(p, "!")
		if body == "" {
			return nil, fmt.Errorf("pattern %q names nothing", p)
		}
		if extended.MatchString(body) {
			return nil, fmt.Errorf("pattern %q: alternatives in parentheses are not supported; write {a,b} or several patterns", p)
		}
		re, err := regexp.Compile(translate(path.Clean(body)) + end)
		if err != nil {
			return nil, fmt.Errorf("pattern %q cannot be read: %w", p, err)
		}
		globs = append(globs, glob{exclude, re})
	}
	return globs, nil
}

// translate makes the beginning of a regular expression.
func translate(p string) string {
	var re strings.Builder
	re.WriteString("^")
	braces := 0
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case strings.HasPrefix(p[i:], "**/"):
			re.WriteString("(?:.*/)?")
			i += 2
		case strings.HasPrefix(p[i:], "**"):
			re.WriteString(".*")
			i++
		case c == '*':
			re.WriteString("[^/]*")
		case c == '?':
			re.WriteString("[^/]")
		case c == '{':
			braces++
			re.WriteString("(?:")
		case c == '}' && braces > 0:
			braces--
			re.WriteString(")")
		case c == ',' && braces > 0:
			re.WriteString("|")
		case c == '[' && len(p) > i+2 && strings.Contains(p[i+2:], "]"):
			end := i + 2 + strings.Index(p[i+2:], "]")
			class := strings.ReplaceAll(p[i+1:end], `\`, `\\`)
			if negated, ok := strings.CutPrefix(class, "!"); ok {
				class = "^" + negated
			}
			re.WriteString("[" + class + "]")
			i = end
		default:
			re.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	return re.String()
}

// matches lets the last pattern that matches decide.
func matches(globs []glob, name string) bool {
	chosen := false
	for _, g := range globs {
		if g.re.MatchString(name) {
			chosen = !g.exclude
		}
	}
	return chosen
}
