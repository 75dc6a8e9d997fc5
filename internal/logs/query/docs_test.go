package query_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The examples of docs/logs.md are run, and where it tells results they are those.
func TestTheExamplesOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/logs.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```query\n(.*?)```(?:\n\n```results\n(.*?)```)?").FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 4 {
		t.Fatalf("the page has %d blocks of examples", len(blocks))
	}
	for _, block := range blocks {
		for text := range strings.SplitSeq(strings.TrimSpace(block[1]), "\n\n") {
			r := run(t, fixture(true), text)
			if block[2] == "" {
				continue
			}
			var got [][]string
			for line := range strings.Lines(lines(r)) {
				got = append(got, strings.Split(strings.TrimSuffix(line, "\n"), "|"))
			}
			var want [][]string
			for line := range strings.Lines(block[2]) {
				want = append(want, strings.Fields(line))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got)\n%s", text, diff)
			}
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^dropstack logs query .*'(.*)'$`).FindAllStringSubmatch(string(page), -1) {
		run(t, fixture(true), m[1])
	}
}
