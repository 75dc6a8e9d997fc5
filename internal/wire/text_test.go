package wire_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/wire"
)

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", `"quoted" \ back`, "\x00\x1f\t\n\x7f", "größer 日本 🎉", "cut \xe2\x82", "\u2028<&>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		want := strings.Map(func(r rune) rune { return r }, s) // each byte that is none of a rune becomes U+FFFD
		if err := json.Unmarshal(wire.AppendString(nil, s), &got); err != nil || got != want {
			t.Errorf("%q became %q, %v", s, got, err)
		}
	})
}
