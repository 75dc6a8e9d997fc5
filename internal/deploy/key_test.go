package deploy_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/topic"
)

func TestWhatIsShownHoldsNoSecret(t *testing.T) {
	const planted = "planted-secret"
	r := &deploy.Revision{
		Stack:         "s-dev",
		Functions:     []function.Function{{Name: "f", Environment: map[string]string{"TOKEN": planted}}},
		APIKeys:       []gateway.APIKey{{Name: "partner", Value: planted}},
		Subscriptions: []topic.Subscription{{Protocol: topic.ProtocolHTTPS, Endpoint: "https://u:" + planted + "@example.com"}},
	}
	doc, err := json.Marshal(r.Shown(nil))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(doc), planted) || !strings.Contains(string(doc), "TOKEN") {
		t.Errorf("shown %s, want the names and no value", doc)
	}
	if r.Functions[0].Environment["TOKEN"] != planted || r.APIKeys[0].Value != planted || !strings.Contains(r.Subscriptions[0].Endpoint, planted) {
		t.Error("what is shown is not a copy")
	}
}
