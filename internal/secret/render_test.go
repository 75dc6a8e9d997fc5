package secret_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/secret"
)

func render(t *testing.T, format string, vars ...secret.Var) string {
	t.Helper()
	var out bytes.Buffer
	if err := secret.Render(&out, format, vars); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestSafeValuesAreWrittenAsAwsEnvWritesThem(t *testing.T) {
	for value, want := range map[string][2]string{
		"":                             {"export K=$''\n", "K=\"\"\n"},
		"plain":                        {"export K=$'plain'\n", "K=\"plain\"\n"},
		"two words":                    {"export K=$'two words'\n", "K=\"two words\"\n"},
		"two\nlines\n":                 {"export K=$'two\\nlines\\n'\n", "K=\"two\\nlines\\n\"\n"},
		"mongodb://u:p@h:1/d?a=b&c=*#": {"export K=$'mongodb://u:p@h:1/d?a=b&c=*#'\n", "K=\"mongodb://u:p@h:1/d?a=b&c=*#\"\n"},
		"grün 漢字 🎉":                    {"export K=$'grün 漢字 🎉'\n", "K=\"grün 漢字 🎉\"\n"},
	} {
		if got := render(t, "exports", secret.Var{Name: "K", Value: value}); got != want[0] {
			t.Errorf("exports of %q: %q, want %q", value, got, want[0])
		}
		if got := render(t, "dotenv", secret.Var{Name: "K", Value: value}); got != want[1] {
			t.Errorf("dotenv of %q: %q, want %q", value, got, want[1])
		}
	}
	if got := render(t, "exports", secret.Var{Name: "K", Value: `say "$HOME" & pay`}); got != "export K=$'say \"$HOME\" & pay'\n" {
		t.Errorf("quotes that do no harm: %q", got)
	}
}

// nasty are values that end quotes, run commands, or are changed on the way.
var nasty = []string{
	"it's", `back\slash`, `\n`, `\'`, `'; touch pwned; '`, `$(touch pwned)`, "`touch pwned`", "${HOME}", "$HOME", `"`, `\\`, `a\`,
	"\n", "\n\n", "a\n", " ", "  ", " a", "a ", "a  b", "a\tb", "\t", "a\r\nb", "* *", "a * b", "a ? b", "[a] b", "~ ~", "!!", "a!b",
	"\x01\x02\x7f\x1b[31m", "\x01 2", "ü\nß", "\xff\xfe", "'\n'", "$'x'", "#c", "a #c", "-n", ";", "&&", "|", "<(x)", "{a,b}", "x=\ny='", `\x41`, `\101`,
	strings.Repeat("'\\", 500),
}

func TestEveryValueArrivesInBashUnchanged(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal("bash is needed to judge what is written for it")
	}
	everything := ""
	for c := 1; c < 256; c++ {
		everything += string([]byte{byte(c)})
	}
	values := append([]string{everything}, nasty...)
	for name, script := range map[string]string{
		"in quotes":      `eval "$RENDERED"; printf %s "$K"`,
		"without quotes": `eval $RENDERED; printf %s "$K"`,
		"as a file":      `. /dev/stdin <<< "$RENDERED"; printf %s "$K"`,
	} {
		t.Run(name, func(t *testing.T) {
			for _, value := range values {
				cmd := exec.Command(bash, "--norc", "-c", script)
				cmd.Dir = t.TempDir()
				if err := os.WriteFile(filepath.Join(cmd.Dir, "a"), nil, 0o600); err != nil { // for patterns to find
					t.Fatal(err)
				}
				cmd.Env = []string{"RENDERED=" + render(t, "exports", secret.Var{Name: "K", Value: value}), "LC_ALL=C.UTF-8", "HOME=/"}
				out, err := cmd.CombinedOutput()
				if err != nil || string(out) != value {
					t.Errorf("%q arrived as %q, %v", value, out, err)
				}
				if left, err := os.ReadDir(cmd.Dir); err != nil || len(left) != 1 {
					t.Errorf("%q ran something: %v, %v", value, left, err)
				}
			}
		})
	}
}

// readDotenv reads one line as the readers of such files agree on.
func readDotenv(t *testing.T, line string) string {
	t.Helper()
	value, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "K=")
	if !ok || len(value) < 2 || value[0] != value[len(value)-1] || strings.Contains(value, "\n") {
		t.Fatalf("not one line of the form: %q", line)
	}
	quote, value := value[0], value[1:len(value)-1]
	if quote == '\'' {
		return value
	}
	var out strings.Builder
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case c == '$' || c == '`' || c == '"':
			t.Fatalf("%c is not escaped: %q", c, line)
		case c == '\\':
			i++
			out.WriteString(strings.NewReplacer("n", "\n", "r", "\r").Replace(value[i : i+1]))
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}

func TestEveryValueArrivesFromDotenvUnchanged(t *testing.T) {
	for _, value := range nasty {
		if got := readDotenv(t, render(t, "dotenv", secret.Var{Name: "K", Value: value})); got != value {
			t.Errorf("%q arrived as %q", value, got)
		}
	}
}

func TestObjectsHoldEveryVariable(t *testing.T) {
	var got map[string]string
	doc := render(t, "json", secret.Var{Name: "a.b-c", Value: "1\x00<&>"}, secret.Var{Name: "B", Value: "it's"})
	if err := json.Unmarshal([]byte(doc), &got); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(doc, "<&>") {
		t.Errorf("people cannot read it: %s", doc)
	}
	if diff := cmp.Diff(map[string]string{"a.b-c": "1\x00<&>", "B": "it's"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestVariablesThatCannotBeAreNamed(t *testing.T) {
	for name, c := range map[string]struct {
		format string
		vars   []secret.Var
		want   string
	}{
		"dash and dot in exports": {"exports", []secret.Var{{Name: "B-C"}, {Name: "OK"}, {Name: "A.B"}}, "A.B, B-C"},
		"digit first":             {"exports", []secret.Var{{Name: "1A"}}, "1A"},
		"no name":                 {"exports", []secret.Var{{Name: ""}}, "cannot be variables"},
		"space in dotenv":         {"dotenv", []secret.Var{{Name: "A B"}}, "A B"},
		"zero byte in exports":    {"exports", []secret.Var{{Name: "A", Value: "secret\x00"}}, "hold a zero byte"},
		"zero byte in dotenv":     {"dotenv", []secret.Var{{Name: "A", Value: "secret\x00"}}, "hold a zero byte"},
		"bytes in json":           {"json", []secret.Var{{Name: "A", Value: "secret\xff"}}, "not text in UTF-8, as JSON is: A"},
		"unknown format":          {"xml", nil, "exports, dotenv and json"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := secret.Render(&out, c.format, c.vars)
			if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.want) || out.Len() > 0 {
				t.Errorf("wrote %q, error %v", out.String(), err)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows the value: %v", err)
			}
		})
	}
	if got := render(t, "dotenv", secret.Var{Name: "a.b-c", Value: "1"}); got != "a.b-c=\"1\"\n" {
		t.Errorf("got %q", got)
	}
}

func TestVariablesAreNamedAsAwsEnvNamesThem(t *testing.T) {
	for _, c := range [][3]string{
		{"/prod/app", "/prod/app/DB_PASS", "DB_PASS"},
		{"/prod/app/", "/prod/app/DB_PASS", "DB_PASS"},
		{"/prod/app", "/prod/app/db0/PASS", "db0_PASS"},
		{"/prod/app", "/prod/app/a-b.c", "a-b.c"},
		{"/", "/NAME", "NAME"},
		{"/", "NAME", "NAME"},
	} {
		if got := secret.Variable(c[0], c[1]); got != c[2] {
			t.Errorf("%s below %s is %s, want %s", c[1], c[0], got, c[2])
		}
	}
}
