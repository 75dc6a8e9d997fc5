package deploy_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/alert/alarm"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/spec"
)

// bells are alarms, one of which may be in ALARM.
type bells struct{ ringing atomic.Pointer[string] }

func (*bells) Admit(string, []alarm.Alarm) error                    { return nil }
func (*bells) Replace(context.Context, string, []alarm.Alarm) error { return nil }

func (b *bells) Ringing(names []string) []string {
	if name := b.ringing.Load(); name != nil && slices.Contains(names, *name) {
		return []string{*name}
	}
	return nil
}

func TestAnAlarmSendsCallersBack(t *testing.T) {
	s := newStage(t)
	next := func(word string) *deploy.Revision {
		r := s.revision(word, "Canary10Percent1Hour")
		r.Functions[0].Shift.Alarms = []string{"few orders"}
		return r
	}
	first := s.deployed(next("one"))
	s.deployed(next("two"))
	s.waitLive("1+2*0.1")
	s.bells.ringing.Store(new("another"))
	s.bells.ringing.Store(new("few orders"))
	got := s.waitStatus(deploy.Failed)
	if active, _ := s.Active("s-dev"); s.live() != "1" || active.Restores != first.ID {
		t.Errorf("alias %q, active %+v", s.live(), active)
	}
	if got.Code != "ALARM_ACTIVE" || got.Reason != "f:live: in ALARM: few orders" {
		t.Errorf("got %s: %s", got.Code, got.Reason)
	}
}

const alerting = `service: shop
provider: {name: aws, runtime: provided.al2023}
custom:
  alerts:
    alarms: [functionErrors]
  dropstack:
    alerts:
      owner: ann@example.com
      files: [rules.yml]
      shipped: {FunctionErrors: {threshold: 0.2}}
      groups:
        - name: orders
          rules: [{alert: FewOrders, expr: orders < 3, for: 5m}]
functions:
  f: {handler: f}
`

const ruleFile = "groups:\n- name: filed\n  rules:\n  - {alert: Filed, expr: up == 0}\n"

func alertingService(t *testing.T, text, rules string) *spec.Service {
	t.Helper()
	dir := t.TempDir()
	for name, doc := range map[string]string{"serverless.yml": text, "rules.yml": rules} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(doc), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	svc, err := spec.Load(t.Context(), dir, spec.Options{Arch: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	return svc
}

func TestPlanOfAlerts(t *testing.T) {
	r := planned(t, alertingService(t, alerting, ruleFile))
	lower, one := 0.2, 1.0
	if diff := cmp.Diff([]alert.Rule{
		{Name: "FewOrders", Group: "orders", Expr: "orders < 3", For: 5 * time.Minute, Source: "serverless.yml:13"},
		{Name: "Filed", Group: "filed", Expr: "up == 0", Source: "rules.yml:4"},
	}, r.Alerts); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(alert.Settings{Owner: "ann@example.com", Shipped: map[string]alert.Tune{"FunctionErrors": {Threshold: &lower}}}, r.AlertSettings); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if len(r.Alarms) != 1 || r.Alarms[0].AlarmName != "shop-dev-FFunctionErrorsAlarm" || cmp.Diff(&one, r.Alarms[0].Threshold) != "" {
		t.Errorf("alarms: %+v", r.Alarms)
	}
	old := *r
	old.ID, old.Alerts, old.Alarms = "before", nil, nil
	var changes []string
	for _, c := range deploy.Compare(&old, r).Changes {
		changes = append(changes, c.Action+" "+c.Kind+" "+c.Name)
	}
	if diff := cmp.Diff([]string{"create alert rule filed/Filed", "create alert rule orders/FewOrders", "create alarm shop-dev-FFunctionErrorsAlarm"}, changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestWrongAlertsAreToldWithTheirLines(t *testing.T) {
	text := strings.NewReplacer("orders < 3", "orders <", "[functionErrors]", "[{name: functionErrors, comparisonOperator: More}]", "{FunctionErrors: {", "{DiskNearlyFull: {").Replace(alerting)
	var got []string
	svc := alertingService(t, text, strings.Replace(ruleFile, "up == 0", "up ==", 1))
	for _, p := range deploy.Check(svc) {
		line, _, _ := strings.Cut(strings.TrimPrefix(p.String(), svc.Dir+"/"), "; ")
		got = append(got, line)
	}
	want := []string{
		`serverless.yml:5: alarm shop-dev-FFunctionErrorsAlarm: ComparisonOperator "More" is none of`,
		`serverless.yml:13: rule FewOrders: could not parse expression: `,
		`rules.yml:4: rule Filed: could not parse expression: `,
		`serverless.yml:10: the built-in rule DiskNearlyFull is not of functions`,
	}
	if len(got) != len(want) {
		t.Fatalf("got %q, want %d problems", got, len(want))
	}
	for i, w := range want {
		if !strings.HasPrefix(got[i], w) {
			t.Errorf("got %s, want %s...", got[i], w)
		}
	}
}
