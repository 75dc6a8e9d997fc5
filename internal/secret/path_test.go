package secret_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/secret"
)

func TestPathsEndAtSlashes(t *testing.T) {
	w := newWorld(t)
	w.all(t, "/prod/app", "/prod/app/A", "/prod/app/db/B", "/prod/app/db/x/C", "/prod/app2/D", "/prod/App/E", "F", "/G")
	for name, c := range map[string]struct {
		in   secret.GetParametersByPathInput
		want []string
	}{
		"direct children":       {secret.GetParametersByPathInput{Path: "/prod/app"}, []string{"/prod/app/A"}},
		"slash at the end":      {secret.GetParametersByPathInput{Path: "/prod/app/"}, []string{"/prod/app/A"}},
		"all below":             {secret.GetParametersByPathInput{Path: "/prod/app", Recursive: true}, []string{"/prod/app/A", "/prod/app/db/B", "/prod/app/db/x/C"}},
		"deeper":                {secret.GetParametersByPathInput{Path: "/prod/app/db", Recursive: true}, []string{"/prod/app/db/B", "/prod/app/db/x/C"}},
		"unknown path":          {secret.GetParametersByPathInput{Path: "/none"}, []string{}},
		"parameter as a path":   {secret.GetParametersByPathInput{Path: "/prod/app/A"}, []string{}},
		"root":                  {secret.GetParametersByPathInput{Path: "/"}, []string{"/G", "F"}},
		"everything":            {secret.GetParametersByPathInput{Path: "/", Recursive: true}, []string{"/G", "/prod/App/E", "/prod/app", "/prod/app/A", "/prod/app/db/B", "/prod/app/db/x/C", "/prod/app2/D", "F"}},
		"everything, in threes": {secret.GetParametersByPathInput{Path: "/", Recursive: true, MaxResults: ptr(3)}, []string{"/G", "/prod/App/E", "/prod/app", "/prod/app/A", "/prod/app/db/B", "/prod/app/db/x/C", "/prod/app2/D", "F"}},
	} {
		if diff := cmp.Diff(c.want, w.names(t, c.in)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestTokensWorkForTheirQueryOnly(t *testing.T) {
	w := newWorld(t)
	for i := range 12 {
		w.all(t, fmt.Sprint("/a/", i))
	}
	in := secret.GetParametersByPathInput{Path: "/a"}
	token := must[secret.GetParametersByPathOutput](t)(w.GetParametersByPath(w.ctx, in)).NextToken
	for name, q := range map[string]secret.GetParametersByPathInput{
		"another path": {Path: "/b", NextToken: token}, "recursive": {Path: "/a", Recursive: true, NextToken: token}, "decrypted": {Path: "/a", WithDecryption: true, NextToken: token},
		"changed": {Path: "/a", NextToken: token[:len(token)-1] + "A"}, "cut": {Path: "/a", NextToken: token[:20]},
	} {
		if got := code(w.GetParametersByPath(w.ctx, q)); got != "InvalidNextToken" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := code(w.DescribeParameters(w.ctx, secret.DescribeParametersInput{NextToken: token})); got != "InvalidNextToken" {
		t.Errorf("another action: %s", got)
	}
	must[secret.None](t)(w.DeleteParameter(w.ctx, secret.DeleteParameterInput{Name: "/a/7"})) // where the page ended
	rest := must[secret.GetParametersByPathOutput](t)(w.GetParametersByPath(w.ctx, secret.GetParametersByPathInput{Path: "/a", MaxResults: ptr(1), NextToken: token}))
	if len(rest.Parameters) != 1 || rest.Parameters[0].Name != "/a/8" {
		t.Errorf("the next page: %+v", rest.Parameters)
	}
}

func TestWhatIsExplicitlyDeniedIsLeftOut(t *testing.T) {
	w := newWorld(t)
	w.all(t, "/a/1", "/a/2", "/a/3", "/a/b/4")
	w.authority.forbid = []string{"ssm:GetParameter " + prefix + "a/1", "ssm:GetParametersByPath " + prefix + "a/b/*", "ssm:PutParameter " + prefix + "a/3"}
	if diff := cmp.Diff([]string{"/a/2", "/a/3"}, w.names(t, secret.GetParametersByPathInput{Path: "/a", Recursive: true, MaxResults: ptr(1)})); diff != "" {
		t.Error(diff)
	}
}

func TestFiltersChoose(t *testing.T) {
	w := newWorld(t)
	w.all(t, "/app/a", "/app/b/c")
	w.put(t, secret.PutParameterInput{Name: "/app/list", Value: "1,2", Type: "StringList", Tags: []secret.Tag{{Key: "team", Value: "red"}}})
	w.put(t, secret.PutParameterInput{Name: "/other/s", Value: "x", Type: "SecureString", Tier: "Advanced", Tags: []secret.Tag{{Key: "team", Value: "blue"}}})
	f := func(key, option string, values ...string) []secret.ParameterFilter {
		return []secret.ParameterFilter{{Key: key, Option: option, Values: values}}
	}
	for name, c := range map[string]struct {
		filters []secret.ParameterFilter
		want    []string
	}{
		"none":                  {nil, []string{"/app/a", "/app/b/c", "/app/list", "/other/s"}},
		"name":                  {f("Name", "", "/app/a", "/other/s"), []string{"/app/a", "/other/s"}},
		"name begins":           {f("Name", "BeginsWith", "/app/b", "/o"), []string{"/app/b/c", "/other/s"}},
		"name contains":         {f("Name", "Contains", "li"), []string{"/app/list"}},
		"type":                  {f("Type", "Equals", "StringList", "SecureString"), []string{"/app/list", "/other/s"}},
		"type begins":           {f("Type", "BeginsWith", "String"), []string{"/app/a", "/app/b/c", "/app/list"}},
		"key":                   {f("KeyId", "Equals", "alias/aws/ssm"), []string{"/other/s"}},
		"tier":                  {f("Tier", "Equals", "Advanced"), []string{"/other/s"}},
		"data type":             {f("DataType", "Equals", "text"), []string{"/app/a", "/app/b/c", "/app/list", "/other/s"}},
		"path":                  {f("Path", "", "/app"), []string{"/app/a", "/app/list"}},
		"path, recursive":       {f("Path", "Recursive", "/app"), []string{"/app/a", "/app/b/c", "/app/list"}},
		"path, not its sibling": {f("Path", "Recursive", "/ap"), []string{}},
		"tag":                   {f("tag:team", "Equals", "red"), []string{"/app/list"}},
		"tag begins":            {f("tag:team", "BeginsWith", "b"), []string{"/other/s"}},
		"tag of any value":      {f("tag:team", ""), []string{"/app/list", "/other/s"}},
		"two that both hold":    {append(f("tag:team", ""), f("Type", "", "SecureString")...), []string{"/other/s"}},
		"two that exclude":      {append(f("tag:team", "", "red"), f("Type", "", "SecureString")...), []string{}},
	} {
		if diff := cmp.Diff(c.want, w.described(t, c.filters...)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	old := must[secret.DescribeParametersOutput](t)(w.DescribeParameters(w.ctx, secret.DescribeParametersInput{Filters: []secret.OldFilter{{Key: "Name", Values: []string{"/app/"}}, {Key: "Type", Values: []string{"String"}}}, MaxResults: ptr(2)}))
	if len(old.Parameters) != 2 || old.NextToken == "" {
		t.Errorf("old filters: %+v", old)
	}
	if shared := must[secret.DescribeParametersOutput](t)(w.DescribeParameters(w.ctx, secret.DescribeParametersInput{Shared: true})); len(shared.Parameters) != 0 {
		t.Errorf("shared by others: %+v", shared)
	}
}

func TestPathFiltersChooseVersionsByLabel(t *testing.T) {
	w := newWorld(t)
	w.all(t, "/a/1", "/a/2")
	w.put(t, secret.PutParameterInput{Name: "/a/s", Value: "x", Type: "SecureString"})
	must[secret.LabelParameterVersionOutput](t)(w.LabelParameterVersion(w.ctx, secret.LabelParameterVersionInput{Name: "/a/1", Labels: []string{"prod"}}))
	w.put(t, secret.PutParameterInput{Name: "/a/1", Value: "newer", Overwrite: true})
	out := must[secret.GetParametersByPathOutput](t)(w.GetParametersByPath(w.ctx, secret.GetParametersByPathInput{Path: "/a", ParameterFilters: []secret.ParameterFilter{{Key: "Label", Values: []string{"prod"}}}}))
	if len(out.Parameters) != 1 || out.Parameters[0].Value != "/a/1" || out.Parameters[0].Version != 1 {
		t.Errorf("%+v", out.Parameters)
	}
	out = must[secret.GetParametersByPathOutput](t)(w.GetParametersByPath(w.ctx, secret.GetParametersByPathInput{Path: "/a", ParameterFilters: []secret.ParameterFilter{{Key: "Type", Values: []string{"SecureString"}}}}))
	if len(out.Parameters) != 1 || out.Parameters[0].Name != "/a/s" {
		t.Errorf("%+v", out.Parameters)
	}
}

func FuzzNames(f *testing.F) {
	for _, name := range []string{"/a/b:1", "a", ":", "arn:aws:ssm:us-east-1:000000000000:parameter/a:label", "arn:aws:ssm:::", "/a//b", "/a:-1", "/é", " arn:aws:ssm:us-east-1:000000000000:parameter/a", "arn:aws-cn:ssm:us-east-1:000000000000:parameter/a", "arn:aws:ssm:us-east-1:000000000000:parameter//a", "/a:99999999999999999999"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		w := newWorld(t)
		w.all(t, "/a", "b")
		got, err := w.GetParameter(w.ctx, secret.GetParameterInput{Name: name})
		if err == nil && (got.Parameter.Name != "/a" && got.Parameter.Name != "b" || got.Parameter.ARN != w.ARN(name)) {
			t.Errorf("%q gave %+v, but permission is asked for %s", name, got, w.ARN(name))
		}
		if _, err := w.PutParameter(w.ctx, secret.PutParameterInput{Name: name, Value: "x", Type: "String", Overwrite: true}); err != nil {
			return
		}
		for _, again := range []string{name, strings.TrimSpace(name) + ":1", w.ARN(name)} {
			if _, err := w.GetParameter(w.ctx, secret.GetParameterInput{Name: again}); err != nil {
				t.Errorf("%q was put and is not found as %q: %v", name, again, err)
			}
		}
	})
}
