package secret

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dropstack/dropstack/internal/fault"
)

// Var is a variable of an environment.
type Var struct {
	Name  string
	Value string
}

// Variable is the name of the variable that a parameter below a path becomes, as
// aws-env has it: what follows the path, with _ for /.
func Variable(path, name string) string {
	return strings.ReplaceAll(strings.Trim(strings.TrimPrefix(name, path), "/"), "/", "_")
}

// Render writes variables as aws-env does, byte for byte where that is safe:
//
//	exports   export NAME=$'VALUE'   for eval in bash
//	dotenv    NAME="VALUE"
//	json      one object
//
// A value that would end its quotes there, or run as a command, is quoted so that
// it arrives unchanged. What cannot be written at all is an error that names the
// variables, and nothing is written.
func Render(w io.Writer, format string, vars []Var) error {
	if err := checkVars(format, vars); err != nil {
		return err
	}
	var out strings.Builder
	switch format {
	case "exports":
		for _, v := range vars {
			fmt.Fprintf(&out, "export %s=$'%s'\n", v.Name, bashQuoted(v.Value))
		}
	case "dotenv":
		for _, v := range vars {
			fmt.Fprintf(&out, "%s=%s\n", v.Name, dotenvQuoted(v.Value))
		}
	case "json":
		object := map[string]string{}
		for _, v := range vars {
			object[v.Name] = v.Value
		}
		encoder := json.NewEncoder(&out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(object); err != nil {
			return err
		}
	default:
		return fault.Errorf(fault.Invalid, "format %q is none of exports, dotenv and json", format)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

var (
	bashName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	dotenvName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
)

// checkVars names the variables that a format cannot hold.
func checkVars(format string, vars []Var) error {
	var names, zeros, bytes []string
	for _, v := range vars {
		if format == "exports" && !bashName.MatchString(v.Name) || format == "dotenv" && !dotenvName.MatchString(v.Name) {
			names = append(names, v.Name)
		}
		if format != "json" && strings.Contains(v.Value, "\x00") {
			zeros = append(zeros, v.Name)
		}
		if format == "json" && !utf8.ValidString(v.Value) {
			bytes = append(bytes, v.Name)
		}
	}
	slices.Sort(names)
	slices.Sort(zeros)
	slices.Sort(bytes)
	switch {
	case len(names) > 0:
		return fault.Errorf(fault.Invalid, "these names cannot be variables in %s: %s; rename the parameters, or use the format json", format, strings.Join(names, ", "))
	case len(zeros) > 0:
		return fault.Errorf(fault.Invalid, "the values of these variables hold a zero byte, which no environment can: %s", strings.Join(zeros, ", "))
	case len(bytes) > 0:
		return fault.Errorf(fault.Invalid, "the values of these variables are not text in UTF-8, as JSON is: %s", strings.Join(bytes, ", "))
	}
	return nil
}

// bashQuoted is a value between $' and '. People write eval $(…) without quotes
// around it, and then bash splits the output into words, puts them together again
// with single spaces, and replaces words that look like patterns by file names:
// what that would change is escaped too.
func bashQuoted(value string) string {
	words := strings.ContainsAny(value, " \n") // then a word of it may stand alone
	var b strings.Builder
	for i := range len(value) {
		c := value[i]
		switch {
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\\' || c == '\'':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c == 0x7f,
			c == ' ' && (i == 0 || value[i-1] == ' '),
			words && strings.IndexByte("*?[", c) >= 0:
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// dotenvQuoted is a value with its quotes. In double quotes \n is a new line to
// all who read such files, and most replace variables; in single quotes all take
// everything as it is, but nothing can stand for a new line there.
func dotenvQuoted(value string) string {
	switch {
	case !strings.ContainsAny(value, "\"\\$`\r"):
		return `"` + strings.ReplaceAll(value, "\n", `\n`) + `"`
	case !strings.ContainsAny(value, "'\n\r"):
		return `'` + value + `'`
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`", "\n", `\n`, "\r", `\r`).Replace(value) + `"`
}
