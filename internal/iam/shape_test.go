package iam_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/wire"
)

// TestShapesAreAWSs compares every action's input and output, member by member,
// with the official client's.
func TestShapesAreAWSs(t *testing.T) {
	authority := reflect.TypeFor[*iam.Authority]()
	clients := []reflect.Type{reflect.TypeFor[*sdk.Client](), reflect.TypeFor[*sts.Client]()}
	actions := 0
	for m := range authority.Methods() {
		if m.Type.NumIn() != 3 || m.Type.NumOut() != 2 || !strings.HasSuffix(m.Type.In(2).Name(), "Input") {
			continue
		}
		actions++
		official, ok := clients[0].MethodByName(m.Name)
		if !ok {
			official, ok = clients[1].MethodByName(m.Name)
		}
		if !ok {
			t.Errorf("%s: AWS has no such action", m.Name)
			continue
		}
		compare(t, m.Name+"Input", m.Type.In(2), official.Type.In(2).Elem())
		compare(t, m.Name+"Output", m.Type.Out(0), official.Type.Out(0).Elem())
	}
	if actions < 60 {
		t.Errorf("%d actions were compared; the test sees the wrong methods", actions)
	}
}

// compare checks that each of our members is one of theirs and of its type.
func compare(t *testing.T, path string, ours, theirs reflect.Type) {
	t.Helper()
	for theirs.Kind() == reflect.Pointer {
		theirs = theirs.Elem()
	}
	for ours.Kind() == reflect.Pointer {
		ours = ours.Elem()
	}
	switch {
	case ours == reflect.TypeFor[wire.Time]():
		if theirs != reflect.TypeFor[time.Time]() {
			t.Errorf("%s: a time here, %s there", path, theirs)
		}
	case ours.Kind() == reflect.Struct:
		for f := range ours.Fields() {
			if f.Anonymous {
				compare(t, path, f.Type, theirs)
				continue
			}
			their, ok := theirs.FieldByName(f.Name)
			if !ok {
				t.Errorf("%s.%s: AWS has no such member", path, f.Name)
				continue
			}
			compare(t, path+"."+f.Name, f.Type, their.Type)
		}
	case ours.Kind() == reflect.Slice:
		if theirs.Kind() != reflect.Slice {
			t.Errorf("%s: a list here, %s there", path, theirs)
			return
		}
		compare(t, path+"[]", ours.Elem(), theirs.Elem())
	case ours.Kind() == reflect.Int:
		if theirs.Kind() != reflect.Int32 {
			t.Errorf("%s: a number here, %s there", path, theirs)
		}
	case ours.Kind() != theirs.Kind():
		t.Errorf("%s: %s here, %s there", path, ours, theirs)
	}
}
