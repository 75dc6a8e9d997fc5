package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSkipsSayWhy looks at every test of the repository that may skip itself: the
// closing lines of a test run show what it says.
func TestSkipsSayWhy(t *testing.T) {
	seen := 0
	files := token.NewFileSet()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{".git", "node_modules", "testdata"}, d.Name()) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			f, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, f.Sel.Name) {
				return true
			}
			if on, ok := f.X.(*ast.Ident); !ok || !slices.Contains([]string{"t", "b", "tb", "f"}, on.Name) {
				return true
			}
			seen++
			if len(call.Args) > 0 {
				if text, ok := call.Args[0].(*ast.BasicLit); ok && strings.HasPrefix(text.Value, `"not run: `) {
					return true
				}
			}
			t.Errorf(`%s: %s does not begin with "not run: " and the reason`, files.Position(call.Pos()), f.Sel.Name)
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 20 {
		t.Errorf("got %d skips: the test reads the wrong place", seen)
	}
}
