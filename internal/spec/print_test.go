package spec_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/spec"
)

const printed = `service: shop
provider: {name: aws, runtime: nodejs22.x, stage: "${opt:stage, 'dev'}"}
params: {default: {a: 1}, other: {a: "${env:ONLY_THERE}"}}
custom: {list: [a, "${sls:stage}"], n: 1.50, version: "007", nothing: null, multi: "one\ntwo"}
functions:
  - f: {handler: a.b, timeouts: 3}
  - g: {handler: a.b}
`

func TestPrint(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "serverless.yml"), []byte(printed))
	o := options("stage=prod")
	for _, c := range []struct {
		name string
		how  spec.Printing
		want string
	}{
		{"a value as YAML", spec.Printing{Path: "custom.version"}, "\"007\"\n"},
		{"lines as YAML", spec.Printing{Path: "custom.multi"}, "|-\n  one\n  two\n"},
		{"a number as JavaScript writes it", spec.Printing{Path: "custom.n", Format: "json"}, "1.5\n"},
		{"an item of a list", spec.Printing{Path: "custom.list.1", Format: "text"}, "prod\n"},
		{"a list as text", spec.Printing{Path: "custom.list", Format: "text"}, "a\nprod\n"},
		{"a list of functions as a map", spec.Printing{Path: "functions", Transform: "keys", Format: "text"}, "f\ng\n"},
		{"what is filled in", spec.Printing{Path: "functions.g", Format: "json"}, "{\n  \"handler\": \"a.b\",\n  \"events\": [],\n  \"name\": \"shop-prod-g\"\n}\n"},
		{"parameters of other stages as they are", spec.Printing{Path: "params"}, "default:\n  a: 1\nother:\n  a: ${env:ONLY_THERE}\n"},
		{"nothing", spec.Printing{Path: "custom.nothing", Format: "json"}, "null\n"},
	} {
		out, warnings, err := spec.Print(t.Context(), dir, o, c.how)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(c.want, string(out)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, diff)
		}
		if len(warnings) != 1 || warnings[0].Pos.Line != 6 {
			t.Errorf("%s: warnings %v, want the one for timeouts", c.name, warnings)
		}
	}
	for _, c := range []struct {
		how  spec.Printing
		want string
	}{
		{spec.Printing{Path: "custom.none"}, "the service has no custom.none"},
		{spec.Printing{Path: "custom", Format: "text"}, "a map cannot be printed as text; use --path or --transform keys, or another --format"},
		{spec.Printing{Transform: "values"}, `--transform is keys, not "values"`},
		{spec.Printing{Format: "xml"}, `--format is yaml, json or text, not "xml"`},
	} {
		if _, _, err := spec.Print(t.Context(), dir, o, c.how); fault.KindOf(err) != fault.Invalid || err.Error() != c.want {
			t.Errorf("%+v: got %v, want %s", c.how, err, c.want)
		}
	}
}

// TestPrintWhatCannotBeResolved complains of variables that deploying never reads,
// and of a value that holds itself.
func TestPrintWhatCannotBeResolved(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "serverless.yml"), []byte("service: a\nprovider: {name: aws}\ncustom:\n  unread: ${env:NONE}\n  all: ${self:custom}\n"))
	if _, err := spec.Load(t.Context(), dir, spec.Options{}); err != nil {
		t.Fatal(err)
	}
	_, _, err := spec.Print(t.Context(), dir, spec.Options{}, spec.Printing{})
	e, ok := errors.AsType[*spec.Error](err)
	if !ok || len(e.Problems) != 2 {
		t.Fatalf("got %v", err)
	}
	for i, want := range []string{"serverless.yml:4: ${env:NONE} has no value", "serverless.yml:5: variables go round"} {
		if got := strings.TrimPrefix(e.Problems[i].String(), dir+"/"); !strings.HasPrefix(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
