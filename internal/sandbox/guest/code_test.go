package guest

import (
	"reflect"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fill sets every field to something, lists to two of it.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.String:
		v.SetString("text " + string(rune('a'+*n%26)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8, reflect.Uint32, reflect.Uintptr:
		v.SetUint(uint64(*n % 200))
	default:
		v.SetInt(int64(*n))
	}
}

// messages is one of each kind, with everything in it, and what to read it into.
func messages() map[string][2]message {
	full := map[string][2]message{
		"request": {&Request{}, &Request{}}, "reply": {&Reply{}, &Reply{}},
		"spawn": {&Spawn{}, &Spawn{}}, "spawned": {&Spawned{}, &Spawned{}},
	}
	for _, pair := range full {
		n := 0
		fill(reflect.ValueOf(pair[0]).Elem(), &n)
	}
	return full
}

func TestEveryFieldArrives(t *testing.T) {
	for name, pair := range messages() {
		t.Run(name, func(t *testing.T) {
			if err := Decode(Encode(pair[0]), pair[1]); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatIsMissingStaysMissing(t *testing.T) {
	for _, want := range []*Request{{}, {ID: -1}, {ID: 7, Signal: &Signal{Pid: -3, Sig: syscall.SIGKILL}}, {Start: &Start{}}} {
		got := &Request{}
		if err := Decode(Encode(want), got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestPartsOfMessagesAreRefused(t *testing.T) {
	for name, pair := range messages() {
		doc := Encode(pair[0])
		for n := range doc {
			if err := Decode(doc[:n], reflect.New(reflect.TypeOf(pair[1]).Elem()).Interface().(message)); err == nil {
				t.Fatalf("%s: %d of %d bytes are taken for a whole one", name, n, len(doc))
			}
		}
		if err := Decode(append(doc, 0), pair[1]); err == nil {
			t.Errorf("%s: a byte too much is taken", name)
		}
	}
}

// FuzzDecode: a message that is read and written is the same message.
func FuzzDecode(f *testing.F) {
	for _, pair := range messages() {
		f.Add(Encode(pair[0]))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		var r, again Request
		if Decode(doc, &r) != nil {
			return
		}
		if err := Decode(Encode(&r), &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, again); diff != "" {
			t.Error(diff)
		}
	})
}
