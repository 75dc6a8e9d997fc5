package osls

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// service is one of testdata/services, and what is particular about it.
type service struct {
	name  string
	entry string // the function that is asked directly: it answers {version, word}
	file  string // where that function says its version
	// prepare makes what has to be there before; the stack's base, if it has one,
	// stands when it is called.
	prepare func(*stack)
	use     func(*stack) // the service is used, and does what it says
	// restless services are never unchanged: the framework describes API keys
	// otherwise each time.
	restless bool
	base     *service // whose stack this one refers to
	classic  bool     // it is deployed by the framework's own last version too
}

var services = []service{
	{name: "clock", entry: "tick", file: "clock.js", prepare: clockParameters, use: useClock},
	{name: "notes", entry: "notes", file: "src/notes.js", use: useNotes, restless: true, classic: true},
	{name: "feed", entry: "feed", file: "feed.js", prepare: feedBucket, use: useFeed},
	{name: "letters", entry: "inbox", file: "letters.js", use: useLetters},
	{name: "shelf", entry: "shelve", file: "shelf.js", prepare: shelfBuckets, use: useShelf},
	{name: "ledger", entry: "book", file: "book.js", use: useLedger, base: &service{name: "ledger-base", entry: "rate", file: "rate.js"}},
}

// TestLifeCycle takes every service through its life by every version of the
// command: two at a time, on one platform.
func TestLifeCycle(t *testing.T) {
	w := start(t)
	for _, c := range clis {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			bin := c.install(t)
			for _, of := range services {
				if c.command == "serverless" && !of.classic {
					continue
				}
				t.Run(of.name, func(t *testing.T) {
					t.Parallel()
					w.turns <- struct{}{}
					defer func() { <-w.turns }()
					s := newStack(t, w, c, bin, of)
					if of.base != nil {
						base := newStack(t, w, c, bin, *of.base)
						base.do([]string{"deploy"}, "Service deployed to stack "+base.name)
						defer base.remove()
						s.base = base
					}
					s.walk()
				})
			}
		})
	}
}

// stack is a service that is deployed by a version of the command.
type stack struct {
	*testing.T
	world   *world
	cli     cli
	bin     string
	of      service
	name    string // SERVICE-STAGE
	dir     string // a copy of the service's directory
	outputs map[string]string
	base    *stack
}

func newStack(t *testing.T, w *world, c cli, bin string, of service) *stack {
	t.Helper()
	s := &stack{T: t, world: w, cli: c, bin: bin, of: of, name: of.name + "-" + c.stage, dir: t.TempDir()}
	if err := os.CopyFS(s.dir, os.DirFS(filepath.Join("testdata/services", of.name))); err != nil {
		t.Fatal(err)
	}
	return s
}

// walk is a life: packaged, deployed, left alone for nothing has changed, used,
// looked into, changed, changed back, and gone.
func (s *stack) walk() {
	if s.of.prepare != nil {
		s.of.prepare(s)
	}
	s.do([]string{"package"}, "Service packaged")
	s.do([]string{"deploy"}, "Service deployed to stack "+s.name)
	if !s.of.restless {
		s.do([]string{"deploy"}, "No changes to deploy. Deployment skipped.")
	}
	s.info()
	s.of.use(s)
	s.says("one")
	s.logs()

	s.rewrite("one", "two")
	s.do([]string{"deploy", "function", "-f", s.of.entry}, "Function code deployed")
	s.says("two")
	s.do([]string{"deploy", "function", "-f", s.of.entry}, "Code did not change")
	s.rewrite("two", "three")
	s.do([]string{"deploy"}, "Service deployed to stack "+s.name)
	s.says("three")
	s.rollBack()
	s.says("one")
	s.metrics()
	s.remove()
}

var output = regexp.MustCompile(`(?m)^  (\w+): (.*)$`)

// info has the command show the stack, and keeps its outputs.
func (s *stack) info() {
	s.Helper()
	if s.cli == own {
		s.described()
		return
	}
	shown := s.do([]string{"info", "--verbose"}, "stack: "+s.name, s.name+"-"+s.of.entry)
	_, list, found := strings.Cut(shown, "Stack Outputs")
	if !found {
		s.Fatalf("info shows no outputs:\n%s", shown)
	}
	s.outputs = map[string]string{}
	for _, m := range output.FindAllStringSubmatch(list, -1) {
		s.outputs[m[1]] = m[2]
	}
}

// ask asks the entry directly, and returns what it answers.
func (s *stack) ask(word string, more ...string) map[string]any {
	s.Helper()
	out := s.do(append([]string{"invoke", "-f", s.of.entry, "-d", fmt.Sprintf(`{"word":%q}`, word)}, more...))
	start, end := strings.Index(out, "{"), strings.Index(out, "}")
	var answer map[string]any
	if start < 0 || end < start {
		s.Fatalf("invoke printed no object:\n%s", out)
	}
	if err := json.Unmarshal([]byte(out[start:end+1]), &answer); err != nil {
		s.Fatalf("invoke: %v:\n%s", err, out)
	}
	return answer
}

// says has the entry say its version, and the end of its log.
func (s *stack) says(version string) {
	s.Helper()
	word := "say-" + version
	answer := s.ask(word)
	if answer["version"] != version || answer["word"] != word {
		s.Fatalf("%s answers %v, want version %q", s.of.entry, answer, version)
	}
}

// logs looks back, then follows what is logged.
func (s *stack) logs() {
	s.Helper()
	function := s.name + "-" + s.of.entry
	s.logged(s.of.entry, "asked directly say-one")
	s.do([]string{"logs", "-f", s.of.entry, "--filter", "directly"}, "asked directly say-one")
	client := lambda.NewFromConfig(s.world.config)
	s.follow([]string{"logs", "-f", s.of.entry, "-t", "--interval", "100"}, "asked directly while-tailing", func() {
		out, err := client.Invoke(s.Context(), &lambda.InvokeInput{FunctionName: &function, InvocationType: types.InvocationTypeEvent, Payload: []byte(`{"word":"while-tailing"}`)})
		if err != nil || out.StatusCode != 202 {
			s.Errorf("invoke: %v, %v", out, err)
		}
	})
}

// rewrite changes the version that the entry's source says.
func (s *stack) rewrite(from, to string) {
	s.Helper()
	path := filepath.Join(s.dir, s.of.file)
	text, err := os.ReadFile(path)
	if err != nil {
		s.Fatal(err)
	}
	next := strings.Replace(string(text), "version = '"+from+"'", "version = '"+to+"'", 1)
	if next == string(text) {
		s.Fatalf("%s has no version %q", path, from)
	}
	if err := os.WriteFile(path, []byte(next), 0o644); err != nil {
		s.Fatal(err)
	}
}

var timestamp = regexp.MustCompile(`Timestamp: (\d{13})`)

// rollBack lists the deployments, of which there are two, and goes back to the first.
func (s *stack) rollBack() {
	s.Helper()
	list := s.do([]string{"rollback"})
	found := timestamp.FindAllStringSubmatch(list, -1)
	if len(found) != 2 {
		s.Fatalf("rollback lists %d deployments, want 2:\n%s", len(found), list)
	}
	s.do([]string{"rollback", "-t", min(found[0][1], found[1][1])}, "Service rolled back to timestamp")
}

var invocations = regexp.MustCompile(`(?i)invocations: (\d+)`)

// metrics reads how often the entry ran.
func (s *stack) metrics() {
	s.Helper()
	s.eventually("metrics", func() error {
		out := s.do([]string{"metrics", "-f", s.of.entry})
		if m := invocations.FindStringSubmatch(out); m == nil || len(m[1]) == 1 && m[1] < "5" {
			return fmt.Errorf("want at least 5 invocations:\n%s", out)
		}
		return nil
	})
}

// remove takes the stack down: nothing of it is left but what it was told to leave.
func (s *stack) remove() {
	s.Helper()
	s.do([]string{"remove"}, "Service "+s.of.name+" has been successfully removed")
	s.refuses([]string{"info"}, "does not exist")
	_, err := lambda.NewFromConfig(s.world.config).GetFunction(s.Context(), &lambda.GetFunctionInput{FunctionName: new(s.name + "-" + s.of.entry)})
	if _, gone := errors.AsType[*types.ResourceNotFoundException](err); !gone {
		s.Errorf("the function of a stack that was removed: %v, want ResourceNotFoundException", err)
	}
}
