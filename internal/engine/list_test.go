package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/fault"
)

func TestEachVisitsAllObjects(t *testing.T) {
	e := open(t, t.TempDir(), nil)
	bucket(t, e)
	visit := func(engine.Object) error { t.Error("there is an object"); return nil }
	if err := e.Objects.Each(t.Context(), "drops", visit); err != nil {
		t.Errorf("an empty bucket: %v", err)
	}
	const all = 1003 // more than a page
	for i := range all {
		key := fmt.Sprintf("%04d.txt", i)
		if _, err := e.Objects.Put(t.Context(), "drops", key, strings.NewReader(key), 8, engine.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	err := e.Objects.Each(t.Context(), "drops", func(o engine.Object) error {
		if want := fmt.Sprintf("%04d.txt", n); o.Key != want || o.Size != 8 || time.Since(o.Modified) > time.Hour {
			return fmt.Errorf("got %+v, want %s", o, want)
		}
		n++
		return nil
	})
	if err != nil || n != all {
		t.Errorf("%d objects, %v", n, err)
	}
	stop := errors.New("enough")
	if err := e.Objects.Each(t.Context(), "drops", func(engine.Object) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	if err := e.Objects.Each(t.Context(), "nowhere", visit); fault.KindOf(err) != fault.NotFound {
		t.Errorf("no such bucket: %v", err)
	}
}
