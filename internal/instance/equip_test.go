package instance

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

// equipped is a probe whose instances each have keys of their own, which last as
// long as given. The ids of the instances are told.
func equipped(last time.Duration) (Config, func() []string) {
	var mu sync.Mutex
	var ids []string
	cfg := probe()
	cfg.Env = map[string]string{"OWN": "of the version", "SHARED": "yes"}
	cfg.Equip = func(_ context.Context, id string) (Equipment, error) {
		mu.Lock()
		defer mu.Unlock()
		ids = append(ids, id)
		e := Equipment{Keys: Credentials{"AKID-" + id, "secret", "token"}, Env: map[string]string{"OWN": "of the instance"}}
		if last > 0 {
			e.Expires = time.Now().Add(last)
		}
		return e, nil
	}
	return cfg, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), ids...)
	}
}

func TestAnInstanceHasKeysOfItsOwn(t *testing.T) {
	p, _ := newPool(t)
	cfg, ids := equipped(0)
	env := map[string]string{}
	for _, line := range decode[[]string](t, first(do(t, p, cfg, `{"mode":"env"}`))) {
		name, value, _ := strings.Cut(line, "=")
		env[name] = value
	}
	all := ids()
	if len(all) != 1 || env["AWS_ACCESS_KEY_ID"] != "AKID-"+all[0] || env["AWS_SESSION_TOKEN"] != "token" || env["OWN"] != "of the instance" || env["SHARED"] != "yes" {
		t.Errorf("instances %v, environment %v", all, env)
	}
	if cfg.Env["OWN"] != "of the version" {
		t.Errorf("the version's environment was changed: %v", cfg.Env)
	}
	do(t, p, cfg, `{"mode":"identity"}`)
	if all := ids(); len(all) != 1 {
		t.Errorf("a warm instance was equipped again: %v", all)
	}
}

func TestAnInstanceIsReplacedBeforeItsKeysExpire(t *testing.T) {
	p, _ := newPool(t)
	cfg, ids := equipped(probe().Timeout + lastMoment - time.Second) // too old as soon as it is there
	one := decode[identity](t, first(do(t, p, cfg, `{"mode":"identity"}`)))
	two := decode[identity](t, first(do(t, p, cfg, `{"mode":"identity"}`)))
	if one.Pid == two.Pid || len(ids()) != 2 {
		t.Errorf("got %+v after %+v, instances %v", two, one, ids())
	}
}

func TestAnIdleInstanceGoesWithItsKeys(t *testing.T) {
	p, _ := newPool(t)
	cfg, ids := equipped(probe().Timeout + lastMoment + 300*time.Millisecond)
	p.Reserve(cfg, 1)
	wait(t, "the reserve to be there again with other keys", func() bool { return len(ids()) >= 2 && p.Ready(cfg.ID) == 1 })
}

func TestWhatCannotBeEquippedIsNotStarted(t *testing.T) {
	p, _ := newPool(t)
	cfg := probe()
	cfg.Equip = func(context.Context, string) (Equipment, error) {
		return Equipment{}, fault.Coded(fault.Denied, "AccessDeniedException", "not for this role")
	}
	_, err := p.Do(t.Context(), cfg, Event{RequestID: "r", Payload: []byte(`{}`)})
	if fault.KindOf(err) != fault.Unavailable || fault.CodeOf(err) != "ServiceException" || !strings.Contains(err.Error(), "not for this role") {
		t.Errorf("got %v", err)
	}
	if e := errors.Unwrap(err); e == nil {
		t.Error("the cause is lost")
	}
}
