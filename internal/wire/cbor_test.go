package wire_test

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/wire"
	"github.com/google/go-cmp/cmp"
)

func TestCBORComesBack(t *testing.T) {
	on, items := true, int32(3)
	want := everything{
		Page: Page{MaxItems: &items}, Name: "n", Renamed: "r", On: &on, Count: -7, Ratio: 0.1,
		Since: wire.At(time.Date(2020, 1, 2, 3, 4, 5, 678e6, time.UTC)), Tags: []string{"one"},
		Items: []attribute{{DataType: "Binary", BinaryValue: []byte{0, 255}}}, By: map[string]string{"k": "v"},
		Each: map[string]attribute{"n": {DataType: "Number", StringValue: "1"}},
	}
	doc, err := wire.EncodeCBOR(want)
	if err != nil {
		t.Fatal(err)
	}
	var got everything
	if err := wire.DecodeCBOR(doc, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, absent := range []string{"Since", "Tags", "MaxItems"} {
		if doc, _ := wire.EncodeCBOR(everything{}); strings.Contains(string(doc), absent) {
			t.Errorf("%s is written though it is empty", absent)
		}
	}
}

// What is here in hexadecimal is from RFC 8949 or as AWS's clients write it.
func TestCBORIsRead(t *testing.T) {
	at := wire.At(time.Date(2013, 3, 21, 20, 4, 0, 0, time.UTC))
	half := wire.At(at.Add(500 * time.Millisecond))
	for name, c := range map[string]struct {
		doc  string
		want everything
	}{
		"a map without a length":      {"bf 644e616d65 7f 6161 6162 ff 65436f756e74 3863 ff", everything{Name: "ab", Count: -100}},
		"a time in whole seconds":     {"a1 6553696e6365 c1 1a514b67b0", everything{Since: at}},
		"a time with a fraction":      {"a1 6553696e6365 c1 fb41d452d9ec200000", everything{Since: half}},
		"a time without tag":          {"a1 6553696e6365 1a514b67b0", everything{Since: at}},
		"no time":                     {"a1 6553696e6365 f6", everything{}},
		"a whole number for a ratio":  {"a1 65526174696f 02", everything{Ratio: 2}},
		"half precision":              {"a1 65526174696f f93e00", everything{Ratio: 1.5}},
		"null":                        {"a2 644e616d65 f6 624f6e f6", everything{}},
		"members that nobody knows":   {"a2 6178 a1 6179 01 644e616d65 6161", everything{Name: "a"}},
		"nothing":                     {"a0", everything{}},
		"another name, by its letter": {"a1 656c6f776572 6161", everything{Renamed: "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			doc, err := hex.DecodeString(strings.ReplaceAll(c.doc, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			var got everything
			if err := wire.DecodeCBOR(doc, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWrongCBOR(t *testing.T) {
	for name, text := range map[string]string{
		"cut off":             "bf 644e616d65",
		"no map":              "01",
		"a text for a time":   "a1 6553696e6365 6161",
		"a date":              "a1 6553696e6365 c0 6161",
		"no time at all":      "a1 6553696e6365 c1 f97e00",
		"a text for a number": "a1 65436f756e74 6161",
		"two documents":       "a0 a0",
	} {
		doc, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		var got everything
		if err := wire.DecodeCBOR(doc, &got); err == nil {
			t.Errorf("%s: read as %+v", name, got)
		}
	}
}

func FuzzCBOR(f *testing.F) {
	doc, _ := wire.EncodeCBOR(everything{Name: "n", Since: wire.Now(), Tags: []string{"x"}})
	f.Add(doc)
	f.Fuzz(func(t *testing.T, doc []byte) {
		var got, again everything
		if wire.DecodeCBOR(doc, &got) != nil {
			return
		}
		written, err := wire.EncodeCBOR(got)
		if err == nil {
			err = wire.DecodeCBOR(written, &again)
		}
		if err != nil {
			t.Fatalf("%x: %v", doc, err)
		}
	})
}
