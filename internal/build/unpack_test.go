package build_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/build"
	"github.com/dropstack/dropstack/internal/fault"
)

// item is an entry of a zip made for a test.
type item struct {
	name string
	mode fs.FileMode
	text string
}

func zipOf(t testing.TB, items ...item) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, i := range items {
		h := &zip.FileHeader{Name: i.name, Method: zip.Deflate}
		h.SetMode(i.mode)
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, i.text); err != nil && !i.mode.IsDir() {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// tree lists what is under a directory.
func tree(t testing.TB, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		line := fmt.Sprint(info.Mode(), " ", rel)
		if target, err := os.Readlink(path); err == nil {
			line = "link " + rel + " -> " + target
		}
		out = append(out, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestUnpack(t *testing.T) {
	data := zipOf(t, item{"bootstrap", 0o700, "run"}, item{"lib/", fs.ModeDir | 0o700, ""}, item{"lib/a.txt", 0o666, "a"},
		item{"deep/er/b", 0o600, "b"}, item{"lib/link", fs.ModeSymlink | 0o777, "../deep/er"}, item{"gone", fs.ModeSymlink | 0o777, "nowhere"})
	parent := t.TempDir()
	dir := filepath.Join(parent, "made", "code")
	if err := build.Unpack(bytes.NewReader(data), int64(len(data)), dir, 5); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"drwxr-xr-x .", "-rwxr-xr-x bootstrap", "drwxr-xr-x deep", "drwxr-xr-x deep/er", "-rw-r--r-- deep/er/b",
		"link gone -> nowhere", "drwxr-xr-x lib", "-rw-r--r-- lib/a.txt", "link lib/link -> ../deep/er",
	}
	if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if err := build.Unpack(strings.NewReader("not even a zip"), 14, dir, 0); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if got := tree(t, filepath.Dir(dir)); len(got) != len(want)+1 {
		t.Errorf("left behind beside it: %v", got)
	}
}

func TestUnpackRefuses(t *testing.T) {
	link := fs.ModeSymlink | 0o777
	for _, c := range []struct {
		name  string
		kind  fault.Kind
		items []item
	}{
		{"parent", fault.Invalid, []item{{"../evil", 0o644, "x"}}},
		{"parent further in", fault.Invalid, []item{{"a/../../evil", 0o644, "x"}}},
		{"absolute", fault.Invalid, []item{{"/evil", 0o644, "x"}}},
		{"backslashes", fault.Invalid, []item{{`..\evil`, 0o644, "x"}}},
		{"no name", fault.Invalid, []item{{"/", fs.ModeDir | 0o755, ""}}},
		{"nul", fault.Invalid, []item{{"a\x00b", 0o644, "x"}}},
		{"link to the parent", fault.Invalid, []item{{"a", link, ".."}}},
		{"link to an absolute path", fault.Invalid, []item{{"a", link, "/etc/passwd"}}},
		{"link out from deeper", fault.Invalid, []item{{"a/b", link, "../../x"}}},
		{"empty link", fault.Invalid, []item{{"a", link, ""}}},
		{"long link", fault.Invalid, []item{{"a", link, strings.Repeat("x/", 4000)}}},
		{"write through a link", fault.Invalid, []item{{"a", link, "b"}, {"a/evil", 0o644, "x"}}},
		{"overwrite a link", fault.Invalid, []item{{"a", link, "b"}, {"a", 0o644, "x"}}},
		{"links that lead out together", fault.Invalid, []item{{"x/y/d", link, "../.."}, {"e", link, "x/y/d/../z"}}},
		{"link loop", fault.Invalid, []item{{"a", link, "b"}, {"b", link, "a"}}},
		{"twice", fault.Invalid, []item{{"a", 0o644, "x"}, {"a", 0o644, "y"}}},
		{"file as directory", fault.Invalid, []item{{"a", 0o644, "x"}, {"a/b", 0o644, "y"}}},
		{"directory as file", fault.Invalid, []item{{"a/b", 0o644, "y"}, {"a", 0o644, "x"}}},
		{"pipe", fault.Invalid, []item{{"a", fs.ModeNamedPipe | 0o644, ""}}},
		{"device", fault.Invalid, []item{{"a", fs.ModeDevice | 0o644, ""}}},
		{"too large", fault.TooLarge, []item{{"a", 0o644, strings.Repeat("0", 600)}, {"b", 0o644, strings.Repeat("0", 500)}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			data, parent := zipOf(t, c.items...), t.TempDir()
			err := build.Unpack(bytes.NewReader(data), int64(len(data)), filepath.Join(parent, "in", "code"), 1000)
			if err == nil || fault.KindOf(err) != c.kind {
				t.Errorf("got %v of kind %v", err, fault.KindOf(err))
			}
			if got := tree(t, parent); len(got) != 2 {
				t.Errorf("left behind: %v", got)
			}
		})
	}
	t.Run("no zip", func(t *testing.T) {
		if err := build.Unpack(strings.NewReader("x"), 1, filepath.Join(t.TempDir(), "d"), 0); fault.KindOf(err) != fault.Invalid {
			t.Errorf("got %v", err)
		}
	})
	t.Run("damaged", func(t *testing.T) {
		data := zipOf(t, item{"a", 0o644, strings.Repeat("some text ", 100)})
		for i := 40; i < 50; i++ {
			data[i] ^= 0xff
		}
		if err := build.Unpack(bytes.NewReader(data), int64(len(data)), filepath.Join(t.TempDir(), "d"), 0); fault.KindOf(err) != fault.Invalid {
			t.Errorf("got %v", err)
		}
	})
}

// FuzzUnpack checks that nothing is ever written beside the directory.
func FuzzUnpack(f *testing.F) {
	f.Add(zipOf(f, item{"a", 0o644, "x"}, item{"b/c", 0o755, "y"}, item{"l", fs.ModeSymlink | 0o777, "b"}))
	f.Add(zipOf(f, item{"../a", 0o644, "x"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		parent := t.TempDir()
		err := build.Unpack(bytes.NewReader(data), int64(len(data)), filepath.Join(parent, "in", "code"), 1000)
		got, err2 := os.ReadDir(parent)
		if err2 != nil || len(got) > 1 || err == nil && len(got) != 1 {
			t.Errorf("left %v, %v after %v", got, err2, err)
		}
	})
}
