package server

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/function"
)

func TestADeploymentIsOnRecord(t *testing.T) {
	rev := &deploy.Revision{ID: "20260102T030405678Z-0a1b2c3d", Stack: "shop-dev", Functions: []function.Function{{Name: "a"}}}
	field := func(failed error, name string) string {
		for _, f := range deploymentRecord(rev, failed, time.Now()).Fields {
			if f.Name == name {
				return f.Value
			}
		}
		return ""
	}
	r := deploymentRecord(rev, nil, time.Now())
	if r.Group != "/dropstack/deploys" || r.Stream != "shop-dev" || !strings.Contains(r.Message, "1 function") || field(nil, "result") != "succeeded" || field(nil, "revision") != rev.ID {
		t.Errorf("got %+v", r)
	}
	r = deploymentRecord(rev, errors.New("no room"), time.Now())
	if !strings.Contains(r.Message, "no room") || field(errors.New("no room"), "result") != "failed" {
		t.Errorf("got %+v", r)
	}
}
