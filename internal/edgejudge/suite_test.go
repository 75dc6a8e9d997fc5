package edgejudge

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dropstack/dropstack/internal/testkit"
)

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	testkit.Cleanup()
	os.Exit(code)
}

// leastCases is what there has to be.
const leastCases = 150

// verdict is what came of a case.
type verdict struct {
	testCase
	wrong, reused []string
}

func (v verdict) passed() bool { return len(v.wrong)+len(v.reused) == 0 }

// atOnce is how many cases are played side by side. Those that wait for time to pass
// are not counted: they wait together.
const atOnce = 16

// TestEdge judges one platform, by everything that is here.
func TestEdge(t *testing.T) {
	d := open(t, newOrigin(t))
	t.Run("cases", func(t *testing.T) { inTurn(t, d) })
	t.Run("chance", func(t *testing.T) { atRandom(t, d) })
	t.Run("soak", func(t *testing.T) { saturate(t, d) }) // the last: it ends the platform
	if t.Failed() {
		t.Logf("the platform said:\n%s", d.Log())
	}
}

// inTurn plays every case.
func inTurn(t *testing.T, d *door) {
	all := cases(t)
	verdicts := make([]verdict, len(all))
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i, c := range all {
		wg.Go(func() {
			if c.seconds == 0 {
				slots <- struct{}{}
				defer func() { <-slots }()
			}
			wrong, reused := d.run(t.Context(), c)
			verdicts[i] = verdict{c, wrong, reused}
		})
	}
	wg.Wait()
	for _, v := range verdicts {
		t.Run(v.group+"/"+v.name, func(t *testing.T) {
			for _, bad := range v.reused {
				t.Errorf("%s (%s): %s", v.source, v.kind, bad)
			}
			if v.kind == "must" {
				for _, bad := range v.wrong {
					t.Errorf("%s: %s", v.source, bad)
				}
			}
		})
	}
	if len(all) < leastCases {
		t.Errorf("%d cases, at least %d", len(all), leastCases)
	}
	fmt.Println(tally(verdicts))
	golden(t, verdicts)
}

// tally is the closing line.
func tally(verdicts []verdict) string {
	passed, of, reused := map[string]int{}, map[string]int{}, 0
	for _, v := range verdicts {
		of[v.kind]++
		if v.passed() {
			passed[v.kind]++
		}
		reused += len(v.reused)
	}
	return fmt.Sprintf("the cache was judged by %d named cases: %d of %d must cases passed, %d of %d should cases, %d of %d optional optimisations supported; wrong reuse %d",
		len(verdicts), passed["must"], of["must"], passed["should"], of["should"], passed["optional"], of["optional"], reused)
}

var update = flag.Bool("update", false, "write what the cases find into docs/caching.md")

const (
	begin = "<!-- begin: written by go test ./internal/edgejudge -update -->\n"
	end   = "<!-- end -->\n"
)

// golden compares docs/caching.md with what was found.
func golden(t *testing.T, verdicts []verdict) {
	path := testkit.Root(t) + "/docs/caching.md"
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(doc), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no place for the list of cases", path)
	}
	next := before + begin + found(verdicts) + end + after
	if next == string(doc) {
		return
	}
	if !*update {
		t.Errorf("docs/caching.md does not say what the cases find; look at what they say, then go test ./internal/edgejudge -run Edge/cases -update")
		return
	}
	if err := os.WriteFile(path, []byte(next), 0o644); err != nil {
		t.Fatal(err)
	}
}

// found is what the cases find, as Markdown.
func found(verdicts []verdict) string {
	var b strings.Builder
	line := tally(verdicts)
	fmt.Fprintf(&b, "\n%s.\n", strings.ToUpper(line[:1])+line[1:])
	for _, part := range []struct{ kind, title string }{
		{"optional", "Optional optimisations"}, {"should", "What caches should do"},
	} {
		fmt.Fprintf(&b, "\n### %s\n\n| case | section | |\n|---|---|---|\n", part.title)
		for _, v := range verdicts {
			if v.kind == part.kind {
				fmt.Fprintf(&b, "| %s: %s | %s | %s |\n", v.group, strings.ReplaceAll(v.name, "|", "\\|"), v.source, yesNo(v))
			}
		}
	}
	b.WriteString("\n### What caches must do\n\n| group | passed |\n|---|---:|\n")
	for i := 0; i < len(verdicts); {
		group, passed, of := verdicts[i].group, 0, 0
		for ; i < len(verdicts) && verdicts[i].group == group; i++ {
			if verdicts[i].kind == "must" {
				of++
				if verdicts[i].passed() {
					passed++
				}
			}
		}
		fmt.Fprintf(&b, "| %s | %d of %d |\n", group, passed, of)
	}
	b.WriteString("\n")
	return b.String()
}

func yesNo(v verdict) string {
	if v.passed() {
		return "yes"
	}
	return "**no**"
}

// TestCasesRead is for the judge itself: a case that cannot be read is no case.
func TestCasesRead(t *testing.T) {
	for _, wrong := range []string{
		"> GET", "case a\nmust 1\n", "case a\n> GET", "case a\nmust 1\n< 200", "case a\nmust 1\n> GET\n= nobody",
		"case a\nmust 1\n> GET\n< x", "case a\nmust 1\n> GET\n< 200 | no colon", "case a\nmust 1\nperhaps",
	} {
		if _, err := parse("group", wrong); err == nil {
			t.Errorf("%q: no error", wrong)
		}
	}
	all, err := parse("group", "case a\nshould 9111 4\nat /query\n> GET /b times 3 as x | A: b\n< 200 x2 | @size 7\n= cache 206 #1 | !Age\n? asked 0")
	if err != nil {
		t.Fatal(err)
	}
	s := all[0].steps[0]
	if r := s.request; r.path != "/b" || r.times != 3 || r.name != "x" || !slices.Equal(r.headers, []header{{"A", "b"}}) {
		t.Errorf("got request %+v", r)
	}
	if a := s.answers[0]; a.repeat != 2 || a.size != 7 || a.status != 200 {
		t.Errorf("got answer %+v", a)
	}
	if w := s.want; w.source != "cache" || w.status != 206 || w.number != 1 || !w.checks[0].absent {
		t.Errorf("got want %+v", w)
	}
}
