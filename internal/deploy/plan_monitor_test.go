package deploy_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/monitor"
)

func TestPlanOfMonitors(t *testing.T) {
	r := planned(t, loaded(t, `service: shop
provider: {name: aws, runtime: provided.al2023}
functions:
  f: {handler: f, events: [httpApi: '*']}
custom:
  dropstack:
    monitors:
      - {name: page, path: /}
      - {name: api, url: 'https://api.example.com', every: 30s, slow: 1s, expect: {json: [{path: a.b, equals: c}], certificate: 14d}}
`))
	want := []monitor.Monitor{
		{Name: "shop-dev-page", Stack: "shop-dev", Target: monitor.Target{URL: "/"}},
		{
			Name: "shop-dev-api", Stack: "shop-dev", Interval: monitor.Duration(30 * time.Second), Slow: monitor.Duration(time.Second),
			Target: monitor.Target{URL: "https://api.example.com", Expect: monitor.Conditions{
				JSON: []monitor.JSONCondition{{Path: "a.b", Equals: new("c")}}, Certificate: monitor.Duration(14 * 24 * time.Hour),
			}},
		},
	}
	if diff := cmp.Diff(want, r.Monitors); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	changed := *r
	changed.Monitors = slices.Clone(r.Monitors)
	changed.Monitors[1].Interval = monitor.Duration(time.Minute)
	if got := deploy.Compare(r, &changed).Changes; len(got) != 1 || got[0].Kind != "monitor" || got[0].Fields[0] != (deploy.Field{Name: "interval", From: "30s", To: "1m0s"}) {
		t.Errorf("%+v", got)
	}
}

func TestMonitorsThatMeanNothing(t *testing.T) {
	svc := loaded(t, `service: shop
provider: {name: aws, runtime: provided.al2023}
functions:
  f: {handler: f, events: [httpApi: '*']}
custom:
  dropstack:
    monitors:
      - name: soon
        path: /
        every: soon
      - name: often
        path: /
        every: 10ms
      - name: matches
        path: /
        expect:
          matches: '('
`)
	var lines []int
	for _, p := range deploy.Check(svc) {
		lines = append(lines, p.Pos.Line)
	}
	if !slices.Equal(lines, []int{10, 11, 14}) {
		t.Errorf("wrong are lines %v: %v", lines, deploy.Check(svc))
	}
}
