package judge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestCLI runs the scripts of testdata/cli by the aws command. Of a script, a line
// that begins with
//
//	$   is a command: the arguments of aws, with $NAME for what was kept
//	>   says what its output, or its error, has to match (a regular expression)
//	!   says that it fails, with an error of exactly this code
//	=   keeps a part of its JSON: NAME PATH
//	#   names the calls that follow
func TestCLI(t *testing.T) {
	t.Parallel()
	w := start(t)
	aws, err := exec.LookPath("aws")
	if err != nil {
		t.Fatalf("the AWS command line is missing; tools/test-deps installs it: %v", err)
	}
	scripts, err := filepath.Glob("testdata/cli/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, path := range scripts {
		service := strings.TrimSuffix(filepath.Base(path), ".txt")
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			doc, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir() // where the commands run
			if err := os.WriteFile(filepath.Join(dir, "payload.json"), []byte(`{"a":1}`), 0o600); err != nil {
				t.Fatal(err)
			}
			s := script{aws: aws, service: service, world: w, kept: map[string]string{
				"FUNCTION": w.function, "DIR": dir, "$": "$", "NOW": strconv.FormatInt(time.Now().UnixMilli(), 10),
				"HOUR_AGO": time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), "HOUR_AHEAD": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
			}}
			s.run(t, string(doc))
		})
	}
}

type script struct {
	aws     string
	service string
	world   *world
	kept    map[string]string
}

// command is one of a script, and what is expected of it.
type command struct {
	line    int
	args    string
	fails   string
	matches []string
	keeps   [][2]string // name, path
}

func (s *script) run(t *testing.T, doc string) {
	var c *command
	for n, line := range strings.Split(doc+"\n$", "\n") {
		mark, rest, _ := strings.Cut(line, " ")
		switch mark {
		case "$":
			if c != nil {
				s.call(t, c)
			}
			c = &command{line: n + 1, args: rest}
		case ">":
			c.matches = append(c.matches, rest)
		case "!":
			c.fails = rest
		case "=":
			name, path, _ := strings.Cut(rest, " ")
			c.keeps = append(c.keeps, [2]string{name, path})
		case "#", "":
		default:
			t.Fatalf("line %d: %q begins with none of $ > ! = #", n+1, line)
		}
	}
}

func (s *script) call(t *testing.T, c *command) {
	t.Helper()
	args, err := words(os.Expand(c.args, func(name string) string { return s.kept[name] }))
	if err != nil {
		t.Errorf("line %d: %v", c.line, err)
		return
	}
	cmd := exec.Command(s.aws, append([]string{"--endpoint-url", s.world.AWS, "--region", "us-east-1", "--output", "json"}, args...)...)
	cmd.Env = append(os.Environ(), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(s.world.Dir, "credentials"), "AWS_CONFIG_FILE=/dev/null", "AWS_PAGER=", "AWS_MAX_ATTEMPTS=1")
	cmd.Dir = s.kept["DIR"]
	var out, failed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &failed
	err = cmd.Run()
	name := fmt.Sprintf("%d %s", c.line, strings.Join(args[:min(2, len(args))], " "))
	report(t, called{"cli", s.service, name, c.fails != ""}, s.judge(c, err, out.String(), failed.String()))
}

// judge compares what came of a command with what was expected.
func (s *script) judge(c *command, err error, out, failed string) error {
	if c.fails != "" {
		if err == nil {
			return fmt.Errorf("it succeeded with %s, want the error %s", out, c.fails)
		}
		if !strings.Contains(failed, "("+c.fails+")") {
			return fmt.Errorf("it failed with %s, want the error %s", failed, c.fails)
		}
		out = failed // what it says of the error
	} else if err != nil {
		return fmt.Errorf("%w: %s", err, failed)
	}
	for _, m := range c.matches {
		re, err := regexp.Compile(os.Expand(m, func(name string) string {
			if kept, ok := s.kept[name]; ok {
				return regexp.QuoteMeta(kept)
			}
			return "$" + name
		}))
		if err != nil {
			return err
		}
		if !re.MatchString(out) {
			return fmt.Errorf("it answered %s, want %s", out, m)
		}
	}
	for _, k := range c.keeps {
		value, err := part(out, k[1])
		if err != nil {
			return err
		}
		s.kept[k[0]] = value
	}
	return nil
}

// part is what a dotted path leads to in a document; a number is a list's item.
func part(doc, path string) (string, error) {
	var v any
	if err := json.Unmarshal([]byte(doc), &v); err != nil {
		return "", fmt.Errorf("%q is no JSON: %w", doc, err)
	}
	for _, name := range strings.Split(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(at) {
				return "", fmt.Errorf("no %s of %s in %s", name, path, doc)
			}
			v = at[i]
		}
	}
	if v == nil {
		return "", fmt.Errorf("no %s in %s", path, doc)
	}
	return fmt.Sprint(v), nil
}

// words splits a line as a shell does: at spaces, but for those within ' or ".
func words(line string) ([]string, error) {
	var list []string
	var word strings.Builder
	var quote rune
	begun := false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, begun = r, true
		case quote == 0 && r == ' ':
			if begun {
				list = append(list, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quotation mark is not closed in %q", line)
	}
	if begun {
		list = append(list, word.String())
	}
	return list, nil
}
