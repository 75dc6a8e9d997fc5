//go:build linux

package sandbox

import (
	"fmt"
	"log/slog"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/sandbox/cgroup"
)

func TestTiming(t *testing.T) {
	m := &Maker{Level: Full, TempDir: t.TempDir(), Log: slog.New(slog.DiscardHandler)}
	if err := m.prepare(); err != nil {
		t.Fatal(err)
	}
	took := map[string][]time.Duration{}
	last := time.Now()
	mark := func(s string) { took[s] = append(took[s], time.Since(last)); last = time.Now() }
	for i := 0; i < 40; i++ {
		last = time.Now()
		first, number, _ := m.lease()
		in := &inside{maker: m, first: first}
		b := &Box{inside: in}
		b.Tmp = t.TempDir()
		mark("00tmp")
		in.group, _ = m.groups.New(fmt.Sprint("x", number))
		mark("01group")
		in.group.Limit(cgroup.Limits{Pids: 1024})
		mark("02limitpids")
		v, err := m.spawn(in)
		if err != nil {
			t.Fatal(err)
		}
		in.visitor = v
		mark("03spawn")
		if err := in.build(b); err != nil {
			t.Fatal(err)
		}
		mark("04build")
		in.group.Limit(cgroup.Limits{Pids: 1024, CPUs: 0.1, Memory: 140 << 20})
		mark("05limit")
		f := Furniture{}
		if err := b.Furnish(f); err != nil {
			t.Fatal(err)
		}
		mark("06furnish")
		p, err := b.Start(Spec{Path: "/bin/true", Dir: "/"})
		if err != nil {
			t.Fatal(err)
		}
		mark("07start")
		p.Wait()
		mark("08wait")
		b.Close()
		mark("09close")
		m.work.Wait()
		mark("10swept")
	}
	m.Close()
	var keys []string
	for k := range took {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		l := took[k]
		sort.Slice(l, func(i, j int) bool { return l[i] < l[j] })
		fmt.Println(strings.TrimSpace(k), l[len(l)/2], l[len(l)-1])
	}
}
