package waf

import (
	"encoding/hex"
	"slices"
	"testing"
	"unicode/utf8"
)

func TestTransformations(t *testing.T) {
	tests := []struct{ kind, in, want string }{
		{"NONE", "Aa%20", "Aa%20"},
		{"LOWERCASE", "ABC é Ü 1", "abc é Ü 1"},
		{"URL_DECODE", "a%20b+c%2Fd%zz%4", "a b c/d%zz%4"},
		{"URL_DECODE", "%C3%A9%00", "é\x00"},
		{"URL_DECODE_UNI", "%u0027%u00e9%U0041+%41", "'éA A"},
		{"HTML_ENTITY_DECODE", "&lt;a&#62;&#x3c;&quot;&amp;lt;&nbsp;&unknown;", "<a><\"&lt;\u00a0&unknown;"},
		{"COMPRESS_WHITE_SPACE", " a \t\n b\xa0\xa0c", " a b c"},
		{"CMD_LINE", `C^M"d\,;  /c  (Echo 'x')`, "cmd/c(echo x)"},
		{"BASE64_DECODE", "aGVsbG8=", "hello"},
		{"BASE64_DECODE", "aGVsbG8*d29ybGQ=", "hello"},
		{"BASE64_DECODE", "a-_b", "\x6b\xef\xdb"},
		{"BASE64_DECODE_EXT", "aGVs bG8*=", "hello"},
		{"HEX_DECODE", "48656c6C6f!4", "Hello!4"},
		{"SQL_HEX_DECODE", "x=0x4142 0x4 0X6a0", "x=AB 0x4 j0"},
		{"JS_DECODE", `\x41\u0042\u{43}\104\n\'\uFF1C\q`, "ABCD\n'<q"},
		{"JS_DECODE", `\ud83d\ude00\`, "😀\\"},
		{"CSS_DECODE", `\41 \000042\43x\zz\ff1c `, "ABCxzz<"},
		{"ESCAPE_SEQ_DECODE", `\a\n\\\?\x41\101\q`, "\a\n\\?AA\\q"},
		{"NORMALIZE_PATH", "/a//b/./c/../d", "/a/b/d"},
		{"NORMALIZE_PATH", "/../../a/", "/a/"},
		{"NORMALIZE_PATH", "a/./b", "a/b"},
		{"NORMALIZE_PATH_WIN", `\a\..\b\\c`, "/b/c"},
		{"REMOVE_NULLS", "a\x00b", "ab"},
		{"REPLACE_NULLS", "a\x00b", "a b"},
		{"REPLACE_COMMENTS", "a/*x*/b/**/c/*open", "a b c "},
		{"REPLACE_COMMENTS", "a*/b", "a b"},
		{"UTF8_TO_UNICODE", "aé€", "a%u00e9%u20ac"},
		{"UTF8_TO_UNICODE", "😀\xff", "%ud83d%ude00\xff"},
	}
	seen := map[string]bool{}
	for _, tt := range tests {
		seen[tt.kind] = true
		if got := transformations[tt.kind](tt.in); got != tt.want {
			t.Errorf("%s of %q is %q, want %q", tt.kind, tt.in, got, tt.want)
		}
	}
	if got := hex.EncodeToString([]byte(transformations["MD5"]("a"))); got != "0cc175b9c0f1b6a831c399e269772661" {
		t.Errorf("MD5 of a is %s", got)
	}
	for kind := range transformations {
		if !seen[kind] && kind != "MD5" {
			t.Errorf("%s is not tested", kind)
		}
	}
}

func FuzzTransformations(f *testing.F) {
	kinds := make([]string, 0, len(transformations))
	for kind := range transformations {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, text := range []string{`%u00`, `&#x`, `\u{`, `\x4`, `0x`, "/*", "/..", `\ud83d\u`, "a==", "\xe9"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range kinds {
			got := transformations[kind](text)
			if len(got) > 12*len(text)+16 {
				t.Errorf("%s makes %d bytes of %d", kind, len(got), len(text))
			}
			if again := transformations[kind](text); again != got {
				t.Errorf("%s makes %q and %q of %q", kind, got, again, text)
			}
		}
		if utf8.ValidString(text) && transformations["LOWERCASE"](transformations["LOWERCASE"](text)) != transformations["LOWERCASE"](text) {
			t.Errorf("LOWERCASE does not settle on %q", text)
		}
	})
}

func TestWalkingJSON(t *testing.T) {
	type visited struct {
		text    string
		key     bool
		pointer string
	}
	tests := []struct {
		doc  string
		want []visited
		end  whole
	}{
		{`{"a":["x",{"b/c":true}],"d":-1.5}`, []visited{{"a", true, "/a"}, {"x", false, "/a/0"}, {"b/c", true, "/a/1/b~1c"}, {"true", false, "/a/1/b~1c"}, {"d", true, "/d"}, {"-1.5", false, "/d"}}, complete},
		{`"\u0061\n\ud83d\ude00"`, []visited{{"a\n😀", false, ""}}, complete},
		{`{}`, nil, complete},
		{`[]`, nil, complete},
		{`{"a":"cut o`, []visited{{"a", true, "/a"}, {"cut o", false, "/a"}}, broken},
		{`{"a" 1}`, []visited{{"a", true, "/a"}}, broken},
		{`[1,]`, []visited{{"1", false, "/0"}}, broken},
		{`hello`, []visited{{"hello", false, ""}}, broken},
		{`{"a":1} x`, []visited{{"a", true, "/a"}, {"1", false, "/a"}}, broken},
	}
	for _, tt := range tests {
		w := &jsonWalk{text: tt.doc}
		var got []visited
		w.visit = func(text string, key bool) bool {
			got = append(got, visited{text, key, w.pointer()})
			return true
		}
		if end := w.run(); end != tt.end || !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, end %d; want %v, %d", tt.doc, got, end, tt.want, tt.end)
		}
	}
}
