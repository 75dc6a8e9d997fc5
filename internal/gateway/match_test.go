package gateway

import (
	"fmt"
	"testing"
)

func BenchmarkMatch(b *testing.B) {
	m := matcher{rest: true}
	for i := range 100 {
		for _, p := range []string{"/r%d", "/r%d/{id}", "/r%d/{id}/x", "/r%d/{id}/{proxy+}"} {
			r := Route{Method: "GET", Path: fmt.Sprintf(p, i), Function: "f"}
			m.add(r, &target{Route: r})
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if found, ok := m.find("GET", "/r77/42/a/b/c"); !ok || found.resource.path != "/r77/{id}/{proxy+}" {
			b.Fatal(found)
		}
	}
}
