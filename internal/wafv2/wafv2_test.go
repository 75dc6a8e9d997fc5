package wafv2_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/wafv2"
)

// deployer has one revision, which is changed by one at a time.
type deployer struct {
	mu   sync.Mutex
	only *deploy.Revision
}

func (d *deployer) Edit(_ context.Context, _ string, change func(*deploy.Revision) error) (*deploy.Revision, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := *d.only
	if err := change(&next); err != nil {
		return nil, err
	}
	d.only = &next
	return &next, nil
}

func (d *deployer) List() map[string]*deploy.Revision {
	d.mu.Lock()
	defer d.mu.Unlock()
	return map[string]*deploy.Revision{deploy.APIStack: d.only}
}

// TestANameIsTakenOnce, by how many there are and by how many ask at the same time.
func TestANameIsTakenOnce(t *testing.T) {
	f := &wafv2.Firewalls{Deployer: &deployer{only: &deploy.Revision{}}, Region: "us-east-1"}
	create := func(name string) error {
		_, err := f.CreateIPSet(t.Context(), wafv2.CreateIPSetInput{Name: name, Scope: "REGIONAL", IPAddressVersion: "IPV4"})
		return err
	}
	for i := range 120 {
		if err := create(fmt.Sprintf("set-%03d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := create("set-119"); fault.CodeOf(err) != "WAFDuplicateItemException" {
		t.Errorf("the last of many again: %v", err)
	}
	var made sync.Map
	var g sync.WaitGroup
	for i := range 8 {
		g.Go(func() {
			if create("together") == nil {
				made.Store(i, true)
			}
		})
	}
	g.Wait()
	n := 0
	made.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d of 8 made the same set", n)
	}
}
